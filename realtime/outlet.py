"""From the processor's rate to one output device: resampled, stretched to its clock, put in a ring.

The worker writes, the device's thread plays (`player`). Without a clock of its own to follow (input
and output called in turn) nothing is stretched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.resampler import Resampler
from realtime.clock import ClockFollower, Stretcher
from realtime.player import Player
from realtime.ring import RingBuffer
from realtime.sound import Splice

Wave = NDArray[np.float32]


class Outlet:
    """Lengths in samples of the device. prefill: silence its ring starts with.

    cut: samples thrown away. padded: silence put in, so that the cushion is as declared again.
    """

    def __init__(
        self,
        resampler: Resampler,
        block: int,
        prefill: int,
        capacity: int,
        fade: int,
        follows: bool,
    ) -> None:
        ring = RingBuffer(capacity)
        ring.write(np.zeros(prefill, np.float32))
        self.player = Player(ring, block, fade)
        self.follower = ClockFollower(resampler.rate_out) if follows else None
        self.cut = self.padded = 0
        self._resampler = resampler
        self._stretcher = Stretcher() if follows else None
        self._splice = Splice(fade)
        self._last = 0.0  # sample written

    @property
    def surplus(self) -> int:
        """Samples the device was given beyond those the processor made, less those lost again."""
        stretched = self._stretcher.surplus if self._stretcher else 0
        return stretched + self.padded - self.dropped

    @property
    def dropped(self) -> int:
        """Samples thrown away, for being late or for want of room."""
        return self.cut + self.player.ring.dropped

    def convert(self, wave: Wave, late: float, seconds: float) -> Wave:
        """The processor's next wave -> the device's. late: see `ClockFollower.steer`."""
        made = self._resampler.push(wave)
        if self.follower is None or self._stretcher is None:
            return made
        return self._stretcher.push(made, self.follower.steer(late, seconds))

    def write(self, wave: Wave) -> None:
        """Hands a converted wave to the device, within [-1, 1]: filters may swing beyond."""
        joined = self._splice.join(wave).clip(-1.0, 1.0)
        self.player.ring.write(joined)
        if len(joined):
            self._last = float(joined[-1])

    def drop(self, wave: Wave) -> None:
        """Leaves a converted wave out; the next one fades in from where it would have gone on."""
        self._splice.cut(wave)
        self.cut += len(wave)

    def pad(self, count: int) -> None:
        """Puts in so much silence; what follows fades in."""
        silence = np.zeros(count, np.float32)
        fade = min(count, self._splice.fade)
        silence[:fade] = self._last * np.linspace(1, 0, fade, dtype=np.float32)
        self.padded += self.player.ring.write(silence)
        self._splice.cut(np.zeros(self._splice.fade, np.float32))
        self._last = 0.0


class Monitor:
    """A third device that plays what the output plays, on a clock of its own.

    It keeps its ring at one block and a cushion; where that was lost, silence restores it, and what
    exceeds it by more than a block is dropped.
    """

    def __init__(self, own_rate: int, own_block: int, rate: int, fade_seconds: float) -> None:
        self._seconds = own_block / own_rate
        self._block = -(-own_block * rate // own_rate)
        self._target = 2 * self._block + rate // 50
        self._xruns = 0
        fade = max(1, round(fade_seconds * rate))
        resampler = Resampler(own_rate, rate, "live")
        capacity = self._target + 8 * self._block
        self.outlet = Outlet(resampler, rate // 100, self._target, capacity, fade, follows=True)

    def write(self, wave: Wave) -> None:
        """The processor's next block, at its rate."""
        outlet = self.outlet
        ring, player = outlet.player.ring, outlet.player
        if player.xruns != self._xruns:
            self._xruns = player.xruns
            outlet.pad(max(0, self._target - self._block - ring.available))
        assert outlet.follower is not None
        late = outlet.follower.smooth(ring.available + self._block - self._target, self._seconds)
        made = outlet.convert(wave, late, self._seconds)
        if ring.available + len(made) > self._target + self._block:
            outlet.drop(made)
        else:
            outlet.write(made)
