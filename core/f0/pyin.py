"""Probabilistic YIN through librosa: the baseline. Its Viterbi pass sees the whole window."""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0.windowed import Windowed, on_grid


class Pyin(Windowed):
    """See F0Estimator."""

    def __init__(self, audio: AudioConfig, config: F0Config, lookahead_frames: int = 4) -> None:
        super().__init__(audio, config, lookahead_frames)
        self._config = config
        # two periods of the lowest pitch, as a power of two
        self._frame_length = 1 << int(2 * audio.sample_rate / config.f0_min).bit_length()

    def _estimate(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        padded, frames = on_grid(wave, self._audio.hop_length)
        f0, voiced, _ = librosa.pyin(
            padded,
            fmin=self._config.f0_min,
            fmax=self._config.f0_max,
            sr=self._audio.sample_rate,
            frame_length=self._frame_length,
            hop_length=self._audio.hop_length,
            fill_na=None,
        )
        return f0[1 : frames + 1], voiced[1 : frames + 1]
