"""AutoShift: the pitch shift that brings whoever speaks onto the target's median pitch.

It follows the middle of the speaker's pitch frame by frame, from the past alone, so live and whole
files get the same shift. The middle glides, hardly within a phrase and freely in pauses.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from core.glide import Glide, Speeds

LARGEST_SHIFT = 24.0
"""Semitones, either way."""

_GUESSES = (math.log2(115.0), math.log2(200.0))  # a man's and a woman's middle
_TRUST_SECONDS = 0.6  # of voice, until the guess counts no more
_MEMORY_SECONDS = 20.0  # of voice, the median's
_SPEEDS = Speeds(first=8.0 / 12, last=0.4 / 12, pause=36.0 / 12)  # octaves a second


class AutoShift:
    """Semitones for each frame, at most LARGEST_SHIFT; 0 towards a target of unknown pitch."""

    def __init__(self, medians: Sequence[float], frame_rate: float) -> None:
        """medians: Hz of each speaker of the voice, 0 where unknown."""
        self._medians = tuple(medians)
        self._frame_rate = frame_rate
        self._memory = round(_MEMORY_SECONDS * frame_rate)
        self.reset()

    def reset(self) -> None:
        """Forgets who spoke."""
        self._heard: deque[float] = deque()
        self._sorted: list[float] = []
        self._aim = sum(_GUESSES) / 2
        self._glide = Glide(self._aim, _SPEEDS, self._frame_rate)

    def __call__(self, f0: Tensor, voiced: Tensor, weights: Tensor) -> Tensor:
        """The next frames: f0 in Hz (1, T), voiced (1, T), weights of the speakers (1, S, T), which
        sum to 1 -> semitones (1, T).
        """
        pitches = f0[0].double().log2().tolist()
        centres = [self._follow(p, v) for p, v in zip(pitches, voiced[0].tolist(), strict=True)]
        centre = torch.tensor(centres, dtype=torch.float64)
        return shift_onto(self._medians, weights[0], centre)[None]

    def _follow(self, pitch: float, voiced: bool) -> float:
        """log2 of the middle of the speaker's pitch in Hz, as of this frame."""
        if voiced:
            self._hear(pitch)
        return self._glide.step(self._aim, voiced)

    def _hear(self, pitch: float) -> None:
        self._heard.append(pitch)
        insort(self._sorted, pitch)
        if len(self._heard) > self._memory:
            oldest = self._heard.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        n = len(self._sorted)
        median = (self._sorted[(n - 1) // 2] + self._sorted[n // 2]) / 2
        guess = min(_GUESSES, key=lambda middle: abs(middle - median))
        heard = self._glide.voiced_frames + 1
        trust = min(heard / (_TRUST_SECONDS * self._frame_rate), 1.0)
        self._aim = guess + trust * (median - guess)


def shift_onto(medians: Sequence[float], weights: Tensor, centre: Tensor) -> Tensor:
    """Semitones (T,) that bring a centre, log2 Hz (T,), onto speakers of these medians in Hz.

    weights (S, T): for a mix the target is the weighted geometric mean. A speaker whose median is 0
    is unknown and wants no shift.
    """
    hz = torch.tensor(list(medians), dtype=torch.float64)
    away = torch.where(hz[:, None] > 0, hz.clamp(min=1.0).log2()[:, None] - centre, 0.0)  # (S, T)
    shift = 12 * (weights.double() * away).sum(0)
    return shift.clamp(-LARGEST_SHIFT, LARGEST_SHIFT)
