"""Cuts a recording at its pauses, so that nothing is cut inside a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offline.studio.settings import SlicerConfig

_STEP_SECONDS = 0.01
_SILENT_DB = -70.0  # full scale; whoever speaks is louder


@dataclass(frozen=True)
class Piece:
    """Samples `start` to `end` of a recording. dropped: why it is left out, empty where it is not.

    heard: seconds of it that are no pause.
    """

    start: int
    end: int
    heard: float
    dropped: str = ""


def levels(wave: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """dB of each 10 ms, (T,) -> (steps,); windows of 30 ms, so that no zero crossing is a pause."""
    step = max(1, round(rate * _STEP_SECONDS))
    count = -(-len(wave) // step)
    padded = np.pad(wave.astype(np.float64), (step, (count + 1) * step - len(wave)))
    energy = np.square(padded).reshape(-1, step).sum(1)
    window = energy[:-2] + energy[1:-1] + energy[2:]
    level: NDArray[np.float32] = (10 * np.log10(window / (3 * step) + 1e-12)).astype(np.float32)
    return level


def slice_recording(
    wave: NDArray[np.float32], rate: int, config: SlicerConfig
) -> tuple[Piece, ...]:
    """The pieces of a recording (T,), kept ones and dropped ones, in order."""
    level = levels(wave, rate)
    if not len(level):
        return (Piece(0, 0, 0.0, "empty"),)
    loud = float(np.quantile(level, 0.95))
    if loud < _SILENT_DB:
        return (Piece(0, len(wave), 0.0, "silence only"),)
    spoken = _runs(level > loud + config.pause_db, config.min_pause_ms)
    pieces = []
    for group in _groups(spoken, config):
        pieces.append(_piece(group, spoken, len(wave), rate, config))
    return tuple(pieces)


def _runs(heard: NDArray[np.bool_], min_pause_ms: int) -> list[tuple[int, int]]:
    """Stretches of speech in steps; pauses shorter than min_pause_ms are part of them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if runs and (start - runs[-1][1]) * _STEP_SECONDS * 1000 < min_pause_ms:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _groups(runs: Sequence[tuple[int, int]], config: SlicerConfig) -> list[list[tuple[int, int]]]:
    """Neighbouring runs together, as long as the piece stays short and its pauses, too."""
    most = config.max_seconds / _STEP_SECONDS
    widest = config.max_pause_ms / 1000 / _STEP_SECONDS
    groups: list[list[tuple[int, int]]] = []
    for run in runs:
        near = bool(groups) and run[0] - groups[-1][-1][1] <= widest
        if near and run[1] - groups[-1][0][0] <= most:
            groups[-1].append(run)
        else:
            groups.append([run])
    # a short rest takes runs back from the piece before it
    least = config.min_seconds / _STEP_SECONDS
    for before, after in pairwise(groups):
        while (
            after[-1][1] - after[0][0] < least
            and len(before) > 1
            and after[0][0] - before[-1][1] <= widest
            and before[-2][1] - before[0][0] >= least
        ):
            after.insert(0, before.pop())
    return groups


def _piece(
    group: Sequence[tuple[int, int]],
    runs: Sequence[tuple[int, int]],
    samples: int,
    rate: int,
    config: SlicerConfig,
) -> Piece:
    step = max(1, round(rate * _STEP_SECONDS))
    first, last = group[0], group[-1]
    keep = config.keep_ms / 1000 / _STEP_SECONDS
    earlier = max((end for _, end in runs if end <= first[0]), default=0)
    later = min((start for start, _ in runs if start >= last[1]), default=-(-samples // step))
    left = first[0] - min(keep, (first[0] - earlier) // 2)
    right = last[1] + min(keep, (later - last[1]) // 2)
    start, end = int(left) * step, min(int(right) * step, samples)
    heard = sum(b - a for a, b in group) * _STEP_SECONDS
    length = (end - start) / rate
    dropped = "" if length >= config.min_seconds else f"shorter than {config.min_seconds:g} s"
    return Piece(start, end, heard, dropped)
