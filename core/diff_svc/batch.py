"""Many stretches of sound through a diff-svc voice in one pass of its diffusion, under masks.

Each comes out as it would alone: what is padded is silent to every layer. Vocoder and pitch
extractor hear whole stretches and so take them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.diff_svc.convert import ConvertParams, Keyed, Prepared, Wave, finish, listened
from core.diff_svc.voice import DiffSvcVoice, Heard
from core.errors import ConfigError


def convert_batch(
    voice: DiffSvcVoice,
    sounds: Sequence[Prepared],
    params: ConvertParams,
    positions: Sequence[int] | None = None,
) -> list[Wave]:
    """As `convert_stretch` of each, within rounding. positions: the mel frames they begin at."""
    places = [0] * len(sounds) if positions is None else list(positions)
    if not sounds or len(places) != len(sounds):
        raise ConfigError(
            f"expected one position for each of at least 1 sound, got {len(places)} and"
            f" {len(sounds)}"
        )
    with torch.inference_mode():
        heard = [voice.hear(*listened(voice, sound)) for sound in sounds]
        frames = [one.frames for one in heard]
        batch = _stacked(heard)
        cond, f0 = voice.conditioned(batch, params.semitones, params.exact, params.speaker)
        keys = [Keyed(voice, params.seed, place) for place in places]
        starts = [key.start(n) for key, n in zip(keys, frames, strict=True)]
        mask = (batch.mel2ph > 0)[:, None].float()

        def fresh(step: int) -> Tensor:
            made = [key.fresh(n)(step) for key, n in zip(keys, frames, strict=True)]
            return _padded(made, -1)

        start = _padded(starts, -1)
        mel = voice.sample(
            cond, start, params.speedup, fresh=fresh, mask=mask, method=params.sampler
        )
        waves = []
        for row, (one, sound) in enumerate(zip(heard, sounds, strict=True)):
            own = slice(row, row + 1), ..., slice(None, one.frames)
            sung = mel[own], f0[own], one.unvoiced == 0
            waves.append(finish(voice, sound, params, keys[row], *sung))
    return waves


def _stacked(heard: Sequence[Heard]) -> Heard:
    """One batch of all, filled up with what counts as padding."""
    return Heard(
        _padded([one.units for one in heard], 1),
        _padded([one.mel2ph for one in heard], -1),
        _padded([one.log2_f0 for one in heard], -1),
        _padded([one.unvoiced for one in heard], -1),
        _padded([one.energy for one in heard], -1),
        _padded([one.mel for one in heard], -1),
    )


def _padded(parts: Sequence[Tensor], axis: int) -> Tensor:
    """(1, ...) each -> (B, ...), zeros at the end of an axis where one is shorter."""
    axis %= parts[0].dim()
    longest = int(np.max([part.shape[axis] for part in parts]))
    after = 2 * (parts[0].dim() - 1 - axis)
    return torch.cat([F.pad(part, (*[0] * after, 0, longest - part.shape[axis])) for part in parts])
