"""A resampler exact across blocks, which lags by a known length. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from core.errors import unknown_name

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class ResamplerQuality:
    """passband: flat share of the lower Nyquist frequency; rejection above that, in dB."""

    passband: float
    rejection: float


RESAMPLER_QUALITIES: dict[str, ResamplerQuality] = {
    "live": ResamplerQuality(0.85, 90.0),  # 48 <-> 44.1 kHz: 0.9 ms, flat to 18.7 kHz
    "high": ResamplerQuality(0.95, 120.0),  # 48 <-> 44.1 kHz: 3.6 ms, flat to 20.9 kHz
}


class Resampler:
    """A polyphase windowed-sinc resampler that carries its history from push to push.

    Output sample m is the input at m * rate_in / rate_out: nothing is shifted in time. It leaves
    with the push that brings the input `delay` samples past that place, so a live stream lags by
    exactly `delay` input samples. Bit-identical for any cutting into blocks; `push` then `flush`
    give round(n * rate_out / rate_in) samples in all.

    Why not soxr: its stream emits in bursts. Fed 10 ms blocks from 48 to 44.1 kHz its output lagged
    by up to 19 ms (HQ; LQ 10 ms), from 44.1 to 48 kHz by 21 ms; this one lags by 0.9 ms ("live").

    `phase` puts output m at (m * down + phase) / up input samples (up / down = rate_out / rate_in),
    so that a session can make the round trip through two rates a whole number of samples long.
    """

    _TILE = 2048  # outputs at once: the gathered windows stay in the cache

    def __init__(self, rate_in: int, rate_out: int, quality: str = "high", phase: int = 0) -> None:
        if quality not in RESAMPLER_QUALITIES:
            raise unknown_name("resampler quality", quality, RESAMPLER_QUALITIES)
        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"sample rates must be positive, got {rate_in} and {rate_out}")
        divisor = gcd(rate_in, rate_out)
        self.rate_in, self.rate_out = rate_in, rate_out
        self.up, self.down = rate_out // divisor, rate_in // divisor
        self.phase = phase
        self._identity = self.up == self.down and phase == 0
        self.delay = 0 if self._identity else _half_width(rate_in, rate_out, quality)
        if not self._identity:
            self._bank = _polyphase_bank(self.up, rate_in, rate_out, quality)
        self.reset()

    def reset(self) -> None:
        """Forgets everything; the next push is the first."""
        self._pushed = 0
        self._emitted = 0
        self._start = 1 - self.delay  # absolute input index of self._tail[0]; zeros before index 0
        self._tail = np.zeros(max(0, self.delay - 1), np.float32)

    def ready(self, pushed: int) -> int:
        """How many output samples have left once `pushed` input samples came in."""
        if self._identity:
            return pushed
        return max(0, -((self.phase - (pushed - self.delay) * self.up) // self.down))

    def needed(self, count: int) -> int:
        """How many input samples must have come in for `count` output samples to have left."""
        if self._identity or count <= 0:
            return max(0, count)
        return self.delay + ((count - 1) * self.down + self.phase) // self.up + 1

    def push(self, wave: Wave) -> Wave:
        """The next input samples (T,) -> the outputs they complete; `ready` foretells how many."""
        self._pushed += len(wave)
        if self._identity:
            return wave.astype(np.float32, copy=True)
        return self._emit(wave, self.ready(self._pushed))

    def flush(self) -> Wave:
        """The outputs still owed, as if silence followed; then `reset`."""
        if self._identity:
            self.reset()
            return np.zeros(0, np.float32)
        total = (2 * self._pushed * self.up + self.down) // (2 * self.down)
        silence = np.zeros(self.delay + ceil(self.down / self.up), np.float32)
        rest = self._emit(silence, max(total, self._emitted))
        self.reset()
        return rest

    def _emit(self, wave: Wave, until: int) -> Wave:
        """Computes outputs [emitted, until) from the kept tail and `wave`."""
        buffer = np.concatenate([self._tail, wave.astype(np.float32, copy=False)])
        out = np.empty(until - self._emitted, np.float32)
        width = self._bank.shape[1]
        if len(out):
            windows = np.lib.stride_tricks.sliding_window_view(buffer, width)
            for at in range(0, len(out), self._TILE):
                stop = min(at + self._TILE, len(out))
                place = np.arange(self._emitted + at, self._emitted + stop) * self.down + self.phase
                first = place // self.up + 1 - self.delay - self._start  # (n,) rows of `windows`
                taps = self._bank[place % self.up]  # (n, width)
                np.einsum("nw,nw->n", windows[first], taps, out=out[at:stop])
        self._emitted = until
        needed = (
            (until * self.down + self.phase) // self.up + 1 - self.delay
        )  # first index still wanted
        keep = min(max(0, needed - self._start), len(buffer))
        self._tail = buffer[keep:].copy()
        self._start += keep
        return out


def resample(wave: Wave, rate_in: int, rate_out: int, quality: str = "high") -> Wave:
    """A whole wave (T,) at another rate: round(T * rate_out / rate_in) samples, not shifted."""
    resampler = Resampler(rate_in, rate_out, quality)
    return np.concatenate([resampler.push(wave), resampler.flush()])


def _half_width(rate_in: int, rate_out: int, quality: str) -> int:
    """One-sided length of the kernel in input samples, by Kaiser's formula for the transition."""
    spec = RESAMPLER_QUALITIES[quality]
    nyquist = min(rate_in, rate_out) / 2
    transition = 2 * np.pi * nyquist * (1 - spec.passband) / rate_in  # radians per input sample
    return ceil((spec.rejection - 7.95) / (2.285 * transition) / 2) + 1


@lru_cache(maxsize=4)  # a folder's files are of few rates; a bank costs as much as seconds of sound
def _polyphase_bank(up: int, rate_in: int, rate_out: int, quality: str) -> Wave:
    """(up, 2 * half): row p weighs inputs n - half + 1 ... n + half for the place n + p / up.

    Each row sums to 1, so that a constant stays constant. Shared by all resamplers: read only.
    """
    spec = RESAMPLER_QUALITIES[quality]
    half = _half_width(rate_in, rate_out, quality)
    cutoff = (
        min(1.0, rate_out / rate_in) * (1 + spec.passband) / 2
    )  # middle of the transition, of Nyquist
    beta = 0.1102 * (spec.rejection - 8.7)  # Kaiser, for more than 50 dB
    offsets = np.arange(1 - half, half + 1)
    bank = np.empty((up, 2 * half), np.float32)
    for p in range(up):
        t = p / up - offsets
        window = np.i0(beta * np.sqrt(np.maximum(0.0, 1 - (t / half) ** 2)))
        row = np.sinc(cutoff * t) * window
        bank[p] = row / row.sum()
    bank.setflags(write=False)
    return bank
