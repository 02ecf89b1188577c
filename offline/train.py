"""The one training loop: draw a batch, loss, step, average the weights; resume, save, export.

The learning rate follows time, not steps: a run of given minutes ends well whatever the machine.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from core.precision import faster_on
from offline.checkpoint import TrainState, begin_with, load_start

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn. minutes: time of the whole run, resumed parts included."""

    minutes: float = 60.0
    learning_rate: float = 1e-3
    last_rate: float = 0.02  # share of learning_rate at the end
    warmup_steps: int = 200
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    save_minutes: float = 3.0
    validate_minutes: float = 3.0
    seed: int = 0
    threads: int = 1
    half: bool = True  # products in bfloat16, where the processor has instructions for them


class Task(Protocol):
    """One network and its objective."""

    @property
    def module(self) -> nn.Module: ...

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Draws a batch; returns the loss to minimise and numbers to log."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on data the network does not learn from, with the averaged weights loaded."""
        ...


def train(task: Task, folder: Path, config: TrainConfig, start: Path | None = None) -> TrainState:
    """Runs or resumes until `minutes` are spent; the state in `folder` is saved often.

    start: another run, or a voice file, whose weights a fresh run begins with where they fit.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    if start is not None:
        begin_with(task.module, load_start(start))
    state = TrainState.open(folder, task.module, config.ema_decay)
    optimizer = torch.optim.AdamW(
        task.module.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    state.restore(task.module, optimizer)
    generator = torch.Generator().manual_seed(config.seed + state.step)
    half = config.half and has_bfloat16()
    last_save = last_check = started = time.monotonic()
    spent_before = state.minutes
    sums: dict[str, float] = {}
    counted = 0
    while state.minutes < config.minutes:
        rate = _learning_rate(state.minutes / config.minutes, state.step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        task.module.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss, figures = task.losses(state.step, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(task.module.parameters(), config.clip_norm)
        if torch.isfinite(norm):
            optimizer.step()
            state.average(task.module)
        state.step += 1
        now = time.monotonic()
        state.minutes = spent_before + (now - started) / 60
        for key, value in figures.items():
            sums[key] = sums.get(key, 0.0) + value
        counted += 1
        if counted == 50:
            text = "  ".join(f"{k} {v / counted:.4f}" for k, v in sums.items())
            log.info("step %d  %.1f min  rate %.1e  %s", state.step, state.minutes, rate, text)
            sums, counted = {}, 0
        done = state.minutes >= config.minutes
        if done or now - last_check > config.validate_minutes * 60:
            with state.averaged(task.module):
                checked = task.validate()
            log.info("check  %s", "  ".join(f"{k} {v:.4f}" for k, v in checked.items()))
            last_check = time.monotonic()
        if done or now - last_save > config.save_minutes * 60:
            state.save(task.module, optimizer)
            last_save = time.monotonic()
    return state


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (2.4 times the speed of float32 there)."""
    return "bf16" in faster_on(torch.device("cpu"))


def _learning_rate(progress: float, step: int, config: TrainConfig) -> float:
    warmup = min(1.0, (step + 1) / config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return config.learning_rate * warmup * (config.last_rate + (1 - config.last_rate) * cosine)
