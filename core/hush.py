"""Hush: pauses come out no louder than they went in.

Denoiser and vocoder were taught by log spectra, in which a whisper counts as much as a vowel, and
both say something where there was nearly nothing. So what lies far below the target's speech and
comes out louder than the denoiser was told is turned down to that. Frame by frame: it streams.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.config import Speaker
from core.features import LOUDNESS_FLOOR_DB, Conditions, loudness

_BELOW_DB = 18.0  # under the target's speech: a pause, breath or echo of it
_KNEE_DB = 6.0  # further down, from where nothing may be louder than told
_MOST_DB = 20.0


class Hush:
    """The end of a conversion; silent in none of its ways towards targets of unknown level."""

    def __init__(self, speakers: Sequence[Speaker], hop_length: int) -> None:
        self.hop_length = hop_length
        levels = [speaker.level_db for speaker in speakers if speaker.level_db is not None]
        self._levels = torch.tensor(levels) if len(levels) == len(speakers) else None
        ramp = torch.arange(1, hop_length + 1) / hop_length
        self._ramp = ramp
        self.reset()

    def reset(self) -> None:
        """As before any sound."""
        self._told: Tensor | None = None  # power (B, 1) of the last frame
        self._gain_db: Tensor | None = None  # (B, 1)

    def __call__(self, wave: Tensor, told: Conditions) -> Tensor:
        """wave (B, T * hop), the next frames, half a frame late; what the denoiser was told of them
        -> as many samples.
        """
        if self._levels is None:
            return wave
        power = 10 ** (told.loudness / 10)
        first = power.new_full((len(power), 1), 10 ** (LOUDNESS_FLOOR_DB / 10))
        before = torch.cat([first if self._told is None else self._told, power[:, :-1]], 1)
        self._told = power[:, -1:]
        allowed = 10 * torch.log10((before + power) / 2)  # half of each lies in a frame of the wave
        speech = (self._levels[:, None] * told.speaker).sum(1)  # (B, T)
        share = ((speech - _BELOW_DB - allowed) / _KNEE_DB).clamp(0, 1)
        excess = (loudness(wave, self.hop_length) - allowed).clamp(0, _MOST_DB)
        ends = -share * excess
        start = torch.zeros_like(ends[:, :1]) if self._gain_db is None else self._gain_db
        self._gain_db = ends[:, -1:]
        left = torch.cat([start, ends[:, :-1]], 1)[..., None]
        gain_db = left + (ends[..., None] - left) * self._ramp  # (B, T, hop)
        return wave * (10 ** (gain_db / 20)).flatten(1)
