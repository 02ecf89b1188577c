"""AutoLevel: the gain that brings whoever speaks, near or far, onto the target's own level.

It follows the level of the speaker's voiced frames from the past alone, so live and whole files get
the same gain, which moves hardly within a phrase: what is loud and soft in it stays. The denoiser
is told the levelled loudness, so a soft microphone does not make a soft voice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.glide import Glide, Speeds

LARGEST_GAIN = 24.0
"""dB, either way."""

_GUESS_DB = -26.0  # of someone nobody heard yet, full scale being 0
_TRUST_SECONDS = 0.2  # of voice, that weigh as much as the guess
_MEMORY_SECONDS = 15.0  # of voice; older counts for a third
_SPEEDS = Speeds(first=40.0, last=1.5, pause=60.0)  # dB a second


class AutoLevel:
    """dB for each frame, at most LARGEST_GAIN; 0 towards a target of unknown level."""

    def __init__(self, levels: Sequence[float | None], frame_rate: float) -> None:
        """levels: dB of each speaker's voiced frames, None where unknown."""
        self._levels = tuple(levels)
        self._frame_rate = frame_rate
        self.reset()

    def reset(self) -> None:
        """Forgets who spoke."""
        self._glide = Glide(_GUESS_DB, _SPEEDS, self._frame_rate)
        self._weight = _TRUST_SECONDS * self._frame_rate
        self._sum = self._weight * _GUESS_DB

    def __call__(self, loudness: Tensor, voiced: Tensor, weights: Tensor) -> Tensor:
        """The next frames: loudness in dB (1, T), voiced (1, T), weights of the speakers (1, S, T),
        which sum to 1 -> dB (1, T).
        """
        frames = zip(loudness[0].tolist(), voiced[0].tolist(), strict=True)
        levels = torch.tensor([self._follow(*frame) for frame in frames], dtype=torch.float64)
        return gain_onto(self._levels, weights[0], levels)[None]

    def _follow(self, loudness: float, voiced: bool) -> float:
        """The speaker's level in dB, as of this frame."""
        if voiced:
            kept = math.exp(-1 / (_MEMORY_SECONDS * self._frame_rate))
            self._weight = kept * self._weight + 1
            self._sum = kept * self._sum + loudness
        return self._glide.step(self._sum / self._weight, voiced)


def gain_onto(levels: Sequence[float | None], weights: Tensor, level: Tensor) -> Tensor:
    """dB (T,) that bring a level, dB (T,), onto speakers of these levels; weights (S, T).

    For a mix the target is the weighted mean of dB. An unknown speaker wants no gain.
    """
    away = [torch.zeros_like(level) if own is None else own - level for own in levels]
    gain = (weights.double() * torch.stack(away)).sum(0)
    return gain.clamp(-LARGEST_GAIN, LARGEST_GAIN)


def speech_level(loudness: Tensor, voiced: Tensor) -> float | None:
    """The mean of the voiced frames of a recording, dB (T,); None without any.

    What `Speaker.level_db` is measured by, and what `AutoLevel` follows in a speaker.
    """
    heard = loudness[voiced]
    return float(heard.double().mean()) if len(heard) else None
