"""Conditions: what the denoiser is told about each frame. `core/analyser.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LOUDNESS_FLOOR_DB = -100.0


@dataclass(frozen=True)
class Conditions:
    """All on the mel grid. units (B, D, T); f0 in Hz, continuous, (B, T); voiced bool (B, T);
    loudness in dB re full scale (B, T); speaker: weight of each target in the voice, (B, S, T).
    """

    units: Tensor
    f0: Tensor
    voiced: Tensor
    loudness: Tensor
    speaker: Tensor

    @property
    def frames(self) -> int:
        return int(self.f0.shape[1])

    def shifted(self, semitones: float | Tensor) -> Conditions:
        """The same with another pitch; semitones: one number, or (B, T)."""
        # in double: rounded alike however many frames; a pulse train adds up what f0 is off
        factor = 2.0 ** (torch.as_tensor(semitones, dtype=torch.float64) / 12)
        return replace(self, f0=(self.f0 * factor).to(self.f0))

    def silenced(self) -> Conditions:
        """The same frames as silence sounds: unvoiced, at the loudness floor."""
        return replace(
            self,
            voiced=torch.zeros_like(self.voiced),
            loudness=torch.full_like(self.loudness, LOUDNESS_FLOOR_DB),
        )

    def slice(self, start: int, stop: int) -> Conditions:
        """Frames [start, stop)."""
        return Conditions(
            self.units[..., start:stop],
            self.f0[:, start:stop],
            self.voiced[:, start:stop],
            self.loudness[:, start:stop],
            self.speaker[..., start:stop],
        )


def loudness(wave: Tensor, hop_length: int) -> Tensor:
    """wave (B, T) -> mean power of each frame in dB (B, ceil(T / hop)), no lower than the floor."""
    frames = -(-wave.shape[-1] // hop_length)
    padded = torch.nn.functional.pad(wave, (0, frames * hop_length - wave.shape[-1]))
    power = padded.unfold(-1, hop_length, hop_length).square().mean(-1)
    return 10 * torch.log10(power + 10 ** (LOUDNESS_FLOOR_DB / 10))
