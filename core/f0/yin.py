"""Pitch from YIN's cumulative-mean-normalised difference, tracked online.

A. de Cheveigné, H. Kawahara: YIN, a fundamental frequency estimator for speech and music. Journal
of the Acoustical Society of America 111(4), 2002. The tracker replaces its absolute threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0.peaks import strongest_peaks
from core.f0.tracked import Candidates, Tracked, analysis_rate, within
from core.f0.tracker import TrackerConfig


@dataclass(frozen=True)
class YinConfig:
    """integration_seconds: compared at each lag. octave_cost: strength an octave lower must gain.

    upsampling: points of the curve a sample. candidates: kept a frame.
    """

    integration_seconds: float = 0.025
    octave_cost: float = 0.02
    upsampling: int = 1
    candidates: int = 6


class YinAnalysis:
    """d(lag) = sum of (x[t] - x[t + lag])^2 over t; strength 1 - d / mean of d up to lag."""

    def __init__(
        self,
        rate: float,
        config: F0Config,
        settings: YinConfig,
        longest_future: int | None = None,
    ) -> None:
        up = settings.upsampling
        longest = int(np.ceil(rate / config.f0_min)) + 2
        self._width = round(settings.integration_seconds * rate)
        total = self._width + longest
        self.future = total - total // 2
        if longest_future is not None:  # the window moves into the past
            self.future = min(self.future, longest_future)
        self.past = total - self.future
        self.candidates = settings.candidates
        self._up = up
        self._rate = rate * up
        self._first = int(self._rate / config.f0_max)
        self._longest = longest
        self._n_fft = 1 << (total + longest).bit_length()
        lags = np.maximum(np.arange(longest * up), 1)
        self._count = lags.astype(np.float64)
        self._bonus = -settings.octave_cost * np.log2(config.f0_max * lags / self._rate)

    def __call__(self, windows: NDArray[np.float64]) -> Candidates:
        """windows: (n, past + future) -> f0 (n, K) in Hz, strength (n, K), peak amplitude (n,)."""
        centred = windows - windows.mean(axis=1, keepdims=True)
        head = np.fft.rfft(centred[:, : self._width], self._n_fft)
        cross = head.conj() * np.fft.rfft(centred, self._n_fft)
        r = np.fft.irfft(cross, self._n_fft * self._up)[:, : self._longest * self._up] * self._up
        sums = np.cumsum(np.pad(centred**2, ((0, 0), (1, 0))), axis=1)
        energy = sums[:, self._width :] - sums[:, : -self._width]  # (n, longest + 1), by lag
        grid = np.arange(self._longest * self._up) / self._up
        whole = grid.astype(int)
        share = grid - whole
        moved = energy[:, whole] * (1 - share) + energy[:, whole + 1] * share
        d = np.maximum(energy[:, :1] + moved - 2 * r, 0.0)
        d[:, 0] = 0.0
        strength = 1.0 - d * self._count / np.maximum(np.cumsum(d, axis=1), 1e-12)
        strength[:, 0] = 0.0
        strength *= energy[:, :1] > 1e-10
        lag, best = strongest_peaks(
            strength, np.ones_like(self._bonus), self._bonus, self._first, self.candidates
        )
        return self._rate / lag, best, np.abs(centred).max(axis=1)


class Yin(Tracked):
    """See F0Estimator."""

    def __init__(
        self,
        audio: AudioConfig,
        config: F0Config,
        settings: YinConfig | None = None,
        tracker: TrackerConfig | None = None,
    ) -> None:
        tracker = tracker or TrackerConfig(voicing_threshold=0.42)
        tracker, future = within(audio, tracker, config.lookahead_frames)
        analysis = YinAnalysis(analysis_rate(audio), config, settings or YinConfig(), future)
        super().__init__(audio, analysis, tracker)
