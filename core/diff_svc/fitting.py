"""Few calls for one imported voice: its own sampler, fitted on the demo recording, and judged.

Distances are those of docs/principles/foreign-samplers.md: of the mel to that of DDIM over all
steps, from the same noise. The bar is what the originals' PLMS leaves in every tenth step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.audio import load_mono
from core.config import StreamConfig
from core.diff_svc.config import ForeignConfig
from core.diff_svc.convert import Keyed
from core.diff_svc.converter import LiveVoices, foreign_plan
from core.diff_svc.live import Listener
from core.diffusion.fitted import CALLS, fit, levels, sample_fitted, small_steps
from core.diffusion.fitted_steps import FittedSteps
from core.diffusion.original import bind
from core.diffusion.samplers import Denoise, get_sampler, sample_unipc
from core.diffusion.schedules import leap_sigmas
from core.voice import VOICES_FOLDER

_PIECES = ((0.5, 0.0), (3.0, 5.0))  # of the demo: where they begin in seconds, semitones
_JUDGED = ((1.8, 2.0),)
_SECONDS = 0.8  # of each
_STRIDE = 10  # of the original's PLMS
_NEAR = 1.01  # of its distance is as near as it


@dataclass(frozen=True)
class Fitted:
    """steps: fitted, by rising calls. distances: of each, and `bar`, that of the original's PLMS;
    mean over the normalised mel. best: the fewest calls that reach the bar, None where none do."""

    steps: tuple[FittedSteps, ...]
    distances: tuple[float, ...]
    bar: float

    @property
    def best(self) -> int | None:
        near = (
            steps.calls
            for steps, distance in zip(self.steps, self.distances, strict=True)
            if distance <= _NEAR * self.bar
        )
        return next(near, None)


@torch.inference_mode()
def fit_steps(voice: LiveVoices) -> Fitted:
    """Fits a sampler for each of CALLS, and judges it on other sounds.

    One that is no nearer than `unipc-leap` with as many calls is left out.
    """
    schedule, top_step = voice.diffusion.levels, voice.config.k_step - 1
    top, low = schedule.sigma(top_step), schedule.sigma(0)
    chosen = [levels(calls, low, top) for calls in CALLS]
    fine = (*(schedule.sigma(step) for step in range(top_step, -1, -1)), 0.0)
    network, start = _network(voice, _PIECES, 0)
    wanted = sorted({sigma for found in chosen for sigma in found[1:]}, reverse=True)
    path = dict(zip(wanted, small_steps(network, start, fine, wanted), strict=True))
    fitted = tuple(fit(network, start, found, [path[s] for s in found[1:]]) for found in chosen)
    network, start = _network(voice, _JUDGED, 1)
    (end,) = small_steps(network, start, fine, [0.0])

    def distance(x: Tensor) -> float:
        return float((x - end).abs().mean())

    kept = []
    for steps in fitted:
        far = distance(sample_fitted(network, start, steps))
        plain = sample_unipc(network, start, leap_sigmas(steps.calls, low, top), order=3)
        if far <= distance(plain):  # else, or where a network says what is no number
            kept.append((steps, far))
    original = [schedule.sigma(step) for step in range(0, top_step + 1, _STRIDE)][::-1]
    begun = start * (math.hypot(1.0, original[0]) / math.hypot(1.0, top))
    plms = get_sampler("plms")(network, begun, (*original, 0.0))
    return Fitted(tuple(s for s, _ in kept), tuple(far for _, far in kept), distance(plms))


def with_fitted(config: ForeignConfig, fitted: Fitted) -> ForeignConfig:
    """The config of the voice, walking by what was fitted from now on."""
    return replace(config, fitted=fitted.steps, file_steps=fitted.best or 0)


def _network(
    voice: LiveVoices, pieces: Sequence[tuple[float, float]], seed: int
) -> tuple[Denoise, Tensor]:
    """The voice's network, told the pieces, and where it begins: noise (B, M, T) at the top."""
    form, schedule = voice.config.mel, voice.diffusion.levels
    frames = round(_SECONDS * form.frame_rate)
    sound, _ = load_mono(VOICES_FOLDER / "demo.flac", form.sample_rate)
    plan = foreign_plan(voice, StreamConfig(block_frames=frames, lookahead_frames=0))
    conds = []
    for seconds, semitones in pieces:
        at = round(seconds * form.sample_rate)
        heard = np.ascontiguousarray(sound[at : at + frames * form.hop_length])
        told = Listener(voice, plan).push(heard, semitones, 1)
        assert told is not None
        conds.append(told.cond)
    predict = bind(voice.diffusion, torch.cat(conds))
    noise = torch.cat([Keyed(voice, seed, i * frames).start(frames) for i in range(len(conds))])
    top = schedule.sigma(voice.config.k_step - 1)
    start = noise.to(voice.diffusion.device) * math.hypot(1.0, top)
    return schedule.denoise(predict, clamp=1.0), start
