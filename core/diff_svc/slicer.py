"""Where the original cuts a recording: at silences, at the quietest place of each.

Sizes in seconds become whole samples at the wave's own rate. numpy and scipy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

Wave = NDArray[np.float32]

_SMALLEST = 1e-12


class Chunk(NamedTuple):
    """Samples [start, stop) of a recording, silent or with sound."""

    start: int
    stop: int
    silent: bool


@dataclass(frozen=True)
class SlicerConfig:
    """threshold_db: a silence stays under it. shortest: seconds of a slice with sound.

    silence: seconds that must stay under the threshold. step: seconds over which the level is
    measured. kept: seconds of silence that may stay at a slice's end.
    """

    threshold_db: float = -40.0
    shortest: float = 5.0
    silence: float = 0.3
    step: float = 0.02
    kept: float = 0.5


def slice_at_silence(
    wave: Wave, sample_rate: int, config: SlicerConfig | None = None
) -> list[Chunk]:
    """wave (T,) -> chunks in order, which cover it without a gap."""
    config = config or SlicerConfig()
    cutter = _Cutter(wave, sample_rate, config)
    if len(wave) <= cutter.shortest:
        return [Chunk(0, len(wave), False)]
    chunks: list[Chunk] = []
    position = 0
    for start, stop in cutter.silences():
        if start > position:
            chunks.append(Chunk(position, start, False))
        chunks.append(Chunk(start, stop, True))
        position = stop
    if position < len(wave):
        chunks.append(Chunk(position, len(wave), False))
    return chunks


class _Cutter:
    """The levels of one wave and the search for places to cut."""

    def __init__(self, wave: Wave, sample_rate: int, config: SlicerConfig) -> None:
        self.wave = wave
        self.shortest = round(sample_rate * config.shortest)
        self.window = round(sample_rate * config.silence)
        self.step = round(sample_rate * config.step)
        self.kept = round(sample_rate * config.kept)
        self.threshold_db = config.threshold_db
        self.size = np.abs(wave - wave.mean())

    def silences(self) -> list[tuple[int, int]]:
        """Where each silence is cut out, in order."""
        loud = _decibels(_valid(maximum_filter1d, self.size, self.window)) >= self.threshold_db
        found: list[tuple[int, int]] = []
        for left, right in _runs_below(loud):
            if right == len(loud):
                found.append((self._left_cut(left, right), len(self.wave)))
                break
            start = 0 if left == 0 else self._left_cut(left, right)
            last = right == len(loud) - 1
            if found and start - found[-1][1] < self.shortest and not last:
                continue
            stop = right + self.window if last else self._right_cut(left, right)
            found.append((start, stop))
        return found

    def _left_cut(self, left: int, right: int) -> int:
        span = min(self.kept, (right + self.window - left) // 2)
        return self._quietest(left, span)

    def _right_cut(self, left: int, right: int) -> int:
        span = min(self.kept, (right + self.window - left) // 2)
        return self._quietest(right + self.window - span, span)

    def _quietest(self, start: int, span: int) -> int:
        """The sample nearest to 0 in the quietest step of [start, start + span)."""
        levels = _decibels(_window_rms(self.wave[start : start + span], self.step))
        place = start + int(np.argmin(levels))
        return place + int(np.argmin(self.size[place : place + self.step]))


def _runs_below(loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[left, right) of each run of False."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loud, [True]]).astype(np.int8)))
    return [(int(left), int(right)) for left, right in edges.reshape(-1, 2)]


def _valid(kernel: Callable[..., Wave], signal: Wave, size: int) -> Wave:
    """A centred filter where it lies wholly inside the signal."""
    start = size // 2
    made: Wave = kernel(signal, size)[start : start + len(signal) - size + 1]
    return made


def _window_rms(wave: Wave, size: int) -> Wave:
    """Deviation of every window of so many samples."""
    power = _valid(uniform_filter1d, np.square(wave), size)
    mean = _valid(uniform_filter1d, wave, size)
    deviation: Wave = np.sqrt(power - np.square(mean))
    return deviation


def _decibels(level: Wave) -> Wave:
    decibels: Wave = 20 * np.log10(np.clip(level, _SMALLEST, 1.0))
    return decibels
