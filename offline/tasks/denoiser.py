"""Training the denoiser: mel frames of the target speakers from units of their disguised selves.

The units are computed ahead from several disguises of each recording (vocal tract, colour, room,
level), so the denoiser learns to trust what is said and to take the voice from the speaker alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from core.config import VoiceConfig
from core.content.phonetic import PhoneticEncoder
from core.diffusion.denoiser import Preconditioned
from core.diffusion.wavenet import WaveNet
from core.errors import VoiceChangerError, unknown_name
from core.features import Conditions, loudness
from core.mel import LogMel
from offline.augment import SpectralAugment, load_rooms
from offline.preprocess import Manifest, Utterance, load_f0, load_wave
from offline.tasks.content import load_noises
from offline.tasks.objectives import OBJECTIVES, Batch
from offline.units import disguised_units

_NOISY, _SNR_DB = 0.4, (3.0, 35.0)  # of what the encoder hears
_NOISE_FLOOR_SHARE = 0.5  # of the crops whose loudness is that of a noisy room


@dataclass(frozen=True)
class Item:
    """One recording. units (variants, D, T) and mel (M, T) in half precision, the rest (T,)."""

    features: Path
    utterance: Utterance
    speaker: int
    mel: Tensor
    units: Tensor
    f0: Tensor
    voiced: Tensor
    loudness: Tensor


class Crop(NamedTuple):
    """Which part of a recording, from which frame, was taken how much louder."""

    item: Item
    start: int
    gain_db: float


class DenoiserTask:
    """Padded batches of crops -> the EDM loss of `Preconditioned`."""

    def __init__(
        self,
        voice: VoiceConfig,
        encoder: PhoneticEncoder,
        features: Path,
        manifest: Manifest,
        shares: Sequence[float] | None = None,
        variants: int = 4,
        batch: int = 12,
        crop_frames: int = 160,
        held_back: int = 40,
        seed: int = 0,
        objective: str = "edm",
        others: Sequence[Path] = (),
        sung: Path | None = None,
        noise: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        """shares: of each of the voice's speakers in a batch. variants: disguises; one is none.

        others: feature folders with the same recordings in other disguises. sung: feature folder of
        further recordings, as `offline.sung` makes them. noise: folder of noises to mix into what
        the encoder hears. cache: where the units are kept from run to run.
        """
        if objective not in OBJECTIVES:
            raise unknown_name("objective", objective, OBJECTIVES)
        self.objective = OBJECTIVES[objective]
        self.levels = voice.denoiser.sigma_min, voice.denoiser.sigma_max
        self.voice, self.batch, self.crop_frames = voice, batch, crop_frames
        names = [speaker.name for speaker in voice.speakers]
        network = WaveNet(voice.mel.n_mels, voice.content.dim, len(names), voice.denoiser)
        self.denoiser = Preconditioned(network, voice.mel.n_mels, voice.denoiser.sigma_data)
        self.encoder, self.cache, self.seed = encoder, cache, seed
        self.augment = SpectralAugment(
            voice.audio,
            voice.content,
            load_noises(encoder, noise),
            rooms=load_rooms(noise / "rir", voice.audio, voice.content.n_fft) if noise else (),
            noisy=_NOISY,
            snr_db=_SNR_DB,
        )
        chosen = [u for u in manifest.utterances if u.speaker in names]
        if not chosen:
            raise VoiceChangerError(f"no recordings of {', '.join(names)} in {features}")
        items = self.load(features, chosen, variants, others)
        self.validation = items[::held_back]
        self.items = [item for i, item in enumerate(items) if i % held_back]
        if sung is not None:
            held = {item.utterance.path for item in self.validation}
            more = Manifest.load(sung, voice.audio, voice.f0).utterances
            fit = [u for u in more if u.speaker in names and u.path not in held]
            self.items += self.load(sung, fit, 2, ())
        frames = torch.tensor([float(len(item.f0)) for item in self.items])
        owner = torch.tensor([item.speaker for item in self.items])
        wanted = torch.tensor(shares if shares is not None else [1.0] * len(names))
        per_speaker = torch.zeros(len(names)).index_add_(0, owner, frames)
        self.weights = frames / per_speaker[owner] * wanted[owner]
        self._measure_mel()

    @property
    def module(self) -> nn.Module:
        return self.denoiser

    def load(
        self,
        features: Path,
        utterances: Sequence[Utterance],
        variants: int,
        others: Sequence[Path],
    ) -> list[Item]:
        """Features and units of recordings, of the voice's speakers or of others (speaker -1)."""
        names = [speaker.name for speaker in self.voice.speakers]
        units = disguised_units(
            self.encoder,
            features,
            utterances,
            others,
            self.augment,
            variants,
            self.seed,
            cache=self.cache,
        )
        log_mel = LogMel(self.voice.audio, self.voice.mel)
        items = []
        for utterance, variations in zip(utterances, units, strict=True):
            wave = torch.from_numpy(load_wave(features, utterance))[None]
            f0, voiced = load_f0(features, utterance)
            with torch.inference_mode():
                mel = log_mel(wave)[0]
                level = loudness(wave, self.voice.audio.hop_length)[0]
            index = names.index(utterance.speaker) if utterance.speaker in names else -1
            items.append(
                Item(
                    features,
                    utterance,
                    index,
                    mel.half(),
                    variations,
                    torch.from_numpy(f0),
                    torch.from_numpy(voiced),
                    level,
                )
            )
        return items

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """The objective's loss of one batch."""
        batch, _ = self.draw(generator)
        return self.objective(self.denoiser, batch, step, self.levels, generator)

    def draw(self, generator: torch.Generator) -> tuple[Batch, list[Crop]]:
        """A random batch, and where its items come from."""
        drawn = torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        return self.collate([self.items[i] for i in drawn.tolist()], generator)

    def validate(self) -> dict[str, float]:
        """The loss at fixed noise levels on recordings held back; at high noise, regression."""
        figures: dict[str, float] = {}
        for sigma in (0.1, 0.4, 1.0, self.levels[1]):
            generator = torch.Generator().manual_seed(1)
            rests, priors = [], []
            for first in range(0, len(self.validation), self.batch):
                group = self.validation[first : first + self.batch]
                (x0, conditions, mask), _ = self.collate(group, generator)
                noise = torch.randn(x0.shape, generator=generator)
                sigmas = torch.full((len(group),), sigma)
                rest, prior = self.denoiser.loss(x0, conditions, sigmas, noise, mask)
                rests.append(rest.item())
                priors.append(prior.item())
            figures[f"rest at {sigma}"] = float(np.mean(rests))
            figures["prior"] = float(np.mean(priors))
        return figures

    def collate(
        self, items: Sequence[Item], generator: torch.Generator
    ) -> tuple[Batch, list[Crop]]:
        """Random crops, padded to the longest, at random levels."""
        longest = min(self.crop_frames, max(len(item.f0) for item in items))
        config = self.voice
        batch = len(items)
        mel = torch.full((batch, config.mel.n_mels, longest), float(np.log(config.mel.floor)))
        units = torch.zeros(batch, config.content.dim, longest)
        f0 = torch.full((batch, longest), 150.0)
        voiced = torch.zeros(batch, longest, dtype=torch.bool)
        level = torch.full((batch, longest), -100.0)
        mask = torch.zeros(batch, longest)
        speaker = torch.zeros(batch, len(config.speakers), longest)
        crops = []
        for b, item in enumerate(items):
            draw = torch.rand(5, generator=generator).tolist()
            n = min(longest, len(item.f0))
            start = int(draw[0] * (len(item.f0) - n + 1))
            part = slice(start, start + n)
            gain_db = (draw[1] - 0.5) * 16  # +- 8 dB: the model follows the level it is told
            variant = int(draw[2] * len(item.units))
            mel[b, :, :n] = (item.mel[:, part].float() + gain_db * np.log(10) / 20).clamp(
                min=float(np.log(config.mel.floor))
            )
            units[b, :, :n] = item.units[variant, :, part].float()
            f0[b, :n], voiced[b, :n] = item.f0[part], item.voiced[part]
            level[b, :n] = (item.loudness[part] + gain_db).clamp(min=-100.0)
            if draw[3] < _NOISE_FLOOR_SHARE:  # the source's noise, which the voice must not say
                floor_db = float(level[b, :n].max()) - 12 - 50 * draw[4]
                level[b, :n] = 10 * torch.log10(10 ** (level[b, :n] / 10) + 10 ** (floor_db / 10))
            mask[b, :n] = 1.0
            speaker[b, item.speaker] = 1.0
            crops.append(Crop(item, start, gain_db))
        x0 = self.denoiser.normalise(mel)
        return Batch(x0, Conditions(units, f0, voiced, level, speaker), mask), crops

    def _measure_mel(self) -> None:
        """Mean and deviation of each mel bin over the training set, stored with the weights."""
        total = sum(item.mel.shape[1] for item in self.items)
        mean = sum((item.mel.double().sum(1) for item in self.items), torch.zeros(1)) / total
        square = sum((item.mel.double().square().sum(1) for item in self.items), torch.zeros(1))
        self.denoiser.mel_mean.copy_(mean)
        self.denoiser.mel_std.copy_((square / total - mean.square()).clamp(min=1e-4).sqrt())
