"""f0 by the autocorrelation method of Praat, as diff-svc voices were trained to hear it.

Boersma 1993, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise
ratio of a sampled sound", with the defaults of Praat's manual (Sound: To Pitch (ac)): windows of
three periods, lags interpolated by a windowed sinc, one path through all candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PERIODS = 3
_SILENCE = 0.03
_OCTAVE_COST = 0.01
_OCTAVE_JUMP_COST = 0.35
_VOICING_COST = 0.14
_CANDIDATES = 15
_COST_STEP = 0.01  # seconds: costs of transitions are given for steps of this length
_FIRST_DEPTH, _LAST_DEPTH = 30, 70  # samples each side of the sinc, first guess and refined
_DEGREE = 11  # of the curve between two samples
_NEWTON = 4
_TILE = 64  # frames at once


@dataclass(frozen=True)
class PraatConfig:
    """Frequencies in Hz; voicing: strength under which a frame is unvoiced."""

    f0_min: float
    f0_max: float
    voicing: float = 0.6


class Lengths(NamedTuple):
    """Lengths in samples: one period of f0_min, the window's half, the longest lag, the FFT."""

    period: int
    half: int
    longest_lag: int
    kept_lags: int
    n_fft: int


def praat_f0(
    wave: NDArray[np.float32], sample_rate: int, hop: int, frames: int, config: PraatConfig
) -> Array:
    """wave (T,) -> f0 in Hz on a grid of `frames` frames, 0 where unvoiced or not known.

    Praat centres its frames in the wave and has fewer of them; zeros fill both sides.
    """
    found = praat_pitch(wave, sample_rate, hop, config)
    left = max((len(wave) // hop - len(found) + 1) // 2, 0)
    right = max(frames - left - len(found), 0)
    return np.pad(found, (left, right))[:frames]


def praat_pitch(
    wave: NDArray[np.float32], sample_rate: int, hop: int, config: PraatConfig
) -> Array:
    """wave (T,) -> f0 in Hz of Praat's own frames, 0 where unvoiced; none where it is too short."""
    config = PraatConfig(config.f0_min, min(config.f0_max, sample_rate / 2), config.voicing)
    plan = lengths(sample_rate, config.f0_min)
    x = wave.astype(np.float64)
    centres = frame_centres(len(x), sample_rate, hop, config.f0_min)
    if plan.half < 2 or not len(centres):
        return np.zeros(0)
    loudest = float(np.abs(x - x.mean()).max())
    if loudest == 0:
        return np.zeros(len(centres))
    path = BestPath(config, sample_rate, hop)
    path.extend(x, centres, loudest)
    return path.best()


def lengths(sample_rate: int, f0_min: float) -> Lengths:
    period = int(sample_rate / f0_min)
    half = int(_PERIODS / f0_min * sample_rate) // 2 - 1
    window = 2 * half
    longest = min(window // _PERIODS + 2, window)
    n_fft = 1
    while n_fft < window * 1.5:
        n_fft *= 2
    return Lengths(period, half, longest, window // 2, n_fft)


def frame_centres(samples: int, sample_rate: int, hop: int, f0_min: float) -> NDArray[np.int64]:
    """The last sample not after each frame's middle; frames lie evenly around the wave's.

    In seconds and in Praat's order: where a middle falls on a sample, rounding decides.
    """
    period = 1.0 / sample_rate
    duration, step, window = period * samples, hop / sample_rate * 1000 / 1000, _PERIODS / f0_min
    if duration < window:
        return np.zeros(0, np.int64)
    count = int((duration - window) / step) + 1
    first = 0.5 * duration - 0.5 * (count * step) + 0.5 * step
    times = first + np.arange(count) * step
    places: NDArray[np.int64] = np.floor((times - 0.5 * period) / period + 1).astype(np.int64)
    return places - 1


def _correlate(
    x: Array, centres: NDArray[np.int64], plan: Lengths, loudest: float
) -> tuple[Array, Array]:
    """-> normalised autocorrelation (frames, kept_lags + 1) and intensity (frames,) in [0, 1]."""
    half, period = plan.half, plan.period
    around = x[centres[:, None] + np.arange(1 - period, period + 1)]
    inside = x[centres[:, None] + np.arange(1 - half, half + 1)]
    window, own = _window(plan)
    framed = (inside - around.mean(1, keepdims=True)) * window
    reach = period // 2 + 1
    middle = slice(max(half - reach, 0), half + reach)
    intensity = np.minimum(np.abs(framed[:, middle]).max(1) / loudest, 1.0)
    raw = _autocorrelation(framed, plan)
    heard = np.where(raw[:, :1] > 0, raw[:, :1], 1.0)
    return raw / heard * (own[:, :1] / own), intensity


@lru_cache(maxsize=2)
def _window(plan: Lengths) -> tuple[Array, Array]:
    """What frames are heard through (2 * half,), and its autocorrelation (1, kept_lags + 1)."""
    places = np.arange(1, 2 * plan.half + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * places / (2 * plan.half + 1))
    return window, _autocorrelation(window[None], plan)


def _autocorrelation(framed: Array, plan: Lengths) -> Array:
    power = np.abs(np.fft.rfft(framed, plan.n_fft)) ** 2
    lags: Array = np.fft.irfft(power)[:, : plan.kept_lags + 1]
    return lags


def _candidates(
    r: Array,
    sounding: NDArray[np.bool_],
    sample_rate: int,
    plan: Lengths,
    config: PraatConfig,
) -> tuple[NDArray[np.int64], Array, Array]:
    """r (frames, lags) -> the voiced candidates in order: frame, frequency (Hz) and strength."""
    stop = min(plan.longest_lag, plan.kept_lags)
    here, before, after = r[:, 2:stop], r[:, 1 : stop - 1], r[:, 3 : stop + 1]
    peak = (here > 0.5 * config.voicing) & (here > before) & (here >= after)
    frames, lags = np.nonzero(peak & sounding[:, None])
    lags += 2
    both = np.concatenate([r[:, :0:-1], r], axis=1)  # from lag -kept_lags on
    most = max(_CANDIDATES, int(config.f0_max / config.f0_min)) - 1
    kept = np.ones(len(frames), bool)
    for frame in np.flatnonzero(np.bincount(frames, minlength=1) > most):
        own = np.flatnonzero(frames == frame)
        kept[own] = _strongest(lags[own], both[frame], plan, sample_rate, config, most)
    frames, lags = frames[kept], lags[kept]
    places, strengths = _refine(both, frames, lags + plan.kept_lags)
    return frames, sample_rate / (places - plan.kept_lags), _folded(strengths)


def _strongest(
    lags: NDArray[np.int64],
    both: Array,
    plan: Lengths,
    sample_rate: int,
    config: PraatConfig,
    most: int,
) -> NDArray[np.bool_]:
    """Which of a frame's peaks are the most promising, by a first guess."""
    at = lags + plan.kept_lags
    slope = 0.5 * (both[at + 1] - both[at - 1])
    bend = 2 * both[at] - both[at - 1] - both[at + 1]
    places = at + slope / bend
    rows = np.zeros(len(lags), np.int64)
    strengths = _folded(_interpolate(both[None], rows, places[:, None], _FIRST_DEPTH)[:, 0])
    frequency = sample_rate / (places - plan.kept_lags)
    local = strengths - _OCTAVE_COST * np.log2(config.f0_min / frequency)
    chosen = np.zeros(len(lags), bool)
    chosen[np.argsort(-local, kind="stable")[:most]] = True
    return chosen


def _folded(strength: Array) -> Array:
    """A correlation above 1 is as unlikely as its inverse."""
    return np.where(strength > 1, 1 / np.maximum(strength, 1e-300), strength)


def _refine(y: Array, rows: NDArray[np.int64], peaks: NDArray[np.int64]) -> tuple[Array, Array]:
    """Where the interpolated curve of a row of y is highest near each peak, and how high.

    Between two samples that curve is a polynomial but for 1e-10: one product with constant weights
    finds its coefficients, Newton's steps its highest place.
    """
    left = np.stack([peaks - 1, peaks])  # of the intervals on both sides, (2, n)
    reach = np.minimum(np.minimum(_LAST_DEPTH, left + 1), y.shape[1] - 1 - left)
    poly = np.empty((*left.shape, _DEGREE + 1))
    for depth in np.unique(reach):
        side, here = np.nonzero(reach == depth)
        windows = np.lib.stride_tricks.sliding_window_view(y, 2 * depth, axis=1)
        heard = windows[rows[here], left[side, here] + 1 - depth]
        poly[side, here] = heard @ _between(int(depth))
    grid = np.linspace(-1.0, 1.0, 9)
    t = grid[(poly @ _powers(grid).T).argmax(-1)]
    slope: Array = poly[..., 1:] * np.arange(1.0, _DEGREE + 1)
    bend: Array = slope[..., 1:] * np.arange(1.0, _DEGREE)
    for _ in range(_NEWTON):
        down = np.minimum(_value(bend, t), -1e-9)  # a peak's bend: elsewhere uphill to the bound
        t = np.clip(t - np.clip(_value(slope, t) / down, -0.25, 0.25), -1.0, 1.0)
    high = _value(poly, t)
    side, every = high.argmax(0), np.arange(len(peaks))
    return (left + 0.5 + 0.5 * t)[side, every], high[side, every]


@lru_cache(maxsize=2 * _LAST_DEPTH)
def _between(depth: int) -> Array:
    """Weights (2 * depth, _DEGREE + 1) of samples around an interval: to the coefficients of its
    interpolated curve in t from -1, the left one, to 1. Taken at Chebyshev's places.
    """
    count = _DEGREE + 1
    t = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    weights = _sinc(0.5 + 0.5 * t[None], np.full((1, count), depth), depth)[0]
    return np.linalg.solve(_powers(t), weights).T.copy()


def _powers(t: Array) -> Array:
    """t (k,) -> (k, _DEGREE + 1)."""
    return np.vander(t, _DEGREE + 1, increasing=True)


def _value(poly: Array, t: Array) -> Array:
    """Polynomials (..., degree + 1), the constant first, at t (...)."""
    made = poly[..., -1]
    for power in range(poly.shape[-1] - 2, -1, -1):
        made = made * t + poly[..., power]
    return made


def _interpolate(y: Array, rows: NDArray[np.int64], places: Array, depth: int) -> Array:
    """Rows (n,) of y at broken places (n, k), by a sinc under a raised cosine of `depth` samples.

    The sinc's sine is that of the distance to the left neighbour, with alternating signs.
    """
    left = np.floor(places).astype(np.int64)
    away = places - left
    reach = np.minimum(np.minimum(depth, left + 1), y.shape[1] - 1 - left)
    index = np.clip(left[..., None] + np.arange(1 - depth, depth + 1), 0, y.shape[1] - 1)
    heard, weights = y[rows[:, None, None], index], _sinc(away, reach, depth)
    values: Array = np.einsum("nkw,nkw->nk", heard, weights)
    return values


def _sinc(away: Array, reach: NDArray[np.int64], depth: int) -> Array:
    """Weights (n, k, 2 * depth) of the samples around places, each `away` from its left neighbour.

    reach: how many samples each side count, at most `depth`.
    """
    offsets = np.arange(1 - depth, depth + 1)
    away, reach = away[..., None], reach[..., None]
    distance = away - offsets
    whole = distance == 0
    signs = np.where(offsets % 2 == 0, 1.0, -1.0)
    sinc = (np.sin(np.pi * away) / np.pi) * signs / np.where(whole, 1.0, distance)
    width = np.where(offsets <= 0, away, 1 - away) + reach
    taper = 0.5 + 0.5 * np.cos(np.pi * distance / width)
    weights: Array = np.where(whole, 1.0, sinc * taper)
    return weights * ((offsets > -reach) & (offsets <= reach))


class BestPath:
    """The best way through all frames' candidates: strong ones, few jumps."""

    def __init__(self, config: PraatConfig, sample_rate: int, hop: int) -> None:
        cost_scale = _COST_STEP * sample_rate / hop
        self.config, self.sample_rate = config, sample_rate
        self.plan = lengths(sample_rate, config.f0_min)
        self.jump, self.voicing = _OCTAVE_JUMP_COST * cost_scale, _VOICING_COST * cost_scale
        self.frequencies: list[Array] = []
        self.came_from: list[NDArray[np.int64]] = []
        self.score = np.zeros(0)

    def extend(self, x: Array, centres: NDArray[np.int64], loudest: float) -> None:
        """The next frames, around these samples of x. loudest: what intensities are measured by."""
        for start in range(0, len(centres), _TILE):
            r, intensity = _correlate(x, centres[start : start + _TILE], self.plan, loudest)
            frames, frequency, strength = _candidates(
                r, intensity > 0, self.sample_rate, self.plan, self.config
            )
            ends = np.searchsorted(frames, np.arange(1, len(intensity)))
            found = zip(np.split(frequency, ends), np.split(strength, ends), strict=True)
            for loudness, (own, strengths) in zip(intensity.tolist(), found, strict=True):
                self._push(np.append(0.0, own), np.append(0.0, strengths), loudness)

    def silence(self, frames: int) -> None:
        """The next frames, in which there is nothing to hear."""
        for _ in range(frames):
            self._push(np.zeros(1), np.zeros(1), 0.0)

    def _push(self, frequency: Array, strength: Array, intensity: float) -> None:
        config = self.config
        voiced = (frequency > 0) & (frequency < config.f0_max)
        silence = 2 - intensity / (_SILENCE / (1 + config.voicing))
        safe = np.where(voiced, frequency, config.f0_max)
        own = strength - _OCTAVE_COST * np.log2(config.f0_max / safe)
        local = np.where(voiced, own, config.voicing + max(silence, 0.0))
        if self.frequencies:
            before = self.frequencies[-1]
            was = (before > 0) & (before < config.f0_max)
            jumps = np.abs(np.log2(np.where(was, before, 1.0)[:, None] / safe))
            cost = np.where(
                was[:, None] & voiced,
                self.jump * jumps,
                np.where(was[:, None] != voiced, self.voicing, 0.0),
            )
            reached = self.score[:, None] - cost
            self.came_from.append(reached.argmax(0))
            local = local + reached.max(0)
        self.frequencies.append(frequency)
        self.score = local

    def forget(self, count: int) -> None:
        """Drops the first frames: `best` then begins with the one after them."""
        del self.frequencies[:count], self.came_from[:count]

    def best(self) -> Array:
        """f0 of each frame on the best path, 0 where it is unvoiced."""
        chosen = np.zeros(len(self.frequencies))
        if not len(chosen):
            return chosen
        place = int(self.score.argmax())
        for frame in range(len(chosen) - 1, -1, -1):
            f0 = float(self.frequencies[frame][place])
            chosen[frame] = f0 if f0 < self.config.f0_max else 0.0
            place = int(self.came_from[frame - 1][place]) if frame else 0
        return chosen
