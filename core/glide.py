"""Glide: a number that follows an aim, hardly within a phrase and freely in pauses."""

from __future__ import annotations

import math
from dataclasses import dataclass

_PAUSE_SECONDS = 0.15  # unvoiced for longer is no consonant
_SPEED_SECONDS = 0.8  # of voice, in which the first speed falls to a third


@dataclass(frozen=True)
class Speeds:
    """In units a second: with the first voice, once the speaker is known, and in pauses."""

    first: float
    last: float
    pause: float


class Glide:
    """Counts voiced frames and pauses, and moves `value` towards an aim a frame at a time."""

    def __init__(self, start: float, speeds: Speeds, frame_rate: float) -> None:
        self.value = start
        self._speeds = speeds
        self._frame_rate = frame_rate
        self.voiced_frames = 0
        self._unvoiced_frames = math.inf

    @property
    def age(self) -> float:
        """Seconds of voice so far."""
        return self.voiced_frames / self._frame_rate

    def step(self, aim: float, voiced: bool) -> float:
        """The value as of this frame."""
        speeds = self._speeds
        if voiced:
            self.voiced_frames += 1
            fall = math.exp(-self.age / _SPEED_SECONDS)
            speed = speeds.last + (speeds.first - speeds.last) * fall
            if self.voiced_frames == 1:  # nothing was heard that this could jump from
                speed = math.inf
            self._unvoiced_frames = 0
        else:
            self._unvoiced_frames += 1
            paused = self._unvoiced_frames > _PAUSE_SECONDS * self._frame_rate
            speed = speeds.pause if paused else 0.0
        most = speed / self._frame_rate
        self.value += min(max(aim - self.value, -most), most)
        return self.value
