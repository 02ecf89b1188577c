"""AutoColour: conversions take on the mean spectrum of the target's own speech.

What is said, in which language and into which microphone colours a conversion: some bands come out
weaker or stronger than the target ever has them. The ratio to the target's mean spectrum is
followed over the speech heard so far, from the past alone, and what is off on average is made up
for. What changes within seconds, which is speech, stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor

from core.config import Speaker
from core.features import Conditions
from core.mel import band_smoothing

Array = NDArray[np.float64]

LARGEST_OFFSET = 8.0
"""dB, either way, of any band."""

SPEECH_DB = 25.0
"""What is further below a speaker's level is no speech."""

_MEMORY_SECONDS = 8.0  # of speech; older counts for a third
_TRUST_SECONDS = 0.5  # of speech just like the target's own, which always count, too
_HIGHEST_PITCH = 1.6  # times the target's median: beyond, it is sung, and its bands are others
_SMOOTH_BANDS = 6  # either side: formants stay, tilts go
_HUSH_DB = 15.0  # below speech, over which a boost fades out: none for the noise of a pause
_NEPERS = math.log(10) / 20


class AutoColour:
    """Nepers by which each band must come out stronger than denoised; 0 towards targets of unknown
    spectrum or level."""

    def __init__(self, speakers: Sequence[Speaker], bands: int, frame_rate: float) -> None:
        known = [s for s in speakers if s.spectrum_db and s.level_db is not None]
        self.known = len(known) == len(speakers)
        if not self.known:
            return
        self._spectra = np.array([s.spectrum_db for s in speakers], dtype=np.float64)
        self._levels = np.array([s.level_db for s in speakers], dtype=np.float64)
        self._medians = np.array([s.f0_median for s in speakers], dtype=np.float64)
        window = np.hanning(2 * _SMOOTH_BANDS + 3)[1:-1]
        self._smooth = band_smoothing(bands, window)
        self._kept = math.exp(-1 / (_MEMORY_SECONDS * frame_rate))
        self._trust = _TRUST_SECONDS * frame_rate
        self.reset()

    def reset(self) -> None:
        """Forgets who spoke."""
        self._sums: dict[int, Array] = {}

    def __call__(self, mel: Tensor, conditions: Conditions) -> Tensor:
        """The next frames: mel (B, M, T), and what the denoiser was told of them -> (B, M, T)."""
        if not self.known:
            return torch.zeros_like(mel)
        tints = [self._tint(i, mel[i].double().numpy(), conditions) for i in range(len(mel))]
        return (_NEPERS * torch.from_numpy(np.stack(tints))).to(mel)

    def _tint(self, i: int, mel: Array, conditions: Conditions) -> Array:
        """Of the batch's voice i, mel (M, T) -> dB (M, T)."""
        weights = conditions.speaker[i].double().numpy()
        own = self._spectra.T @ weights  # (M, T), dB
        level = conditions.loudness[i].double().numpy() - self._levels @ weights
        highest = _HIGHEST_PITCH * (self._medians @ weights)
        sung = conditions.f0[i].double().numpy() > highest  # consonants between the notes, too
        ratio = np.exp(2 * mel - 2 * _NEPERS * own)
        off = self._followed(i, ratio, (level > -SPEECH_DB) & ~sung)
        share = np.exp(2 * _NEPERS * own)
        loudest = (share * off).sum(0) / share.sum(0)
        offset = -10 * self._smooth @ np.log10(off / loudest)
        present = ((level + SPEECH_DB) / _HUSH_DB + 1).clip(0, 1)
        offset = np.where(offset > 0, offset * present, offset)
        hushed: Array = np.clip(offset, -LARGEST_OFFSET, LARGEST_OFFSET)
        return hushed

    def _followed(self, i: int, ratio: Array, speech: NDArray[np.bool_]) -> Array:
        """Power ratios (M, T) of voice i -> their sum over the speech until each frame, (M, T)."""
        sums = self._sums.get(i, np.zeros((len(ratio), 1)))
        if speech.any():
            heard = ratio[:, speech]
            more, _ = lfilter([1.0], [1.0, -self._kept], heard, axis=1, zi=self._kept * sums)
            sums = np.concatenate([sums, more], 1)
            self._sums[i] = sums[:, -1:]
        return sums[:, speech.cumsum()] + self._trust


def speech_spectrum(mel: Tensor, loudness: Tensor, level_db: float) -> tuple[float, ...]:
    """Mean power of each band of a speaker's speech, dB, of log mels (M, T) and loudness (T,)."""
    heard = mel[:, loudness > level_db - SPEECH_DB].double()
    power = torch.exp(2 * heard).mean(1)
    return tuple(round(float(db), 1) for db in 10 * torch.log10(power))
