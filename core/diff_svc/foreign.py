"""What every imported voice has: content encoder, vocoder, pitch extractor, and its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from core.diff_svc.config import ForeignConfig
from core.diff_svc.mel import LN_OF_10
from core.errors import ConfigError, VoiceFileError
from core.f0.frames import DEFAULT_F0
from core.pipeline import LOUDEST_MEL
from core.tables import from_dict, to_dict
from core.voice import (
    DEFAULT_VOICE,
    NATIVE,
    VoiceModel,
    find_voice,
    kind_of,
    read_metadata,
    write_voice_file,
)

State = Mapping[str, Tensor]

UNIT_RATE, UNIT_HOP = 16_000, 320


class ForeignVoice(nn.Module):
    """A voice made elsewhere, without the acoustic model, which each family adds."""

    def __init__(self, config: ForeignConfig, weights: State) -> None:
        """weights: those under `content.`, `vocoder.` and `pitch_extractor.` are taken."""
        super().__init__()
        self.config = config
        self.content = _content(config, part_of(weights, "content"))
        self.vocoder = _vocoder(config, part_of(weights, "vocoder"))
        self.pitch_extractor = _pitch_extractor(config, part_of(weights, "pitch_extractor"))

    @property
    def partials(self) -> int:
        """Sines in the vocoder's source that take phases and noise; 0 where it takes none."""
        own = {} if self.vocoder is None else self.vocoder.state_dict()
        for key, weight in own.items():
            if key.endswith("m_source.l_linear.weight"):
                return int(weight.shape[1])
        return 0

    def units(self, wave16: Tensor) -> Tensor:
        """wave16 (B, n) at 16 kHz -> content units (B, n // 320, D)."""
        return self.begin_units(wave16).cpu()

    def begin_units(self, wave16: Tensor) -> Tensor:
        """The same where content computes, which a card may still be at."""
        if self.content is None:
            raise VoiceFileError(
                f"voice {self.config.name} holds no content encoder; import it again with --hubert"
            )
        made: Tensor = self.content(wave16)
        return made

    def vocoder_f0(self, mel: Tensor, f0: Tensor) -> Tensor:
        """The f0 that the vocoder hears: read off the mel (B, M, T) where the voice does so."""
        if self.pitch_extractor is None:
            return f0
        found: Tensor = self.pitch_extractor(mel.transpose(1, 2), self.config.pitch.use_uv)
        return found

    def speak(
        self,
        mel: Tensor,
        f0: Tensor,
        voiced: Tensor | None = None,
        rand_ini: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """mel (B, M, T) in log10, f0 (B, T) in Hz -> wave (B, T * hop).

        voiced (B, T): for the embedded vocoder, which knows breath from tone; None is where f0 > 0.
        rand_ini, noise: of the other vocoders' source; None is none.
        """
        heard = self.vocoder_mel(mel)
        if self.vocoder is None:
            raise VoiceFileError(f"voice {self.config.name} holds no vocoder of its own")
        if isinstance(self.vocoder, EmbeddedVocoder):
            made: Tensor = self.vocoder(heard, f0, f0 > 0 if voiced is None else voiced)
            return made
        device = next(self.vocoder.parameters()).device
        told = (None if part is None else part.to(device) for part in (rand_ini, noise))
        wave: Tensor = self.vocoder(heard.to(device), f0.to(device), *told)
        return wave.cpu()

    def vocoder_mel(self, mel: Tensor) -> Tensor:
        """mel (B, M, T) as the diffusion makes it -> as the vocoder hears it."""
        clipped = mel.clamp(self.config.mel_min, self.config.mel_max)
        if self.config.vocoder == "hifigan-24k" or self.config.mel.natural_log:
            return clipped
        return clipped * LN_OF_10

    @property
    def frames_per_unit(self) -> Fraction:
        """Mel frames that a content unit of 20 ms lasts in a stream."""
        form = self.config.mel
        return Fraction(UNIT_HOP * form.sample_rate, UNIT_RATE * form.hop_length)


class EmbeddedVocoder(nn.Module):
    """The vocoder of the embedded voice, for voices that bring none; 44.1 kHz, 128 mel bins."""

    def __init__(self) -> None:
        super().__init__()
        voice = VoiceModel.load(find_voice(DEFAULT_VOICE))
        self.vocoder = voice.vocoder

    def forward(self, mel: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """mel (B, M, T) in natural log, f0 (B, T), voiced (B, T) -> wave (B, T * hop)."""
        more = [torch.cat([part, part[..., -1:]], -1) for part in (mel, sounding(f0), voiced)]
        wave, _ = self.vocoder(more[0].clamp(max=LOUDEST_MEL), *more[1:])
        late = self.vocoder.latency
        samples = mel.shape[2] * self.vocoder.audio.hop_length
        made: Tensor = wave[:, late : late + samples]
        return made


def sounding(f0: Tensor) -> Tensor:
    """Without the 0 Hz of unvoiced frames, which has no logarithm."""
    return torch.where(f0 > 0, f0, DEFAULT_F0)


def save_foreign(path: Path, config: ForeignConfig, weights: State) -> None:
    """Writes an imported voice as a voice file, in full precision."""
    own = {key: weight.clone() for key, weight in weights.items()}  # none shares its memory
    write_voice_file(path, own, json.dumps(to_dict(config)), config.family)


Voice = TypeVar("Voice", bound=ForeignVoice)


def load_voice(path: Path, make: Callable[[ForeignConfig, State], Voice], family: str) -> Voice:
    """Reads an imported voice of one family; without a vocoder it gets the embedded one."""
    from safetensors.torch import load_file

    config = read_foreign_config(path)
    if config.family != family:
        raise VoiceFileError(f"{path} is a {config.family} voice, expected {family}")
    try:
        voice = make(config, load_file(path))
    except (VoiceFileError, ConfigError) as error:
        raise VoiceFileError(f"{path}: {error}; import the voice again") from None
    if voice.vocoder is None:
        voice.vocoder = EmbeddedVocoder()
    return voice


def read_foreign_config(path: Path) -> ForeignConfig:
    """The config of an imported voice, without its weights."""
    metadata = read_metadata(path)
    if kind_of(metadata) == NATIVE:
        raise VoiceFileError(f"{path} is a voice of moksori, expected an imported one")
    try:
        return from_dict(ForeignConfig, json.loads(metadata["config"]))
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise VoiceFileError(f"{path}: its config cannot be read: {error}") from None


def part_of(weights: State, part: str) -> dict[str, Tensor]:
    """The weights under `part.`, without that prefix."""
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _content(config: ForeignConfig, weights: State) -> nn.Module | None:
    if not config.content:
        return None
    if config.content_source:
        from core.content import unit_encoder

        encoder = unit_encoder(config.content, config.content_source)
        assert isinstance(encoder, nn.Module)
        return encoder
    from core.content.hubert_soft import HubertSoft

    return HubertSoft.from_state_dict(weights).eval()


def _vocoder(config: ForeignConfig, weights: State) -> nn.Module | None:
    if config.vocoder == "embedded":
        return None
    own = json.loads(config.vocoder_config)
    if config.vocoder == "hifigan-24k":
        from core.vocoder.hifigan24k import HifiGan24k

        return HifiGan24k.from_state_dict(weights, own).eval()
    from core.vocoder.nsf_hifigan import NsfHifiGan

    return NsfHifiGan.from_state_dict(weights, own).eval()


def _pitch_extractor(config: ForeignConfig, weights: State) -> nn.Module | None:
    if not config.pitch_extractor:
        return None
    from core.f0.pitch_extractor import PitchExtractor

    return PitchExtractor.from_state_dict(weights).eval()
