"""Polish: the denoiser's one step and the vocoder learn together, judged by what is heard.

A trained denoiser's first step, from full noise, leaves what it cannot know averaged out. Here its
mel goes through the vocoder, and spectral critics compare the wave with the recording, so the step
learns to say one of the likely mels instead of their mean, and the vocoder hears mels as they are
made (Sauer et al. 2023, "Adversarial Diffusion Distillation", with the critic behind the vocoder).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import VoiceConfig
from core.content.phonetic import PhoneticEncoder
from core.vocoder.source_filter import SourceFilter
from offline.preprocess import Manifest, wave_path
from offline.tasks.conversions import Conversions
from offline.tasks.denoiser import Crop, DenoiserTask
from offline.tasks.objectives import edm
from offline.tasks.spoken import Spoken
from offline.tasks.vocoder import RESOLUTIONS, SpectralCritic, adversarial_loss, spectral_loss

_MEL_WEIGHT, _EDM_WEIGHT = 1.0, 0.5
_SETTLING_STEPS = 150  # in which new critics learn and nobody listens to them


class PolishTask:
    """Crops of the targets -> spectral distance and critics of the wave of one step."""

    def __init__(
        self,
        voice: VoiceConfig,
        encoder: PhoneticEncoder,
        denoiser: dict[str, Tensor],
        vocoder: dict[str, Tensor],
        features: Path,
        manifest: Manifest,
        shares: Sequence[float] | None = None,
        batch: int = 6,
        crop_frames: int = 128,
        others: Sequence[Path] = (),
        sung: Path | None = None,
        noise: Path | None = None,
        cache: Path | None = None,
        judges: dict[str, Tensor] | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """denoiser, vocoder: weights to begin with, the vocoder's with its critics or without.

        judges, without: as for `Conversions`; with None, the targets' recordings alone teach.
        The rest as for `DenoiserTask`.
        """
        self.inner = DenoiserTask(
            voice,
            encoder,
            features,
            manifest,
            shares,
            batch=batch,
            crop_frames=crop_frames,
            others=others,
            sung=sung,
            noise=noise,
            cache=cache,
        )
        self.voice = voice
        self.sigma = voice.denoiser.sigma_max
        self.denoiser = self.inner.denoiser
        self.vocoder = SourceFilter(voice.audio, voice.mel, voice.vocoder)
        self.spoken = Spoken(self.vocoder, voice.audio.hop_length)
        self.critics = nn.ModuleList(SpectralCritic() for _ in RESOLUTIONS[:3])
        self.all = nn.ModuleDict(
            {"denoiser": self.denoiser, "vocoder": self.vocoder, "critics": self.critics}
        )
        critics = {f"critics.{k}": v for k, v in self.critics.state_dict().items()}
        weights = critics | vocoder | {f"denoiser.{k}": v for k, v in denoiser.items()}
        self.all.load_state_dict(weights)
        self.settling = 0 if critics.keys() <= vocoder.keys() else _SETTLING_STEPS
        self.conversions: Conversions | None = None
        if judges is not None:
            self.conversions = Conversions(self.inner, judges, features, manifest, without)
            self.all["conversions"] = self.conversions.learning

    @property
    def module(self) -> nn.Module:
        return self.all

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Spectral, adversarial and mel losses of one step, and the denoiser's own objective."""
        task = self.inner
        batch, crops = task.draw(generator)
        frames = batch.x0.shape[2]
        waves = torch.stack([self._wave(crop, frames) for crop in crops])
        noise = torch.randn(batch.x0.shape, generator=generator)
        prepared, _ = self.denoiser.condition(batch.conditions)
        x, _ = self.denoiser.denoise(prepared.prior + self.sigma * noise, self.sigma, prepared)
        x = x.float()
        error = ((x - batch.x0).square().mean(1) * batch.mask).sum() / batch.mask.sum()
        with torch.autocast("cpu", enabled=False):
            made = self.spoken(self.denoiser.denormalise(x), batch.conditions, generator)
            recorded = self.spoken.part(waves)
            spectral, spectra = spectral_loss(recorded, made)
        settled = step >= self.settling
        if not settled:
            spectra = [(real, false.detach()) for real, false in spectra]
        game, figures = adversarial_loss(self.critics, spectra)
        own, _ = edm(self.denoiser, batch, step, task.levels, generator)
        loss = spectral + game + _MEL_WEIGHT * error + _EDM_WEIGHT * own
        figures |= {"spectral": spectral.item() / len(RESOLUTIONS), "mel": error.item()}
        if self.conversions is not None:
            judged, opinions = self.conversions.losses(batch, self.sigma, generator)
            loss, figures = loss + judged, figures | opinions
        return loss, figures

    def validate(self) -> dict[str, float]:
        """The denoiser's figures on recordings held back."""
        return self.inner.validate()

    def _wave(self, crop: Crop, frames: int) -> Tensor:
        hop = self.voice.audio.hop_length
        stored = np.load(
            wave_path(crop.item.features, crop.item.utterance.path),
            mmap_mode="r",
            allow_pickle=False,
        )
        piece = stored[crop.start * hop : (crop.start + frames) * hop].astype(np.float32) / 32768
        piece = piece * 10 ** (crop.gain_db / 20)
        return F.pad(torch.from_numpy(piece.astype(np.float32)), (0, frames * hop - len(piece)))
