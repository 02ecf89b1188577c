"""SOLA: splicing overlapping renderings of one wave where they agree best; the last resort.

tail of the last push        |~~~~|
this rendering          |....|~~~~|===============|~~~~|....|
                         lag   fade                tail  search - lag
output of this push          |---- block ---------|
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError

Wave = NDArray[np.float32]

# Mean square under which there is nothing to align: -100 dB relative to full scale.
_SILENCE = 1e-10
# Correlations this close count as equal, so that rounding never decides between periods.
_TIE = 1e-6


def crossfade(a: Wave, b: Wave) -> Wave:
    """From a to b over their last axis with cos^2 and sin^2 gains, which add up to one.

    a, b: the same shape (..., n). Equal gain is right for aligned, hence correlated, signals.
    """
    n = a.shape[-1]
    rise = np.sin((np.arange(n) + 0.5) * (np.pi / (2 * max(n, 1)))) ** 2
    faded: Wave = (a + (b - a) * rise).astype(np.float32)
    return faded


class Sola:
    """Joins renderings that overlap by `crossfade + search` samples into one wave.

    crossfade: length of the fade. search: largest lag tried, at least a period of the lowest voice.
    """

    def __init__(self, crossfade: int, search: int) -> None:
        if crossfade < 1 or search < 0:
            raise ConfigError(
                "a splice needs a crossfade of at least 1 sample and a search of 0 or more,"
                f" got {crossfade} and {search}"
            )
        self.crossfade, self.search = crossfade, search
        self.lag = 0
        """Samples of the last rendering that were skipped to align it, 0 to `search`."""
        self._tail: Wave | None = None

    @property
    def overlap(self) -> int:
        """Samples that a rendering must reach past its block; also the latency of the splice."""
        return self.crossfade + self.search

    def push(self, rendering: Wave) -> Wave:
        """rendering: (block + crossfade + search,), a block after the last one -> (block,).

        The wave comes out as rendered but for the splice, and `lag` samples early.
        """
        block = len(rendering) - self.overlap
        if rendering.ndim != 1 or block < 1:
            raise ConfigError(
                f"expected a rendering of more than {self.overlap} samples (crossfade"
                f" {self.crossfade} + search {self.search}), got shape {rendering.shape}"
            )
        self.lag = 0 if self._tail is None else best_lag(self._tail, rendering[: self.overlap])
        piece = rendering[self.lag : self.lag + block + self.crossfade].astype(np.float32)
        if self._tail is not None:
            piece[: self.crossfade] = crossfade(self._tail, piece[: self.crossfade])
        self._tail = piece[block:].copy()
        return piece[:block]

    def reset(self) -> None:
        """Back to the start of a stream: the next rendering is not spliced."""
        self._tail = None
        self.lag = 0


def best_lag(tail: Wave, region: Wave) -> int:
    """Where in `region` the shape of `tail` recurs: the lag of the largest correlation coefficient.

    Means are removed, so a DC offset does not count as likeness. Where either side is silent, or
    nothing correlates, the lag is 0; among equals it is the smallest.
    tail: (n,), region: (n + search,).
    """
    n = len(tail)
    shape = tail.astype(np.float64)
    shape -= shape.mean()
    power = float(shape @ shape)
    if power <= _SILENCE * n:
        return 0
    wave = region.astype(np.float64)
    wave -= wave.mean()
    sums = _moving_sum(wave, n)
    powers = _moving_sum(wave**2, n) - sums**2 / n
    products = np.correlate(wave, shape, mode="valid")
    heard = powers > _SILENCE * n
    scores = np.where(heard, products / np.sqrt(power * np.where(heard, powers, 1.0)), 0.0)
    best = float(scores.max())
    return int(np.argmax(scores >= best - _TIE)) if best > 0.0 else 0


def _moving_sum(x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(x)])
    sums: NDArray[np.float64] = total[n:] - total[:-n]
    return sums
