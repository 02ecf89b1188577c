"""What a device plays: a ring's samples on all channels, with fades where the ring runs dry.

A fade to silence begins at the last sample played, one back to sound at zero; both take `fade`
samples. Nothing is played twice. Used by one thread, a device's; every counter is its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.backend import AudioBlock
from realtime.ring import RingBuffer


class Player:
    """played, silent: samples asked for, and those that were silence for want of sound.

    xruns: stretches of such silence. muted: from now on it fades to silence and counts no xrun.
    """

    def __init__(self, ring: RingBuffer, block: int, fade: int) -> None:
        self.ring = ring
        self.muted = False
        self.played = self.silent = self.xruns = 0
        self._fade = fade
        self._rise = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        self._fall = 1 - self._rise
        self._risen = fade  # how far the fade to sound has come
        self._fallen = fade  # and the one to silence
        self._from = 0.0  # where the latter began
        self._last = 0.0
        self._starving = False
        self._scratch = np.zeros(max(block, 1), np.float32)

    def play(self, outdata: AudioBlock) -> None:
        """Fills (T, C)."""
        for at in range(0, len(outdata), len(self._scratch)):
            part = outdata[at : at + len(self._scratch)]
            mono = self._scratch[: len(part)]
            self._fill(mono)
            part[:] = mono[:, None]
        self.played += len(outdata)

    def _fill(self, mono: NDArray[np.float32]) -> None:
        got = 0 if self.muted else self.ring.read(mono)
        mono[got:] = 0
        if got and self._starving:
            self._starving = False
            self._risen = 0
        count = min(got, self._fade - self._risen)
        mono[:count] *= self._rise[self._risen : self._risen + count]
        self._risen += count
        self._decay(mono)
        if got:
            self._last = float(mono[got - 1])
        if got < len(mono):
            self._starve(mono[got:])

    def _starve(self, silence: NDArray[np.float32]) -> None:
        if not self._starving:
            self._starving = True
            self.xruns += not self.muted
            self._from, self._fallen = self._last, 0
            self._decay(silence)
        if not self.muted:
            self.silent += len(silence)

    def _decay(self, mono: NDArray[np.float32]) -> None:
        """Adds what is left of the fade to silence."""
        count = min(len(mono), self._fade - self._fallen)
        if count > 0:
            mono[:count] += self._from * self._fall[self._fallen : self._fallen + count]
            self._fallen += count
