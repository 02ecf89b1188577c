"""Pitch from the autocorrelation of a window divided by the window's own (Boersma 1993), online.

P. Boersma: Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise
ratio of a sampled sound. Proceedings of the Institute of Phonetic Sciences 17, Amsterdam, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0.peaks import strongest_peaks
from core.f0.tracked import Candidates, Tracked, analysis_rate
from core.f0.tracker import TrackerConfig


@dataclass(frozen=True)
class AutocorrelationConfig:
    """periods: of the lowest pitch in a window. octave_cost: strength an octave lower must gain.

    upsampling: points of the curve a sample. candidates: kept a frame.
    """

    periods: float = 3.0
    octave_cost: float = 0.02
    upsampling: int = 1
    candidates: int = 6


class AutocorrelationAnalysis:
    """r(lag) = rx(lag) / rw(lag), both normalised to 1 at lag 0; peaks of r are candidates."""

    def __init__(self, rate: float, config: F0Config, settings: AutocorrelationConfig) -> None:
        half = int(np.ceil(0.5 * settings.periods * rate / config.f0_min))
        self.past = self.future = half
        self.candidates = settings.candidates
        self._rate = rate * settings.upsampling
        self._first = int(self._rate / config.f0_max)
        lags = int(np.ceil(self._rate / config.f0_min)) + 2
        self._window = np.hanning(2 * half + 2)[1:-1]
        self._n_fft = 1 << (2 * half + lags // settings.upsampling).bit_length()
        self._n_out = self._n_fft * settings.upsampling
        self._lags = lags
        own = self._correlate(self._window[None])[0]
        self._own = own / own[0]
        lag_seconds = np.maximum(np.arange(lags), 1) / self._rate
        self._bonus = -settings.octave_cost * np.log2(config.f0_max * lag_seconds)

    def __call__(self, windows: NDArray[np.float64]) -> Candidates:
        """windows: (n, past + future) -> f0 (n, K) in Hz, strength (n, K), peak amplitude (n,)."""
        centred = windows - windows.mean(axis=1, keepdims=True)
        r = self._correlate(centred * self._window)
        r /= np.maximum(r[:, :1], 1e-12) * self._own
        lag, strength = strongest_peaks(r, self._bonus, self._first, self.candidates)
        return self._rate / lag, strength, np.abs(centred).max(axis=1)

    def _correlate(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(windows, self._n_fft)
        power = spectrum.real**2 + spectrum.imag**2
        # a longer inverse transform interpolates the curve between samples
        curve: NDArray[np.float64] = np.fft.irfft(power, self._n_out)[:, : self._lags]
        return curve


class Autocorrelation(Tracked):
    """See F0Estimator."""

    def __init__(
        self,
        audio: AudioConfig,
        config: F0Config,
        settings: AutocorrelationConfig | None = None,
        tracker: TrackerConfig | None = None,
    ) -> None:
        settings = settings or AutocorrelationConfig()
        analysis = AutocorrelationAnalysis(analysis_rate(audio), config, settings)
        super().__init__(audio, analysis, tracker or TrackerConfig())
