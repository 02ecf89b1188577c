"""Formant shift: the mel frequency axis is warped between denoiser and vocoder.

What lies at f comes to lie at f times a factor. So that the harmonics, which low mel bands tell
apart, stay where the vocoder puts its pulses, the denoiser is told a pitch lower by that factor.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.config import AudioConfig, MelConfig
from core.mel import hz_to_mel, mel_to_hz

SEMITONES_A_SECOND = 60.0  # of a glide: an octave in 0.2 s, so that nothing clicks


class FormantGlide:
    """Semitones for every frame; the first frame needs no glide."""

    def __init__(self, frame_rate: float) -> None:
        self._most = SEMITONES_A_SECOND / frame_rate
        self.reset()

    def reset(self) -> None:
        """As before the first frame."""
        self._now: float | None = None

    def __call__(self, semitones: float, frames: int) -> Tensor | None:
        """Wanted from the next frame on -> those of these frames, (1, frames); None: all are 0."""
        if self._now is None:
            self._now = semitones
        if self._now == semitones == 0:
            return None
        steps = []
        for _ in range(frames):
            self._now += min(max(semitones - self._now, -self._most), self._most)
            steps.append(self._now)
        return torch.tensor([steps], dtype=torch.float64)


class FormantWarp:
    """Moves a log mel along its frequencies. Frame by frame, so it streams exactly."""

    def __init__(self, audio: AudioConfig, mel: MelConfig) -> None:
        low, high = hz_to_mel(np.array([mel.f_min, min(mel.f_max, audio.sample_rate / 2)]))
        self._low, self._step = float(low), float(high - low) / (mel.n_mels + 1)
        centres = np.linspace(low, high, mel.n_mels + 2)[1:-1]
        self._hz = mel_to_hz(centres)

    def __call__(self, mel: Tensor, semitones: Tensor) -> Tensor:
        """mel (B, M, T), semitones (1, T) -> (B, M, T); beyond the edges their bands go on."""
        factor = 2.0 ** (semitones[0].numpy() / 12)
        source = hz_to_mel(self._hz[:, None] / factor)  # (M, T): where a band comes from
        place = np.clip((source - self._low) / self._step - 1, 0, len(self._hz) - 1)
        below = torch.from_numpy(np.minimum(place.astype(np.int64), len(self._hz) - 2))
        share = (torch.from_numpy(place) - below).to(mel)
        below = below.expand(len(mel), -1, -1)
        return torch.lerp(mel.gather(1, below), mel.gather(1, below + 1), share)
