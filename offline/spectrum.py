"""The spectrum a voice asks its vocoder for, so that a target's own comes out on average."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.colour import speech_spectrum
from core.config import VoiceParams
from core.features import loudness
from core.mel import LogMel
from core.pipeline import convert
from core.voice import VoiceModel

RECORDINGS = 48  # of a speaker are enough for a mean


def asked_spectrum(
    voice: VoiceModel, params: VoiceParams, waves: Iterable[NDArray[np.float32]], level_db: float
) -> tuple[float, ...]:
    """`Speaker.spectrum_db` of recordings of a target, which the voice says again.

    A denoiser and a vocoder that learnt together agree on mels that are a little off: what comes
    out of the vocoder is measured against what it was asked for.
    params: the target alone, pitch and level as they are. level_db: of the target's voiced frames.
    """
    hop = voice.config.audio.hop_length
    log_mel = LogMel(voice.config.audio, voice.config.mel)
    asked: list[Tensor] = []
    mels: list[tuple[Tensor, Tensor, Tensor]] = []  # the target's own, asked for, come out
    levels = []
    hook = voice.vocoder.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0][0]))
    try:
        for wave in waves:
            asked.clear()
            said = convert(voice, wave, params)
            own, out = (log_mel(torch.from_numpy(w)[None])[0] for w in (wave, said))
            mels.append((own, torch.cat(asked, 1)[:, : own.shape[1]], out))
            levels.append(loudness(torch.from_numpy(wave)[None], hop)[0])
    finally:
        hook.remove()
    loud = torch.cat(levels)
    own, wanted, out = (
        np.array(speech_spectrum(torch.cat(parts, 1), loud, level_db))
        for parts in zip(*mels, strict=True)
    )
    return tuple((own - (out - wanted)).round(1).tolist())
