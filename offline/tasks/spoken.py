"""Spoken: the end of a crop as the vocoder says it, and the same part of a recording."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.features import Conditions
from core.vocoder.source_filter import SourceFilter

_FRAMES = 56  # of a crop, the last so many are spoken
WARM_FRAMES = 12  # the vocoder's past is empty there: not judged


class Spoken:
    """Mels of crops -> waves to be judged, all of one length, late by nothing."""

    def __init__(self, vocoder: SourceFilter, hop_length: int, frames: int = _FRAMES) -> None:
        """frames: of a crop, so many of the last are spoken, WARM_FRAMES more than are judged."""
        self.vocoder, self.hop, self.frames = vocoder, hop_length, frames

    def __call__(
        self, mel: Tensor, conditions: Conditions, generator: torch.Generator | None = None
    ) -> Tensor:
        """Log mel (B, M, T) -> wave (B, n) of its last frames; in whole precision."""
        frames = min(self.frames, mel.shape[2])
        samples = frames * self.hop
        noise = torch.randn(len(mel), samples, generator=generator, device=mel.device)
        made, _ = self.vocoder(
            mel[..., -frames:],
            conditions.f0[:, -frames:],
            conditions.voiced[:, -frames:],
            noise=noise,
        )
        delay = self.vocoder.latency
        return F.pad(made[:, delay:], (0, delay))[:, WARM_FRAMES * self.hop :]

    def part(self, waves: Tensor) -> Tensor:
        """Waves (B, T * hop) of whole crops -> (B, n), what `__call__` says of them."""
        frames = min(self.frames, waves.shape[1] // self.hop)
        return waves[:, waves.shape[1] - frames * self.hop :][:, WARM_FRAMES * self.hop :]
