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
from core.diff_svc.diffusion_svc_voice import DiffusionSvcVoice
from core.diff_svc.foreign import UNIT_RATE, ForeignVoice
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.noise import NoiseTape
from core.errors import ConfigError
from core.f0.praat import PraatConfig, praat_f0
from core.features import brightness, loudness
from core.gate import Gate
from core.kaiser_best import resample_kaiser_best

Wave = NDArray[np.float32]

_SHORTEST = UNIT_RATE // 20  # samples at 16 kHz
_SOURCE_STREAM = 2  # of the noise tape: 0 starts the diffusion, 1 is the embedded vocoder's


@dataclass(frozen=True)
class ConvertParams:
    """semitones: the new key. speedup: stride through the diffusion's steps, None for the voice's.

    exact: the original's plain bugs as well, None for the voice's own word. gate_db: input level
    under which the output is silent, None for no gate. gain_db: of the output. seed: of all noise.
    speaker: of a voice with several, counted from 1.
    """

    semitones: float = 0.0
    speedup: int | None = None
    sampler: str | None = None
    exact: bool | None = None
    gate_db: float | None = None
    gain_db: float = 0.0
    seed: int = 0
    speaker: int = 1


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
    voice: ForeignVoice,
    sound: Prepared,
    params: ConvertParams,
    position: int = 0,
    noise: Tensor | None = None,
) -> Wave:
    """A stretch of sound in the voice, (frames * hop,), aligned with its start.

    position: the mel frame the stretch begins at, which keys the noise. noise (1, M, T): in place
    of the keyed one, and then none in the vocoder's source either.
    """
    sing = _sing_diffusion_svc if isinstance(voice, DiffusionSvcVoice) else _sing_diff_svc
    keyed = Keyed(voice, params.seed, position)
    with torch.inference_mode():
        sung = sing(voice, sound, params, keyed, noise)
        heard = keyed if noise is None else None
        wave = finish(voice, sound, params, heard, sung.mel, sung.f0, sung.voiced)
    audible: Wave = sung.gain.numpy()[0]
    return wave * audible


def finish(
    voice: ForeignVoice,
    sound: Prepared,
    params: ConvertParams,
    keyed: Keyed | None,
    mel: Tensor,
    f0: Tensor,
    voiced: Tensor,
) -> Wave:
    """mel (1, M, T), f0 and voiced (1, T) of a stretch -> its wave, gated and at its gain.

    keyed: the noise of the vocoder's source; None is none.
    """
    source = (None, None) if keyed is None else keyed.source(mel.shape[2])
    made = voice.speak(mel, voice.vocoder_f0(mel, f0), voiced, *source)
    wave: Wave = made[0].numpy()
    return wave * _gain(voice, sound.wave, len(wave), params)


class _Sung(NamedTuple):
    """mel (1, M, T), f0 in Hz and voiced (1, T), and a gain for the wave that broadcasts."""

    mel: Tensor
    f0: Tensor
    voiced: Tensor
    gain: Tensor


class Keyed:
    """All noise of a stretch, from its seed and its place in the recording."""

    def __init__(self, voice: ForeignVoice, seed: int, position: int) -> None:
        self.voice, self.seed, self.position = voice, seed, position

    def start(self, frames: int) -> Tensor:
        """Where the diffusion begins, (1, M, T)."""
        return NoiseTape(self.seed, self.voice.config.mel.n_mels).frames(self.position, frames)

    def fresh(self, frames: int) -> Callable[[int], Tensor]:
        """Noise for each step of DDPM, one tape a step."""
        bins = self.voice.config.mel.n_mels

        def make(step: int) -> Tensor:
            tape = NoiseTape(self.seed, bins, stream=_SOURCE_STREAM + 1 + step)
            return tape.frames(self.position, frames)

        return make

    def source(self, frames: int) -> tuple[Tensor | None, Tensor | None]:
        """Start phases in turns (1, P) and noise (1, L, P) of a vocoder's P partials."""
        partials, hop = self.voice.partials, self.voice.config.mel.hop_length
        if not partials:
            return None, None
        tape = NoiseTape(self.seed, hop * partials, stream=_SOURCE_STREAM)
        noise = tape.frames(self.position, frames)  # (1, hop * P, T)
        phases = torch.rand(1, partials, generator=torch.Generator().manual_seed(self.seed))
        return phases, noise.transpose(1, 2).reshape(1, frames * hop, partials)


def _sing_diff_svc(
    voice: ForeignVoice,
    sound: Prepared,
    params: ConvertParams,
    keyed: Keyed,
    noise: Tensor | None,
) -> _Sung:
    assert isinstance(voice, DiffSvcVoice)
    heard = voice.hear(*listened(voice, sound))
    cond, f0 = voice.conditioned(heard, params.semitones, params.exact, params.speaker)
    start = keyed.start(heard.frames) if noise is None else noise
    fresh = keyed.fresh(heard.frames)
    mel = voice.sample(cond, start, params.speedup, fresh=fresh, method=params.sampler)
    return _Sung(mel, f0, heard.unvoiced == 0, torch.ones(1, 1))


def _sing_diffusion_svc(
    voice: ForeignVoice,
    sound: Prepared,
    params: ConvertParams,
    keyed: Keyed,
    noise: Tensor | None,
) -> _Sung:
    assert isinstance(voice, DiffusionSvcVoice)
    _check_length(voice, sound)
    pitch, voiced = voice.pitch(sound.wave)
    f0 = torch.from_numpy(pitch)[None] * 2 ** (params.semitones / 12)
    volume = voice.volume(torch.from_numpy(sound.wave)[None])
    units = voice.units(torch.from_numpy(sound.wave16)[None])
    frames = f0.shape[1]
    start = keyed.start(frames) if noise is None else noise
    fresh = keyed.fresh(frames)
    mel = voice.sample(
        units, f0, volume, start, params.speaker, params.speedup, fresh, params.sampler
    )
    return _Sung(mel, f0, torch.from_numpy(voiced)[None], voice.audible(volume))


def listened(voice: DiffSvcVoice, sound: Prepared) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Wave (1, T), units (1, N, D) and f0 (frames,) of a stretch."""
    form, pitch = voice.config.mel, voice.config.pitch
    frames = form.frames(len(sound.wave))
    _check_length(voice, sound)
    heard = sound.wave
    if form.kind == "hifigan":  # its wave is as long as its frames
        heard = np.pad(heard, (0, frames * form.hop_length - len(heard)))
    config = PraatConfig(pitch.f0_min, pitch.f0_max)
    f0 = praat_f0(heard, form.sample_rate, form.hop_length, frames, config)
    units = voice.units(torch.from_numpy(sound.wave16)[None])
    return torch.from_numpy(sound.wave)[None], units, f0


def _check_length(voice: ForeignVoice, sound: Prepared) -> None:
    if len(sound.wave16) < _SHORTEST:
        seconds = len(sound.wave) / voice.config.mel.sample_rate
        raise ConfigError(f"{seconds:.3f} s is too short to convert; expected 0.05 s or more")


def _gain(voice: ForeignVoice, wave: Wave, samples: int, params: ConvertParams) -> Wave:
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
