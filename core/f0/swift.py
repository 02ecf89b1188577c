"""SwiftF0 (MIT, weights in its package), a small network run by onnxruntime. An optional extra."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.errors import ConfigError
from core.f0.windowed import Windowed

SWIFT_RATE = 16_000


class Swift(Windowed):
    """See F0Estimator. threshold: confidence from which a frame is voiced (0.5 by its makers)."""

    def __init__(
        self,
        audio: AudioConfig,
        config: F0Config,
        lookahead_frames: int = 4,
        threshold: float = 0.5,
    ) -> None:
        try:
            from swift_f0 import SwiftF0
        except ImportError:
            raise ConfigError(
                'the f0 estimator "swift" needs the package swift-f0, which is not installed; '
                "install it with: pip install swift-f0"
            ) from None
        super().__init__(audio, config, lookahead_frames)
        self._config = config
        self._threshold = threshold
        self._detector = SwiftF0(threads=1, spin=False)

    def _estimate(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        rate, hop = self._audio.sample_rate, self._audio.hop_length
        frames = self._audio.frames(len(wave))
        padded = np.pad(wave, (0, max(frames * hop - len(wave), rate // 20)))
        heard = soxr.resample(padded, rate, SWIFT_RATE) if rate != SWIFT_RATE else padded
        result = self._detector.detect(heard, SWIFT_RATE, self._config.f0_min, self._config.f0_max)
        centres = (np.arange(frames) * hop + hop / 2) / rate
        nearest = np.abs(result.timestamps[None] - centres[:, None]).argmin(axis=1)
        voiced = result.confidence[nearest] >= self._threshold
        between = np.exp2(np.interp(centres, result.timestamps, np.log2(result.pitch_hz)))
        # across an octave jump the mean of both is neither
        own = result.pitch_hz[nearest]
        f0 = np.where(np.abs(between / own - 1) < 0.06, between, own)
        return f0, voiced
