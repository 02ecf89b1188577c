"""Two clocks that drift apart: how far they are, and the resampler that holds the output cushion.

Crystals differ by up to some 100 ppm, so two devices at "48 kHz" part by a block in some minutes. A
`ClockFollower` hears how late the output is and asks for a little more or less sound; a `Stretcher`
makes it. The pitch moves by less than a cent (577 ppm), as the correction is bounded to LIMIT.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 450e-6  # 0.78 cent: the largest correction
BANDWIDTH = 0.06  # radians a second: a drift that sets in is followed within a minute
SMOOTHING_SECONDS = 4.0  # of callbacks that come early and late
JUMP_SECONDS = 0.1  # a gap that moves by more has lost or doubled sound: no jitter to smooth


class ClockFollower:
    """A second-order loop from lateness to correction. Gaps and lateness in samples."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._gap: float | None = None
        self._drift = 0.0  # what has been learnt of it

    @property
    def ppm(self) -> float:
        """How much slower the input's clock is found to be than the output's, in 1e-6."""
        return 1e6 * self._drift

    def smooth(self, gap: float, seconds: float) -> float:
        """The gap between the clocks without its jitter. seconds: since the last one."""
        jump = JUMP_SECONDS * self._rate
        if self._gap is None or abs(gap - self._gap) > jump:
            self._gap = gap
        self._gap += (gap - self._gap) * -math.expm1(-seconds / SMOOTHING_SECONDS)
        return self._gap

    def steer(self, late: float, seconds: float) -> float:
        """Share of sound to make beyond what comes, within +-LIMIT; negative: less.

        late: samples the output lags beyond what is declared; negative: the cushion is eaten.
        """
        push = -2 * BANDWIDTH * late / self._rate
        wanted = push + self._drift
        if abs(wanted) < LIMIT:  # a bound that is reached teaches nothing
            step = BANDWIDTH**2 * late / self._rate * seconds
            self._drift = min(max(self._drift - step, -LIMIT), LIMIT)
        return min(max(wanted, -LIMIT), LIMIT)


class Stretcher:
    """Resamples by 1 + share, share a few hundred ppm that may change with every push.

    A windowed sinc over 2 * DELAY samples, its rows interpolated. Output lags by exactly DELAY
    samples; while share is 0 from the start it gives back what it got, bit for bit.
    """

    DELAY = 16
    _PHASES = 256
    _BETA = 8.0  # Kaiser: 80 dB

    def __init__(self) -> None:
        self._bank = self._sinc_bank()
        self._tail = np.zeros(2 * self.DELAY - 1, np.float32)
        self._place = 0.0  # of the next output, in samples after the first it could be made from
        self.surplus = 0  # samples made beyond those taken

    def push(self, wave: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        """(T,) -> about T * (1 + share) samples."""
        if not len(wave):
            return wave
        buffer = np.concatenate([self._tail, wave])
        step = 1.0 / (1.0 + share)
        end = len(wave)  # of places that have all their samples
        count = max(0, math.ceil((end - self._place) / step))
        places = self._place + step * np.arange(count)
        count = int(np.searchsorted(places, end))  # rounding may have made one too many
        out = self._at(buffer, places[:count])
        self._place += step * count - end
        self._tail = buffer[len(wave) :].copy()
        self.surplus += count - len(wave)
        return out

    def _at(
        self, buffer: NDArray[np.float32], places: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """The buffer at DELAY - 1 + places."""
        whole = np.floor(places).astype(np.intp)
        phase = (places - whole) * self._PHASES
        row = np.floor(phase).astype(np.intp)
        blend = (phase - row).astype(np.float32)[:, None]
        taps = self._bank[row] * (1 - blend) + self._bank[row + 1] * blend  # (n, 2 * DELAY)
        windows = np.lib.stride_tricks.sliding_window_view(buffer, 2 * self.DELAY)
        out: NDArray[np.float32] = np.einsum("nw,nw->n", windows[whole], taps)
        return out

    @classmethod
    def _sinc_bank(cls) -> NDArray[np.float32]:
        """(phases + 1, 2 * DELAY): row p weighs samples for the place p / phases after DELAY - 1.

        Its cutoff is the Nyquist frequency, so that row 0 is a plain delay.
        """
        offsets = np.arange(1 - cls.DELAY, cls.DELAY + 1)
        t = np.linspace(0, 1, cls._PHASES + 1)[:, None] - offsets
        window = np.i0(cls._BETA * np.sqrt(np.maximum(0.0, 1 - (t / cls.DELAY) ** 2)))
        bank = np.sinc(t) * window / np.i0(cls._BETA)
        bank[0], bank[-1] = offsets == 0, offsets == 1
        bank /= bank.sum(1, keepdims=True)  # a constant stays constant
        return bank.astype(np.float32)
