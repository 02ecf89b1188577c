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
from core.f0.tracked import Candidates, Tracked, analysis_rate, within
from core.f0.tracker import TrackerConfig


@dataclass(frozen=True)
class AutocorrelationConfig:
    """periods: of the lowest pitch in a window. octave_cost: strength an octave lower must gain.

    compression: exponent on the power spectrum; under 1 a strong formant or hum counts for less.
    upsampling: points of the curve a sample. candidates: kept a frame.
    """

    periods: float = 2.5
    octave_cost: float = 0.02
    compression: float = 0.85
    upsampling: int = 1
    candidates: int = 6


class AutocorrelationAnalysis:
    """r(lag) = rx(lag) / rw(lag), both 1 at lag 0; the peaks of r are candidates."""

    def __init__(
        self,
        rate: float,
        config: F0Config,
        settings: AutocorrelationConfig,
        longest_future: int | None = None,
    ) -> None:
        half = int(np.ceil(0.5 * settings.periods * rate / config.f0_min))
        self.past = self.future = half
        if longest_future is not None:  # the window falls faster than it rises, its top stays
            self.future = min(half, longest_future)
        self.candidates = settings.candidates
        self._rate = rate * settings.upsampling
        self._first = int(self._rate / config.f0_max)
        lags = int(np.ceil(self._rate / config.f0_min)) + 2
        rise, fall = np.hanning(2 * half + 2)[1:-1], np.hanning(2 * self.future + 2)[1:-1]
        self._window = np.concatenate([rise[:half], fall[self.future :]])
        self._n_fft = 1 << (2 * half + lags // settings.upsampling).bit_length()
        self._n_out = self._n_fft * settings.upsampling
        self._lags = lags
        self._compression = settings.compression
        # A tone's compressed spectrum is the compressed window's, moved: dividing by that puts the
        # peaks where they belong. Their strength is judged as Boersma does, which is stricter with
        # long lags and so keeps octaves apart.
        power = np.abs(np.fft.rfft(self._window, self._n_fft)) ** 2
        own = np.fft.irfft(power**settings.compression, self._n_out)
        plain = np.fft.irfft(power, self._n_out)
        self._own = own[:lags] / own[0]
        self._scale = self._own / (plain[:lags] / plain[0])
        lag_seconds = np.maximum(np.arange(lags), 1) / self._rate
        self._bonus = -settings.octave_cost * np.log2(config.f0_max * lag_seconds)

    def __call__(self, windows: NDArray[np.float64]) -> Candidates:
        """windows: (n, past + future) -> f0 (n, K) in Hz, strength (n, K), peak amplitude (n,)."""
        centred = windows - windows.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(centred * self._window, self._n_fft)
        power = (spectrum.real**2 + spectrum.imag**2) ** self._compression
        # a longer inverse transform interpolates the curve between samples
        r = np.fft.irfft(power, self._n_out)[:, : self._lags]
        r /= np.maximum(r[:, :1], 1e-12) * self._own
        lag, strength = strongest_peaks(r, self._scale, self._bonus, self._first, self.candidates)
        return self._rate / lag, strength, np.abs(centred).max(axis=1)


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
        tracker, future = within(audio, tracker or TrackerConfig(), config.lookahead_frames)
        analysis = AutocorrelationAnalysis(analysis_rate(audio), config, settings, future)
        super().__init__(audio, analysis, tracker)
