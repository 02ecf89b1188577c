"""One stretch of sound through an imported voice, from the recording's samples to the new wave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import AudioConfig
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.noise import NoiseTape
from core.errors import ConfigError
from core.f0.praat import PraatConfig, praat_f0
from core.features import brightness, loudness
from core.gate import Gate
from core.kaiser_best import resample_kaiser_best

Wave = NDArray[np.float32]

UNIT_RATE = 16_000
_SOURCE_STREAM = 2  # of the noise tape: 0 starts the diffusion, 1 is the embedded vocoder's


@dataclass(frozen=True)
class ConvertParams:
    """semitones: the new key. speedup: stride through the diffusion's steps, None for the voice's.

    exact: the original's plain bugs as well, None for the voice's own word. gate_db: input level
    under which the output is silent, None for no gate. gain_db: of the output. seed: of all noise.
    """

    semitones: float = 0.0
    speedup: int | None = None
    exact: bool | None = None
    gate_db: float | None = None
    gain_db: float = 0.0
    seed: int = 0


class Prepared(NamedTuple):
    """A stretch of sound at the two rates a voice listens at. Each (T,), mono."""

    wave: Wave
    wave16: Wave


def prepare(channels: Wave, sample_rate: int, voice_rate: int, left_only: bool) -> Prepared:
    """channels (C, T) of a recording -> what a voice hears of them.

    left_only: mel and pitch from the first channel alone, units from the mean, as the original does
    at 44.1 kHz; else both from the mean.
    """
    mono = channels.mean(axis=0, dtype=np.float32) if len(channels) > 1 else channels[0]
    heard = channels[0] if left_only else mono
    return Prepared(
        resample_kaiser_best(heard, sample_rate, voice_rate),
        resample_kaiser_best(mono, sample_rate, UNIT_RATE),
    )


def convert_stretch(
    voice: DiffSvcVoice,
    sound: Prepared,
    params: ConvertParams,
    position: int = 0,
    noise: Tensor | None = None,
) -> Wave:
    """A stretch of sound in the voice, (frames * hop,), aligned with its start.

    position: the mel frame the stretch begins at, which keys the noise. noise (1, M, T): in place
    of the keyed one, and then none in the vocoder's source either.
    """
    with torch.inference_mode():
        heard = voice.hear(*_listened(voice, sound))
        cond, f0 = voice.conditioned(heard, params.semitones, params.exact)
        keyed = noise is None
        start = _start_noise(voice, params.seed, position, heard.frames) if keyed else noise
        assert start is not None
        mel = voice.sample(cond, start, params.speedup, fresh=_fresh(params.seed, position, start))
        mel = mel * (heard.mel2ph > 0)[:, None]
        source = (
            _source_noise(voice, params.seed, position, heard.frames) if keyed else (None, None)
        )
        made = voice.speak(mel, voice.vocoder_f0(mel, f0), heard.unvoiced == 0, *source)
    wave: Wave = made[0].numpy()
    return wave * _gain(voice, sound.wave, len(wave), params)


def _listened(voice: DiffSvcVoice, sound: Prepared) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Wave (1, T), units (1, N, D) and f0 (frames,) of a stretch."""
    form, pitch = voice.config.mel, voice.config.pitch
    frames = form.frames(len(sound.wave))
    if frames < 2 or len(sound.wave16) < 800:
        raise ConfigError(
            f"{len(sound.wave) / form.sample_rate:.3f} s is too short to convert; expected 0.05 s"
            " or more"
        )
    heard = sound.wave
    if form.kind == "hifigan":  # its wave is as long as its frames
        heard = np.pad(heard, (0, frames * form.hop_length - len(heard)))
    config = PraatConfig(pitch.f0_min, pitch.f0_max)
    f0 = praat_f0(heard, form.sample_rate, form.hop_length, frames, config)
    units = voice.units(torch.from_numpy(sound.wave16)[None])
    return torch.from_numpy(sound.wave)[None], units, f0


def _start_noise(voice: DiffSvcVoice, seed: int, position: int, frames: int) -> Tensor:
    return NoiseTape(seed, voice.config.mel.n_mels).frames(position, frames)


def _fresh(seed: int, position: int, like: Tensor) -> Callable[[int], Tensor]:
    """Noise for each step of DDPM, one tape a step."""

    def fresh(step: int) -> Tensor:
        tape = NoiseTape(seed, like.shape[1], stream=_SOURCE_STREAM + 1 + step)
        return tape.frames(position, like.shape[2])

    return fresh


def _source_noise(
    voice: DiffSvcVoice, seed: int, position: int, frames: int
) -> tuple[Tensor | None, Tensor | None]:
    """Start phases in cycles (1, P) and noise (1, L, P) of the vocoder's source, P partials."""
    partials = voice.partials
    if not partials:
        return None, None
    hop = voice.config.mel.hop_length
    tape = NoiseTape(seed, hop * partials, stream=_SOURCE_STREAM)
    noise = tape.frames(position, frames)  # (1, hop * P, T)
    generator = torch.Generator().manual_seed(seed)
    phases = torch.rand(1, partials, generator=generator)
    return phases, noise.transpose(1, 2).reshape(1, frames * hop, partials)


def _gain(voice: DiffSvcVoice, wave: Wave, samples: int, params: ConvertParams) -> Wave:
    """The output's gain, one value for each of its samples."""
    gain = np.full(samples, 10 ** (params.gain_db / 20), np.float32)
    if params.gate_db is None:
        return gain
    form = voice.config.mel
    heard = torch.from_numpy(np.pad(wave, (0, max(samples - len(wave), 0)))[:samples])[None]
    gate = Gate(AudioConfig(form.sample_rate, form.hop_length))
    levels = loudness(heard, form.hop_length), brightness(heard, form.hop_length)
    gated: Wave = gate(levels[0], params.gate_db, levels[1])[0].numpy()
    return gain * gated
