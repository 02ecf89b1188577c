"""Fills a UnitBank: k-means over the units of a target's recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from core.content.phonetic import PhoneticEncoder
from core.content.windowed import WindowedUnits
from core.errors import VoiceChangerError
from offline.preprocess import Utterance, load_wave

_ROUNDS = 4
_MOST_FRAMES = 60_000  # 12 minutes: enough for some thousand centres


def speaker_units(
    encoder: PhoneticEncoder | WindowedUnits,
    features: Path,
    utterances: Sequence[Utterance],
    size: int,
    seed: int = 0,
) -> Tensor:
    """Centres of the units of one speaker's recordings, (size, D)."""
    total = sum(encoder.audio.frames(u.samples) for u in utterances)
    stride = max(1, total // _MOST_FRAMES)
    with torch.inference_mode():
        waves = (torch.from_numpy(load_wave(features, u)) for u in utterances[::stride])
        units = torch.cat([encoder(wave[None])[0].T for wave in waves if len(wave)])
    if len(units) < size:
        raise VoiceChangerError(
            f"a bank of {size} units needs as many frames, the recordings have {len(units)};"
            " record more or make the bank smaller"
        )
    generator = torch.Generator().manual_seed(seed)
    centres = units[torch.randperm(len(units), generator=generator)[:size]].clone()
    for _ in range(_ROUNDS):
        owners = torch.cat(
            [torch.cdist(part, centres).argmin(1) for part in torch.split(units, 4096)]
        )
        sums = torch.zeros_like(centres).index_add_(0, owners, units)
        counts = torch.bincount(owners, minlength=size)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres
