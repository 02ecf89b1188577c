"""Processors of the app's own: a level check and a tone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]


class Silence:
    """Plays nothing: to see what a microphone hears."""

    latency = 0

    def __init__(self, sample_rate: int = 44_100, block: int = 1024) -> None:
        self.sample_rate, self.block = sample_rate, block

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        return np.zeros_like(block)

    def reset(self) -> None:
        """See BlockProcessor."""


class Tone(Silence):
    """A soft 440 Hz with a slow beat, to hear where the sound goes."""

    def __init__(self, sample_rate: int = 44_100, block: int = 1024) -> None:
        super().__init__(sample_rate, block)
        self._at = 0

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        t = (self._at + np.arange(len(block))) / self.sample_rate
        self._at += len(block)
        beat = 0.5 - 0.5 * np.cos(2 * np.pi * 2 * t)
        return (0.1 * beat * np.sin(2 * np.pi * 440 * t)).astype(np.float32)

    def reset(self) -> None:
        """See BlockProcessor."""
        self._at = 0
