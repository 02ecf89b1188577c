"""`moksori train NAME`: the loop from features to an adapted voice, and what it tells."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.errors import VoiceChangerError
from core.voice import VoiceModel
from offline.memory import is_out_of_memory
from offline.studio.batches import Batch, BatchPlan, Crop, Item, collate
from offline.studio.budget import frames_that_fit
from offline.studio.checkpoints import Checkpoints
from offline.studio.checks import Checks
from offline.studio.encoder import EMBEDDED, base_voice
from offline.studio.events import Tell
from offline.studio.items import load_items, split
from offline.studio.manifest import load_manifest
from offline.studio.network import SPOKEN_FRAMES, Adapting
from offline.studio.processes import Processes, precision, processes
from offline.studio.progress import Figures, stop_asked
from offline.studio.project import Project
from offline.studio.samples import Samples
from offline.studio.settings import SCRATCH, ProjectConfig
from offline.studio.strangers import Strangers, Words

_LEAST_FRAMES = 64


@dataclass
class Run:
    """What a checkpoint remembers besides weights and moments."""

    step: int = 0
    minutes: float = 0.0
    frames_per_batch: int = 0
    score: float | None = None


def train_project(project: Project, tell: Tell, wish: str = "last") -> None:
    """Trains until the settings' end, Ctrl-C or SIGTERM; called again it goes on exactly there.

    wish: the checkpoint to go on from, a step, best or last; those after it are removed.
    """
    settings = project.config.train
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    with processes(settings.device) as group:
        telling: Tell = tell if group.leads else lambda event: None
        with project.locked() if group.leads else nullcontext():
            base = base_voice(project)
            manifest = load_manifest(project, base.config.audio)
            if group.leads:
                items = load_items(project, manifest, base)
            group.wait()
            if not group.leads:  # reads what the leader has computed
                items = load_items(project, manifest, base)
            strangers = None
            if settings.words:
                strangers = Strangers(base, manifest.statistics.f0_median, settings.seed)
            Training(project, base, items, group, telling, wish, strangers).run()


class Training:
    """One training in memory."""

    def __init__(
        self,
        project: Project,
        base: VoiceModel,
        items: list[Item],
        group: Processes,
        tell: Tell,
        wish: str = "last",
        strangers: Strangers | None = None,
    ) -> None:
        self.project, self.base, self.group, self.tell = project, base, group, tell
        self.strangers = strangers
        self.settings = settings = project.config.train
        self.learned, checked = split(items, settings.validation_share)
        torch.manual_seed(settings.seed)
        self.network = Adapting(base, project.config.name, settings)
        if settings.start == SCRATCH:
            self.network.measure_mel([item.mel for item in self.learned])
        self.spoken = SPOKEN_FRAMES if settings.polish else 0
        self.checks = Checks(checked, base.config, self.spoken, strangers)
        self.network.nearest_speaker(self.checks.recordings)
        self.network.to(group.device)
        self.wrapped = group.wrap(self.network)
        self.weights = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )
        self.precision = precision(settings.precision, group.device)
        self.scaler = torch.amp.GradScaler(
            group.device.type, enabled=self.precision is torch.float16
        )
        self.ema = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.run_state = Run()
        self.checkpoints = Checkpoints(
            project.checkpoints, lambda words: tell({"event": "warning", "words": words})
        )
        self._restore(wish)
        if not self.run_state.frames_per_batch:
            self.run_state.frames_per_batch = self._first_budget()
        self.plan = self._plan()

    def run(self) -> None:
        """Steps, saves and checks until the end."""
        state, settings = self.run_state, self.settings
        samples = Samples(self.project, self.base, self.tell) if self.group.leads else None
        self.tell(
            {
                "event": "start",
                "project": self.project.config.name,
                "step": state.step,
                "frames_per_batch": state.frames_per_batch,
                "padding_waste": round(self.plan.waste(), 4),
                "weights": sum(p.numel() for p in self.weights),
                "device": str(self.group.device),
                "precision": str(self.precision).removeprefix("torch."),
            }
        )
        started, before = time.monotonic(), state.minutes
        figures = Figures()
        finished = self._finished()
        saved_at = checked_at = -1 if state.step == 0 else state.step
        with stop_asked() as stop:
            while not finished:
                loss, told, frames = self._step_or_less()
                state.step += 1
                minutes = before + (time.monotonic() - started) / 60
                (state.minutes,) = self.group.agree([minutes])
                figures.add(loss, told, frames)
                stopped = self.group.any(bool(stop))
                finished = self._finished() or stopped
                if state.step % settings.log_every == 0 or finished:
                    self._report(figures)
                    if samples:
                        samples.curves(state.step, {"loss": figures.mean_loss()} | figures.means())
                    figures = Figures()
                due = state.step % settings.validate_every == 0
                if samples and (due or (finished and not stopped)):
                    self._validate(samples)
                    checked_at = state.step
                if samples and (state.step % settings.save_every == 0 or finished):
                    self._save()
                    saved_at = state.step
        if samples and state.step not in (saved_at, checked_at) and state.step:
            self._save()
        if samples:
            samples.close()
        self.tell(
            {
                "event": "end",
                "step": state.step,
                "minutes": round(state.minutes, 2),
                "reason": "stopped" if stop else "finished",
            }
        )

    # one step

    def _step_or_less(self) -> tuple[float, dict[str, float], int]:
        """One step; where memory does not suffice, with half as many frames a batch."""
        while True:
            failed: str | None = None
            try:
                return self._step()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.group.count > 1:
                    raise
                failed = str(error).partition("\n")[0]
            self.optimizer.zero_grad(set_to_none=True)
            if self.group.device.type == "cuda":
                torch.cuda.empty_cache()
            state = self.run_state
            if state.frames_per_batch <= _LEAST_FRAMES:
                raise VoiceChangerError(
                    f"not enough memory for {state.frames_per_batch} frames ({failed}); close other"
                    " programs, or train with polish = false"
                )
            state.frames_per_batch //= 2
            self.plan = self._plan()
            self.tell(
                {
                    "event": "warning",
                    "words": f"memory did not suffice ({failed}); going on with"
                    f" {state.frames_per_batch} frames a batch",
                }
            )

    def _step(self) -> tuple[float, dict[str, float], int]:
        settings, group, step = self.settings, self.group, self.run_state.step
        first = step * settings.accumulate * group.count
        drawn = [self.plan.batch(first + i) for i in range(settings.accumulate * group.count)]
        frames = sum(crop.frames for crops in drawn for crop in crops)
        own = drawn[group.rank :: group.count]
        figures: dict[str, float] = {}
        total = 0.0
        self.optimizer.zero_grad(set_to_none=True)
        for i, crops in enumerate(own):
            batch = self._batch(crops)
            words = self._words(first + group.rank + i * group.count)
            last = i == len(own) - 1
            quiet = nullcontext() if last else group.quiet(self.wrapped)
            with quiet:
                with torch.autocast(
                    group.device.type, self.precision, self.precision is not torch.float32
                ):
                    summed, told = self.wrapped(batch, words)
                # DDP takes the mean over processes; we want the mean over all their frames
                self.scaler.scale(summed * (group.count / frames)).backward()
            total += float(summed.detach()) / frames * group.count
            for key, value in told.items():
                figures[key] = figures.get(key, 0.0) + float(value) / len(own)
        for parameter in self.weights if step < settings.speaker_steps else ():
            if parameter is not self.network.speaker:
                parameter.grad = None
        rate = self._rate()
        for each in self.optimizer.param_groups:
            each["lr"] = rate
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.weights, settings.clip_norm)
        if torch.isfinite(norm) or self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self._average()
        return total, figures, frames

    def _words(self, number: int) -> Words | None:
        if self.strangers is None:
            return None
        return self.strangers.words(number, self.group.device)

    def _batch(self, crops: tuple[Crop, ...]) -> Batch:
        batch = collate(crops, self.learned, self.base.config, self.spoken)
        return batch.to(self.group.device)

    def _rate(self) -> float:
        settings, step = self.settings, self.run_state.step
        progress = min(self._progress(), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        warm = min(1.0, (step + 1) / max(settings.warmup_steps, 1))
        return (
            settings.learning_rate * warm * (settings.last_rate + (1 - settings.last_rate) * cosine)
        )

    def _progress(self) -> float:
        settings, state = self.settings, self.run_state
        by_steps = state.step / settings.max_steps if settings.max_steps else 0.0
        by_time = state.minutes / settings.max_minutes if settings.max_minutes else 0.0
        return max(by_steps, by_time)

    def _finished(self) -> bool:
        return self._progress() >= 1.0

    def _average(self) -> None:
        step = self.run_state.step
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.ema[key].lerp_(value.detach(), 1 - decay)

    # budget

    def _plan(self) -> BatchPlan:
        settings = self.settings
        lengths = [item.frames for item in self.learned]
        return BatchPlan(
            lengths, self.run_state.frames_per_batch, settings.crop_frames, settings.seed
        )

    def _first_budget(self) -> int:
        wish = self.settings.frames_per_batch
        if isinstance(wish, int):
            return wish
        batch = self.checks.batches[0].to(self.group.device)
        fit = frames_that_fit(self.network, batch, self.group.device)
        return int(self.group.agree([fit])[0])

    # checks, reports, checkpoints

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        live = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema)
        self.network.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.network.load_state_dict(live)
            self.network.train()

    def _validate(self, samples: Samples) -> None:
        state = self.run_state
        with self._averaged():
            sums = self.checks.figures(self.network, self.group.device)
            state.score = sums["mel"] + sums.get("spectral", 0.0)
            best = self.checkpoints.best()
            is_best = best is None or state.score < (best.score or math.inf)
            paths = samples.write(state.step, self.network, sums)
        event = {
            "event": "validation",
            "step": state.step,
            "figures": {key: round(value, 5) for key, value in sums.items()},
            "score": round(state.score, 5),
            "best": is_best,
        }
        self.tell(event | paths)
        self._log(event)

    def _report(self, figures: Figures) -> None:
        state = self.run_state
        progress = self._progress()
        left = None
        if progress > 0:
            left = round(max(state.minutes * 60 * (1 / progress - 1), 0.0), 1)
        event: dict[str, Any] = {
            "event": "step",
            "step": state.step,
            "loss": round(figures.mean_loss(), 6),
            "figures": {k: round(v, 6) for k, v in figures.means().items()},
            "frames_per_second": round(figures.speed(), 1),
            "seconds_left": left,
            "minutes": round(state.minutes, 3),
            "rate": self._rate(),
        }
        self.tell(event)
        self._log(event)

    def _log(self, event: dict[str, Any]) -> None:
        if self.group.leads:
            with self.project.log.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(event) + "\n")

    def _save(self) -> None:
        state, settings = self.run_state, self.settings
        data = {
            "step": state.step,
            "minutes": state.minutes,
            "frames_per_batch": state.frames_per_batch,
            "score": state.score,
            "shape": _shape(self.project.config),
            "ema": self.ema,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        path = self.checkpoints.save(
            data, state.step, state.score, settings.keep_last, settings.keep_every
        )
        self.tell({"event": "saved", "step": state.step, "path": str(path)})

    def _restore(self, wish: str) -> None:
        found = self.checkpoints.load(wish)
        if found is None:
            return
        saved, data = found
        if data["shape"] != _shape(self.project.config):
            raise VoiceChangerError(
                f"the checkpoints in {self.project.checkpoints} were trained with another start,"
                " network, causal, channels, method, rank, polish or encoder; put these back, or"
                " remove that folder to train anew"
            )
        if wish != "last" and self.group.leads:
            self.checkpoints.forget_after(saved.step)
        self.network.load_state_dict(data["network"])
        self.optimizer.load_state_dict(data["optimizer"])
        self.scaler.load_state_dict(data["scaler"])
        self.ema = {k: v.to(self.group.device) for k, v in data["ema"].items()}
        most = self.settings.frames_per_batch
        budget = data["frames_per_batch"]
        self.run_state = Run(
            data["step"],
            data["minutes"],
            min(budget, most) if isinstance(most, int) else budget,
            data["score"],
        )


def _shape(config: ProjectConfig) -> str:
    """What weights have to agree on."""
    s, content = config.train, config.content
    ahead = "" if s.causal else " looks ahead"
    heard = f" {content.encoder} {content.layer}" if content.encoder != EMBEDDED else ""
    return f"{s.start} {s.network} {s.channels} {s.method} {s.rank} {s.polish}{ahead}{heard}"
