"""PraatStream: Praat's f0 of a stream. Candidates are found once a frame, the path goes on.

A frame is decided when it has to be, on what was heard until then: by the path through all
candidates since the start, as in the whole, but without those that are yet to come.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.f0.praat import Array, BestPath, PraatConfig, frame_centres

_HALVING_SECONDS = 10.0  # in which the loudest sound, against which silence is told, fades by 6 dB


class PitchGrid(NamedTuple):
    """Frame m is centred on sample m * hop + offset; those before `first` have no pitch."""

    sample_rate: int
    hop: int
    offset: int
    first: int


def file_grid(sample_rate: int, hop: int, f0_min: float) -> PitchGrid:
    """Where `praat_f0` has its frames in a wave of whole hops."""
    hops = 1000
    centres = frame_centres(hops * hop, sample_rate, hop, f0_min)
    first = (hops - len(centres) + 1) // 2
    return PitchGrid(sample_rate, hop, int(centres[0]) - first * hop, first)


class PraatStream:
    """Samples in, f0 of the frames that can be known out."""

    def __init__(self, grid: PitchGrid, config: PraatConfig) -> None:
        self.grid = grid
        self.config = replace(config, f0_max=min(config.f0_max, grid.sample_rate / 2))
        self.reset()

    @property
    def lookahead_frames(self) -> int:
        """Frames after a frame that its candidates hear."""
        return max((self.grid.offset + self._reach) // self.grid.hop, 0)

    def reset(self) -> None:
        """Forgets everything heard."""
        self._path = BestPath(self.config, self.grid.sample_rate, self.grid.hop)
        self._reach = max(self._path.plan.half, self._path.plan.period)
        before = max(self._reach - self.grid.offset, 0)
        self._heard = np.zeros(before)  # from sample _start on
        self._start = -before
        self._base = self._committed = self._known = 0  # frames: the path's first, ...
        self._loudest = 0.0

    def push(self, wave: NDArray[np.float32], until: int) -> Array:
        """The next samples (T,) -> f0 in Hz, 0 where unvoiced, of the frames that are known and
        were not committed before. Those before `until` are committed now, on silence if need be.
        """
        self._heard = np.concatenate([self._heard, wave.astype(np.float64)])
        fading = 0.5 ** (len(wave) / (_HALVING_SECONDS * self.grid.sample_rate))
        self._loudest = max(self._loudest * fading, float(np.abs(wave).max(initial=0.0)))
        stop = self._start + len(self._heard)
        covered = (stop - 1 - self._reach - self.grid.offset) // self.grid.hop + 1
        self._hear(max(covered, until, self._known))
        found = self._path.best()[self._committed - self._base :]
        self._committed = max(until, self._committed)
        done = min(self._committed, self._known - 1)  # the path goes on from the newest frame
        self._path.forget(max(done - self._base, 0))
        self._base = max(done, self._base)
        return found

    def _hear(self, until: int) -> None:
        """The candidates of the frames before `until`."""
        hop, offset = self.grid.hop, self.grid.offset
        frames = np.arange(self._known, until)
        heard = frames[frames >= self.grid.first] if self._loudest else frames[:0]
        self._path.silence(len(frames) - len(heard))
        centres = heard * hop + offset - self._start
        if len(centres):
            missing = int(centres[-1]) + self._reach + 1 - len(self._heard)
            samples = np.pad(self._heard, (0, max(missing, 0)))
            self._path.extend(samples, centres, self._loudest)
        self._known = until
        dropped = max(until * hop + offset - self._reach - self._start, 0)
        self._heard, self._start = self._heard[dropped:], self._start + dropped
