"""Conditions: what the denoiser is told about each frame. `core/analyser.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LOUDNESS_FLOOR_DB = -100.0
_SUNG_HZ = 300.0  # speech lies below
_EMPHASIS = 0.95


@dataclass(frozen=True)
class Conditions:
    """All on the mel grid. units (B, D, T); f0 in Hz, continuous, (B, T); voiced bool (B, T);
    loudness in dB re full scale (B, T); speaker: weight of each target in the voice, (B, S, T).
    brightness: loudness of what pre-emphasis leaves, (B, T), for the gate alone: None in training.
    """

    units: Tensor
    f0: Tensor
    voiced: Tensor
    loudness: Tensor
    speaker: Tensor
    brightness: Tensor | None = None

    @property
    def frames(self) -> int:
        return int(self.f0.shape[1])

    def shifted(self, semitones: float | Tensor) -> Conditions:
        """The same with another pitch; semitones: one number, or (B, T)."""
        # in double: rounded alike however many frames; a pulse train adds up what f0 is off
        factor = 2.0 ** (torch.as_tensor(semitones, dtype=torch.float64) / 12)
        return replace(self, f0=(self.f0 * factor).to(self.f0))

    def louder(self, db: float | Tensor) -> Conditions:
        """The same at another level; db: one number, or (B, T). Silence stays what it is."""
        moved = (self.loudness + torch.as_tensor(db).to(self.loudness)).clamp(min=LOUDNESS_FLOOR_DB)
        return replace(
            self, loudness=torch.where(self.loudness > LOUDNESS_FLOOR_DB, moved, self.loudness)
        )

    def then(self, other: Conditions) -> Conditions:
        """These frames and those of the other behind them."""
        bright = None
        if self.brightness is not None and other.brightness is not None:
            bright = torch.cat([self.brightness, other.brightness], -1)
        return Conditions(
            torch.cat([self.units, other.units], -1),
            torch.cat([self.f0, other.f0], -1),
            torch.cat([self.voiced, other.voiced], -1),
            torch.cat([self.loudness, other.loudness], -1),
            torch.cat([self.speaker, other.speaker], -1),
            bright,
        )

    def silenced(self) -> Conditions:
        """The same frames as silence sounds: unvoiced, at the loudness floor."""
        return replace(
            self,
            voiced=torch.zeros_like(self.voiced),
            loudness=torch.full_like(self.loudness, LOUDNESS_FLOOR_DB),
            brightness=None,
        )

    def slice(self, start: int, stop: int) -> Conditions:
        """Frames [start, stop)."""
        return Conditions(
            self.units[..., start:stop],
            self.f0[:, start:stop],
            self.voiced[:, start:stop],
            self.loudness[:, start:stop],
            self.speaker[..., start:stop],
            None if self.brightness is None else self.brightness[:, start:stop],
        )


def loudness(wave: Tensor, hop_length: int) -> Tensor:
    """wave (B, T) -> mean power of each frame in dB (B, ceil(T / hop)), no lower than the floor."""
    return _decibels(_frames(wave, hop_length))


def brightness(wave: Tensor, hop_length: int) -> Tensor:
    """As `loudness`, of each frame's pre-emphasised inside: high sounds count, low ones hardly."""
    frames = _frames(wave, hop_length)
    return _decibels(frames[..., 1:] - _EMPHASIS * frames[..., :-1])


def sung(f0: Tensor, voiced: Tensor) -> Tensor:
    """How far each frame lies above the pitch of speech, 0 to 1 from an octave on, (B, T).

    Networks that learned from speech need help there. f0 in Hz (B, T), voiced bool (B, T).
    """
    return torch.log2(f0 / _SUNG_HZ).clamp(0, 1) * voiced


def _frames(wave: Tensor, hop_length: int) -> Tensor:
    """(B, T) -> (B, ceil(T / hop), hop), the last one filled up with silence."""
    count = -(-wave.shape[-1] // hop_length)
    padded = torch.nn.functional.pad(wave, (0, count * hop_length - wave.shape[-1]))
    return padded.unfold(-1, hop_length, hop_length)


def _decibels(frames: Tensor) -> Tensor:
    return 10 * torch.log10(frames.square().mean(-1) + 10 ** (LOUDNESS_FLOOR_DB / 10))
