"""Finds the levels of core/diffusion/fitted.py, where a fitted sampler asks the network.

    python -m docs.figures.fitted_levels FEATURES:SPEAKER:VOICE.safetensors ... [--calls 8 10 12]

Voices: of `docs.figures.foreign_voice`; they are told recordings they learned from, never those
held back. Coordinate by coordinate: a level is moved where that brings the fitted walk nearer to
DDIM over all steps, the mean over the voices.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from core.diff_svc.convert import Keyed
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.fitted import LEVELS, fit, sample_fitted, small_steps
from core.diffusion.original import bind
from core.diffusion.samplers import Denoise
from core.diffusion.schedules import leap_sigmas, log_uniform_sigmas
from docs.figures.foreign_default import FRAMES, RECORDINGS, told
from docs.figures.foreign_voice import HELD_BACK

GRID = 600  # levels among which to choose, even in log sigma
FIRST, LEAST = 24, 1  # places on the grid that a level is moved by, at first and at last


class Case(NamedTuple):
    """A voice told of recordings: its network, where it begins, and its way on the grid."""

    network: Denoise
    start: Tensor
    way: list[Tensor]


def case(features: Path, speaker: str, path: Path, grid: tuple[float, ...]) -> Case:
    voice = DiffSvcVoice.load(path)
    schedule = voice.diffusion.levels
    first = -HELD_BACK - RECORDINGS
    cond = torch.cat(told(features, speaker, voice, slice(first, -HELD_BACK)))
    network = schedule.denoise(bind(voice.diffusion, cond), clamp=1.0)
    noise = torch.cat([Keyed(voice, seed, 0).start(FRAMES) for seed in range(len(cond))])
    start = noise * math.hypot(1.0, grid[0])
    fine = schedule.uniform_sigmas(schedule.timesteps)
    return Case(network, start, small_steps(network, start, fine, grid))


def distance(cases: list[Case], grid: tuple[float, ...], places: list[int]) -> float:
    """Mean over the voices, of the normalised mel."""
    sigmas = tuple(grid[place] for place in places)
    total = 0.0
    for network, start, way in cases:
        steps = fit(network, start, sigmas, [way[place] for place in places[1:]])
        total += float((sample_fitted(network, start, steps) - way[-1]).abs().mean())
    return total / len(cases)


def search(cases: list[Case], grid: tuple[float, ...], calls: int) -> list[int]:
    """Places on the grid, the first and the last its ends."""
    known = LEVELS.get(calls)
    begin = (grid[0], *known, 0.0) if known else leap_sigmas(calls, grid[-2], grid[0])
    places = [min(range(GRID), key=lambda i: abs(math.log(grid[i] / s))) for s in begin[:-1]]
    places.append(GRID)
    best, stride = distance(cases, grid, places), FIRST
    while stride >= LEAST:
        moved = False
        for i in range(1, calls):
            for by in (stride, -stride):
                tried = [*places[:i], places[i] + by, *places[i + 1 :]]
                if sorted(set(tried)) != tried or tried[-2] >= GRID:
                    continue
                if (found := distance(cases, grid, tried)) < best:
                    best, places, moved = found, tried, True
                    break
        print(f"{calls} calls, by {stride}: {best:.5f}", flush=True)
        if not moved:
            stride //= 2
    return places


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voices", nargs="+", metavar="FEATURES:SPEAKER:VOICE")
    parser.add_argument("--calls", type=int, nargs="+", default=sorted(LEVELS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    named = [voice.split(":") for voice in given.voices]
    schedule = DiffSvcVoice.load(Path(named[0][2])).diffusion.levels
    low, top = schedule.sigma(0), schedule.sigma(schedule.timesteps - 1)
    grid = log_uniform_sigmas(GRID, low, top)
    cases = [case(Path(folder), speaker, Path(path), grid) for folder, speaker, path in named]
    for calls in given.calls:
        chosen = [grid[place] for place in search(cases, grid, calls)]
        print(f"    {calls}: ({', '.join(f'{sigma:.4g}' for sigma in chosen[1:-1])}),", flush=True)


if __name__ == "__main__":
    main()
