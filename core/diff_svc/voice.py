"""DiffSvcVoice: everything a diff-svc voice needs to turn one wave into another, in one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.config import from_dict, to_dict
from core.diff_svc.alignment import align, energy
from core.diff_svc.condition import Condition
from core.diff_svc.config import ForeignConfig
from core.diff_svc.mel import LN_OF_10, MelFrontEnd
from core.diff_svc.pitch import log_pitch, shift_pitch
from core.diffusion.gaussian import GaussianDiffusion
from core.diffusion.original import bind, sample_ddpm, sample_plms
from core.errors import ConfigError, VoiceFileError
from core.pipeline import LOUDEST_MEL
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


@dataclass(frozen=True)
class Heard:
    """What a voice hears in a wave, T mel frames of it.

    units (B, N, D); mel2ph (B, T), 1-based, 0 in padding; log2_f0 and unvoiced (B, T), as the
    source has them; energy (B, T); mel (B, M, T), the source's own in log10.
    """

    units: Tensor
    mel2ph: Tensor
    log2_f0: Tensor
    unvoiced: Tensor
    energy: Tensor
    mel: Tensor

    @property
    def frames(self) -> int:
        return int(self.mel2ph.shape[1])


class DiffSvcVoice(nn.Module):
    """Content encoder, condition, diffusion, vocoder and pitch extractor of a diff-svc voice."""

    def __init__(
        self,
        config: ForeignConfig,
        diffusion: GaussianDiffusion,
        condition: Condition,
        content: nn.Module | None = None,
        vocoder: nn.Module | None = None,
        pitch_extractor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.front_end = MelFrontEnd(config.mel)
        self.diffusion, self.condition = diffusion, condition
        self.content, self.vocoder, self.pitch_extractor = content, vocoder, pitch_extractor
        self.eval()

    @staticmethod
    def from_weights(config: ForeignConfig, weights: State) -> DiffSvcVoice:
        """A voice of weights under `diffusion.`, `condition.`, `content.`, `vocoder.` and so on."""
        return DiffSvcVoice(
            config,
            GaussianDiffusion.from_state_dict(_below(weights, "diffusion"), config.dilation_cycle),
            Condition.from_state_dict(
                _below(weights, "condition"), config.pitch, config.heads, config.activation
            ),
            _content(config, _below(weights, "content")),
            _vocoder(config, _below(weights, "vocoder")),
            _pitch_extractor(config, _below(weights, "pitch_extractor")),
        )

    @staticmethod
    def load(path: Path) -> DiffSvcVoice:
        """Reads an imported voice; a file that is none, or not whole, is a VoiceFileError."""
        from safetensors.torch import load_file

        config = read_foreign_config(path)
        try:
            voice = DiffSvcVoice.from_weights(config, load_file(path))
        except (VoiceFileError, ConfigError) as error:
            raise VoiceFileError(f"{path}: {error}; import the voice again") from None
        if voice.vocoder is None:
            voice.vocoder = EmbeddedVocoder()
        return voice

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
        if self.content is None:
            raise VoiceFileError(
                f"voice {self.config.name} holds no content encoder; import it again with --hubert"
            )
        made: Tensor = self.content(wave16)
        return made

    def hear(self, wave: Tensor, units: Tensor, f0: NDArray[np.float64]) -> Heard:
        """wave (1, T) at the voice's rate, its units and f0 in Hz (frames,), 0 unvoiced."""
        mel = self.front_end(wave)
        frames = mel.shape[2]
        if len(f0) != frames:
            raise ConfigError(f"expected f0 of {frames} frames, as the mel has, got {len(f0)}")
        if not frames or not units.shape[1]:
            raise ConfigError(
                f"nothing to convert: {wave.shape[1]} samples are {frames} mel frames and"
                f" {units.shape[1]} units, expected at least 1 of each"
            )
        pitch = log_pitch(f0)
        log10 = mel / LN_OF_10 if self.config.mel.natural_log else mel
        return Heard(
            units,
            align(frames, units.shape[1])[None],
            torch.from_numpy(pitch.log2)[None],
            torch.from_numpy(pitch.unvoiced)[None],
            energy(log10),
            log10,
        )

    def conditioned(
        self, heard: Heard, semitones: float = 0.0, exact: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """-> the denoiser's condition (B, H, T) and f0 in Hz (B, T), in another key.

        exact: None takes the voice's own; else whether pitch above f0_max drops to 1 Hz.
        """
        exact = self.config.exact if exact is None else exact
        log2 = shift_pitch(heard.log2_f0, semitones, self.config.pitch.f0_max, exact)
        made: tuple[Tensor, Tensor] = self.condition(
            heard.units, heard.mel2ph, log2, heard.unvoiced, heard.energy
        )
        return made

    def sample(
        self,
        cond: Tensor,
        noise: Tensor,
        speedup: int | None = None,
        start_mel: Tensor | None = None,
        start: int | None = None,
        fresh: Callable[[int], Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """cond (B, H, T), standard normal noise (B, M, T) -> the voice's mel in log10 (B, M, T).

        speedup: stride of PLMS; 1 is DDPM, with `fresh(j)` the noise of executed step j. start: the
        step to begin at; with start_mel (B, M, T) from that mel under the noise of step start - 1.
        mask (B, 1, T): 1 where a frame is real.
        """
        config, diffusion = self.config, self.diffusion
        speedup = config.speedup if speedup is None else speedup
        start = config.k_step if start is None else start
        if not 1 <= start <= diffusion.timesteps:
            raise ConfigError(f"start must lie between 1 and {diffusion.timesteps}, got {start}")
        x = noise
        if start_mel is not None:
            step = torch.full((len(x),), start - 1, dtype=torch.long)
            x = diffusion.diffuse(diffusion.normalise(start_mel), step, noise)
        predict = bind(diffusion, cond, mask)
        if speedup > 1:
            return diffusion.denormalise(sample_plms(diffusion, predict, x, start, speedup))
        if fresh is None:
            raise ConfigError("speed-up 1 is DDPM and needs fresh noise for each step")
        return diffusion.denormalise(sample_ddpm(diffusion, predict, x, start, fresh))

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
        clipped = mel.clamp(self.config.mel_min, self.config.mel_max)
        as_it_is = self.config.vocoder == "hifigan-24k" or self.config.mel.natural_log
        heard = clipped if as_it_is else clipped * LN_OF_10
        if self.vocoder is None:
            raise VoiceFileError(f"voice {self.config.name} holds no vocoder of its own")
        if isinstance(self.vocoder, EmbeddedVocoder):
            made: Tensor = self.vocoder(heard, f0, f0 > 0 if voiced is None else voiced)
            return made
        wave: Tensor = self.vocoder(heard, f0, rand_ini, noise)
        return wave


class EmbeddedVocoder(nn.Module):
    """The vocoder of the embedded voice, for voices that bring none; 44.1 kHz, 128 mel bins."""

    def __init__(self) -> None:
        super().__init__()
        voice = VoiceModel.load(find_voice(DEFAULT_VOICE))
        self.vocoder = voice.vocoder

    def forward(self, mel: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """mel (B, M, T) in natural log, f0 (B, T), voiced (B, T) -> wave (B, T * hop)."""
        more = [torch.cat([part, part[..., -1:]], -1) for part in (mel, f0, voiced)]
        wave, _ = self.vocoder(more[0].clamp(max=LOUDEST_MEL), *more[1:])
        late = self.vocoder.latency
        samples = mel.shape[2] * self.vocoder.audio.hop_length
        made: Tensor = wave[:, late : late + samples]
        return made


def save_foreign(path: Path, config: ForeignConfig, weights: State) -> None:
    """Writes an imported voice as a voice file, in full precision."""
    own = {key: weight.clone() for key, weight in weights.items()}  # none shares its memory
    write_voice_file(path, own, json.dumps(to_dict(config)), config.family)


def read_foreign_config(path: Path) -> ForeignConfig:
    """The config of an imported voice, without its weights."""
    metadata = read_metadata(path)
    if kind_of(metadata) == NATIVE:
        raise VoiceFileError(f"{path} is a voice of moksori, expected an imported one")
    try:
        return from_dict(ForeignConfig, json.loads(metadata["config"]))
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise VoiceFileError(f"{path}: its config cannot be read: {error}") from None


def _below(weights: State, part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _content(config: ForeignConfig, weights: State) -> nn.Module | None:
    if not config.content:
        return None
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
