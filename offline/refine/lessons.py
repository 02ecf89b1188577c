"""Lessons: recordings of the targets, which have an answer, and conversions to them, which do not.

What the denoiser is told is bent as it will be in use: other loudness, a noisy room, units of a
disguise, surer ones and nearer to the target's own. All is drawn without waiting for a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from core.content.phonetic import PhoneticEncoder
from core.errors import ConfigError
from core.features import LOUDNESS_FLOOR_DB, Conditions
from core.voice import VoiceModel
from offline.refine.config import RefineConfig
from offline.refine.recordings import Recordings

_LOUDER = 8.0  # dB, either way, of recordings
_LIFTED = 6.0  # dB, either way, of conversions around the target's level
_NOISY = 0.5  # share of the crops whose loudness is that of a noisy room
_CLEARED, _CLEAREST = 0.5, 10.0  # share of the recordings, and how clear at most
_CLARITY = (4.0, 14.0)  # of conversions
_RETRIEVED, _RETRIEVAL = 0.7, 0.3  # share of the conversions drawn to the target's own units
_PITCH_SPREAD = 1.5  # semitones around the target's median
_WILD, _WILD_SPREAD = 0.1, 6.0  # share of the conversions that lie further away, and how far
_NEPERS = math.log(10) / 20  # a dB


class Lesson(NamedTuple):
    """B recordings and C conversions of T frames; conditions and target (an index) of B + C.

    Of the recordings: log mel (B, M, T) and wave (B, T * hop). Of the conversions the source: its
    log mel `said` (C, M, T), its plain units (C, D, T), who it was (C,).
    """

    conditions: Conditions
    target: Tensor
    mel: Tensor
    wave: Tensor
    said: Tensor
    units: Tensor
    source: Tensor


class Lessons:
    """Draws them. shares (S,): of each target of the voice, as recordings and as conversions."""

    def __init__(
        self,
        voice: VoiceModel,
        targets: Recordings,
        sources: Recordings,
        config: RefineConfig,
        shares: Sequence[float] | None = None,
    ) -> None:
        speakers, device = voice.config.speakers, targets.f0.device
        for speaker in speakers:
            if speaker.f0_median <= 0:
                raise ConfigError(
                    f"{speaker.name} has no median pitch in the voice, so nothing can be converted"
                    " to it; export the voice again"
                )
        shares = [1.0] * len(speakers) if shares is None else shares
        if len(shares) != len(speakers) or min(shares) <= 0:
            raise ConfigError(
                f"expected a share above 0 for each of {len(speakers)} targets, got"
                f" {' '.join(f'{share:g}' for share in shares)}"
            )
        assert isinstance(voice.encoder, PhoneticEncoder)
        self.config, self.voice, self.encoder = config, voice, voice.encoder
        self.shares = torch.tensor(shares, device=device)
        self.targets = replace(targets, weight=targets.weight * self.shares[targets.owner])
        self.sources = sources
        self.pitch = torch.tensor([s.f0_median for s in speakers], device=device)
        levels = [math.nan if s.level_db is None else s.level_db for s in speakers]
        self.level = torch.tensor(levels, device=device)

    @torch.no_grad()
    def draw(self) -> Lesson:
        """The next batch."""
        config, targets, sources = self.config, self.targets, self.sources
        batch, conversions, frames = config.batch, config.conversions, config.frames
        own = targets.draw(batch, frames)
        louder = self._between(-_LOUDER, _LOUDER, batch, 1)
        mel = self._mel(targets.mel[own.place], louder)
        wave = targets.wave[own.place].flatten(1).float() / 32768 * 10 ** (louder / 20)
        units = self._variant(targets.units, own.place)
        clarity = self._between(0, _CLEAREST, batch, 1, 1) * self._some(_CLEARED, batch, 1, 1)
        units = self.encoder.clear(units, clarity)

        other = sources.draw(conversions, frames)
        target = self._target(conversions)
        told = self.encoder.clear(
            self._variant(sources.units, other.place), self._between(*_CLARITY, conversions, 1, 1)
        )
        told = self._retrieved(told, target)
        lift = (self.level[target] - sources.level[other.recording]).nan_to_num(0.0)[:, None]
        lift = lift + self._between(-_LIFTED, _LIFTED, conversions, 1)
        who = sources.owner[other.recording]
        f0 = sources.f0[other.place] * self._shift(target, who)
        bounds = self.voice.config.f0

        whose = torch.cat([targets.owner[own.recording], target])
        level = torch.cat(
            [targets.loudness[own.place] + louder, sources.loudness[other.place] + lift]
        )
        conditions = Conditions(
            torch.cat([units, told]),
            torch.cat([targets.f0[own.place], f0.clamp(bounds.f0_min, bounds.f0_max)]),
            torch.cat([targets.voiced[own.place], sources.voiced[other.place]]),
            self._in_rooms(level.clamp(min=LOUDNESS_FLOOR_DB)),
            F.one_hot(whose, len(self.pitch)).float()[..., None].expand(-1, -1, frames),
        )
        said = self._mel(sources.mel[other.place], lift)
        plain = sources.units[0][other.place].float().transpose(1, 2)
        return Lesson(conditions, whose, mel, wave, said, plain, who)

    def _mel(self, mel: Tensor, louder: Tensor) -> Tensor:
        """(B, T, M) in half precision -> (B, M, T), louder by dB (B, 1)."""
        moved = mel.float() + _NEPERS * louder[..., None]
        return moved.clamp(min=math.log(self.voice.config.mel.floor)).transpose(1, 2)

    def _variant(self, units: Tensor, place: Tensor) -> Tensor:
        """(variants, frames, D) -> (B, D, T), each crop as one of the variants has it."""
        variant = torch.randint(len(units), (len(place), 1), device=units.device)
        return units[variant, place].float().transpose(1, 2)

    def _target(self, count: int) -> Tensor:
        shares = self.shares.cumsum(0)
        drawn = torch.searchsorted(shares, torch.rand(count, device=shares.device) * shares[-1])
        return drawn.clamp(max=len(shares) - 1)

    def _retrieved(self, units: Tensor, target: Tensor) -> Tensor:
        """Units (C, D, T), most of them nearer to those of their targets."""
        bank = self.voice.bank
        if bank.units.shape[1] == 0:
            return units
        mean = bank.drawn(units.transpose(1, 2), bank.units[target].to(units))
        mean = F.layer_norm(mean, mean.shape[-1:]).transpose(1, 2)
        share = _RETRIEVAL * self._some(_RETRIEVED, len(units), 1, 1)
        return torch.lerp(units, mean, share)

    def _shift(self, target: Tensor, source: Tensor) -> Tensor:
        """Factors (C, 1) that move the sources' pitch to the targets', give or take."""
        count, device = len(target), target.device
        semitones = _PITCH_SPREAD * torch.randn(count, 1, device=device)
        wild = _WILD_SPREAD * torch.randn(count, 1, device=device)
        semitones = semitones + wild * self._some(_WILD, count, 1)
        return (self.pitch[target] / self.sources.median[source])[:, None] * 2 ** (semitones / 12)

    def _in_rooms(self, level: Tensor) -> Tensor:
        """dB (B, T) -> many as loud as a noisy room makes them: what the voice must not say."""
        floor = level.amax(1, keepdim=True) - self._between(12, 62, len(level), 1)
        noisy = 10 * torch.log10(10 ** (level / 10) + 10 ** (floor / 10))
        return torch.where(self._some(_NOISY, len(level), 1), noisy, level)

    def _between(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.pitch.device) * (high - low) + low

    def _some(self, share: float, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.pitch.device) < share
