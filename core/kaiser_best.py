"""The resampler that diff-svc voices were trained with: `kaiser_best` of resampy 0.3 and 0.4.

A Kaiser-windowed sinc read from a table by linear interpolation (J. O. Smith, "Digital Audio
Resampling"), with resampy's published parameters. Its stride through the table is a whole number,
which at odd ratios stretches the filter a little; that is kept. numpy only.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

_ZEROS = 50
_STEPS = 1 << 13  # table entries a zero crossing
_ROLLOFF = 0.917347
_BETA = 12.9846
_TILE = 2048  # outputs at once


def resample_kaiser_best(wave: Wave, rate_in: int, rate_out: int) -> Wave:
    """wave (T,) -> (ceil(T * rate_out / rate_in),), the last sample 0 where it lies half outside.

    Output m is the input at m * rate_in / rate_out. The sums are made in double precision.
    """
    if rate_in == rate_out:
        return wave.astype(np.float32, copy=True)
    divisor = gcd(rate_in, rate_out)
    up, down = rate_out // divisor, rate_in // divisor
    bank, reach = _polyphase_bank(up, down)
    length = ceil(len(wave) * up / down)
    out = np.zeros(length, np.float32)
    padded = np.pad(wave.astype(np.float64), (reach, reach + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, bank.shape[1])
    for start in range(0, len(wave) * up // down, _TILE):
        place = np.arange(start, min(start + _TILE, len(wave) * up // down)) * down
        taps = bank[place % up]
        out[start : start + len(place)] = np.einsum("nw,nw->n", windows[place // up + 1], taps)
    return out


class KaiserStream:
    """`resample_kaiser_best` of a stream: the same samples, each once its filter is covered."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        divisor = gcd(rate_in, rate_out)
        self.up, self.down = rate_out // divisor, rate_in // divisor
        self._same = rate_in == rate_out
        self._bank, self._reach = _polyphase_bank(self.up, self.down)
        self.reset()

    def reset(self) -> None:
        """Forgets everything heard."""
        self._heard = np.zeros(self._reach)  # from sample _start on
        self._start = -self._reach
        self._given = 0

    def push(self, wave: Wave) -> Wave:
        """The next samples (T,) -> those of the output that hear nothing later."""
        if self._same:
            return wave.astype(np.float32, copy=True)
        self._heard = np.concatenate([self._heard, wave.astype(np.float64)])
        stop = self._start + len(self._heard)
        until = max(-(-(stop - self._reach) * self.up // self.down), self._given)
        place = np.arange(self._given, until) * self.down
        windows = np.lib.stride_tricks.sliding_window_view(self._heard, self._bank.shape[1])
        first = place // self.up - self._reach + 1 - self._start
        out = np.empty(len(place))
        for at in range(0, len(place), _TILE):
            part = slice(at, at + _TILE)
            bank = self._bank[place[part] % self.up]
            out[part] = np.einsum("nw,nw->n", windows[first[part]], bank)
        self._given = until
        dropped = max(until * self.down // self.up - self._reach + 1 - self._start, 0)
        self._heard = self._heard[dropped:]
        self._start += dropped
        made: Wave = out.astype(np.float32)
        return made


@lru_cache(maxsize=8)
def _polyphase_bank(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """(up, 2 * reach) weights of inputs n - reach + 1 ... n + reach for the place n + p / up."""
    scale = min(1.0, up / down)
    table = _half_window() * scale
    slopes = np.append(np.diff(table), 0.0)
    stride = int(scale * _STEPS)
    reach = len(table) // stride + 1
    bank = np.zeros((up, 2 * reach))
    for phase in range(up):
        fraction = scale * phase / up
        left = _wing(table, slopes, stride, fraction * _STEPS)
        right = _wing(table, slopes, stride, (scale - fraction) * _STEPS)
        bank[phase, reach - len(left) : reach] = left[::-1]
        bank[phase, reach : reach + len(right)] = right
    return bank, reach


def _wing(
    table: NDArray[np.float64], slopes: NDArray[np.float64], stride: int, place: float
) -> NDArray[np.float64]:
    """Every stride-th value of the table from a broken place on."""
    first = int(place)
    index = first + stride * np.arange((len(table) - first) // stride)
    values: NDArray[np.float64] = table[index] + (place - first) * slopes[index]
    return values


@lru_cache(maxsize=1)
def _half_window() -> NDArray[np.float64]:
    """The right half of the windowed sinc, from its peak to its last zero."""
    t = np.linspace(0.0, 1.0, _ZEROS * _STEPS + 1)
    taper = np.i0(_BETA * np.sqrt(1.0 - t**2)) / np.i0(_BETA)
    half: NDArray[np.float64] = _ROLLOFF * np.sinc(_ROLLOFF * _ZEROS * t) * taper
    return half
