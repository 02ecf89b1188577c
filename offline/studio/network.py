"""Adapting: the networks of a voice that learn a new target, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Speaker, VoiceConfig
from core.diffusion.denoiser import Preconditioned
from core.voice import VoiceModel
from offline.studio.batches import Batch
from offline.studio.lowrank import make_low_rank, merge_low_rank
from offline.studio.settings import SCRATCH, TrainSettings
from offline.studio.strangers import Words
from offline.tasks.vocoder import RESOLUTIONS, SpectralCritic, adversarial_loss, spectral_loss

SPOKEN_FRAMES = 56  # of each crop, that the vocoder says
_WARM_FRAMES = 12  # its past is empty there: not judged
_PRIOR_WEIGHT, _EDM_WEIGHT = 4.0, 0.5
SPEAKER = "denoiser.network.condition.speaker.weight"
"""The one weight that says who speaks, (channels, speakers)."""


class Adapting(nn.Module):
    """The denoiser of one target, and with `polish` its vocoder and three critics of spectra."""

    def __init__(self, base: VoiceModel, name: str, settings: TrainSettings) -> None:
        """base: whose weights it starts from."""
        super().__init__()
        config = base.config
        scratch = settings.start == SCRATCH
        if scratch:
            channels = settings.channels or config.denoiser.channels
            wished = replace(
                config.denoiser,
                network=settings.network,
                channels=channels,
                causal=settings.causal,
            )
            config = replace(config, denoiser=wished)
        self.config = replace(config, name=name, speakers=(Speaker(name),))
        speaker = base.denoiser.network.condition.speaker.weight.detach()
        fresh = VoiceModel(replace(self.config, content=replace(config.content, bank_size=0)))
        weights = {
            key: value
            for key, value in base.state_dict().items()
            if not key.startswith(("bank.", "encoder.", "denoiser." if scratch else SPEAKER))
        }
        fresh.load_state_dict(weights, strict=False)
        self.candidates = [] if scratch else [*speaker.T[:, :, None], speaker.mean(1, keepdim=True)]
        self.denoiser: Preconditioned = fresh.denoiser
        self.vocoder = fresh.vocoder if settings.polish else None
        self.critics = (
            nn.ModuleList(SpectralCritic() for _ in RESOLUTIONS[:3]) if settings.polish else None
        )
        if settings.method == "low-rank":
            make_low_rank(self.denoiser, settings.rank)
            if self.vocoder is not None:
                make_low_rank(self.vocoder, settings.rank)
        elif settings.method == "speaker":
            self.requires_grad_(False)
        self.speaker.requires_grad_(True)
        self.words_weight = settings.words
        self.train()

    @property
    def speaker(self) -> nn.Parameter:
        """What `SPEAKER` names."""
        weight = self.get_parameter(SPEAKER)
        return weight

    def forward(self, batch: Batch, words: Words | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss summed over real frames, and means to log (detached). words: of strangers."""
        denoiser, frames = self.denoiser, batch.mask.sum()
        x0 = denoiser.normalise(batch.mel)
        rest, prior = denoiser.loss(x0, batch.conditions, batch.sigma, batch.noise, batch.mask)
        own = rest + _PRIOR_WEIGHT * prior
        x = self.one_step(batch)
        error = _mean((x - x0).square(), batch.mask)
        figures = {"rest": rest, "prior": prior, "mel": error}
        loss = own + error
        if self.critics is not None and batch.wave.shape[1]:
            with torch.autocast(x.device.type, enabled=False):  # Fourier transforms want all bits
                made = self.speak(denoiser.denormalise(x.float()), batch)
                skip = _WARM_FRAMES * self.config.audio.hop_length
                spectral, spectra = spectral_loss(batch.wave[:, skip:], made[:, skip:])
            game, opinions = adversarial_loss(self.critics, spectra)
            loss = spectral + game + error + _EDM_WEIGHT * own
            figures |= {"spectral": spectral / len(RESOLUTIONS)}
            figures |= {key: torch.tensor(value) for key, value in opinions.items()}
        if words is not None:
            figures["words"] = self.misheard(words)
            loss = loss + self.words_weight * figures["words"]
        return loss * frames, {key: value.detach() for key, value in figures.items()}

    def misheard(self, words: Words) -> Tensor:
        """How much of what strangers say the ear does not hear in this voice, nats a frame."""
        return words.misheard(self.denoiser.denormalise(self.one_step(words.batch)))

    def one_step(self, batch: Batch) -> Tensor:
        """The normalised mel (B, M, T) as a listener gets it: one step from full noise."""
        sigma = self.config.denoiser.sigma_max
        prepared, _ = self.denoiser.condition(batch.conditions)
        prepared = prepared._replace(mask=batch.mask)
        x, _ = self.denoiser.denoise(prepared.prior + sigma * batch.noise, sigma, prepared)
        return x.float()

    def speak(self, mel: Tensor, batch: Batch) -> Tensor:
        """The spoken frames of log mels as a wave (B, S * hop), aligned with `batch.wave`."""
        assert self.vocoder is not None
        hop, delay = self.config.audio.hop_length, self.vocoder.latency
        count = batch.wave.shape[1] // hop
        index = batch.spoken[:, None] + torch.arange(count, device=mel.device)
        rows = torch.arange(len(mel), device=mel.device)[:, None]
        made, _ = self.vocoder(
            mel.transpose(1, 2)[rows, index].transpose(1, 2),
            batch.conditions.f0[rows, index],
            batch.conditions.voiced[rows, index],
            noise=batch.source,
        )
        return F.pad(made[:, delay:], (0, delay))

    def nearest_speaker(self, batches: Sequence[Batch]) -> int:
        """Sets out from the base's speaker (or their mean) that says the recordings best.

        Its position; -1 from scratch.
        """
        if not self.candidates:
            return -1
        errors = []
        with torch.inference_mode():
            for candidate in self.candidates:
                self.speaker.copy_(candidate)
                errors.append(sum(float(self.check(batch)["prior"]) for batch in batches))
        best = errors.index(min(errors))
        with torch.no_grad():
            self.speaker.copy_(self.candidates[best])
        return best

    def measure_mel(self, mels: Sequence[Tensor]) -> None:
        """Mean and deviation of each mel bin over log mels (M, T), for training from scratch."""
        every = torch.cat([mel.float() for mel in mels], 1)
        self.denoiser.mel_mean.copy_(every.mean(1))
        self.denoiser.mel_std.copy_(every.std(1).clamp(min=0.01))

    def check(self, batch: Batch) -> dict[str, Tensor]:
        """Figures of a batch, without its loss."""
        x0 = self.denoiser.normalise(batch.mel)
        rest, prior = self.denoiser.loss(x0, batch.conditions, batch.sigma, batch.noise, batch.mask)
        x = self.one_step(batch)
        figures = {"rest": rest, "prior": prior, "mel": _mean((x - x0).square(), batch.mask)}
        if self.vocoder is not None and batch.wave.shape[1]:
            made = self.speak(self.denoiser.denormalise(x), batch)
            skip = _WARM_FRAMES * self.config.audio.hop_length
            spectral, _ = spectral_loss(batch.wave[:, skip:], made[:, skip:])
            figures["spectral"] = spectral / len(RESOLUTIONS)
        return figures

    def merged(self) -> None:
        """Turns low-rank changes into plain weights; for export, training ends with it."""
        merge_low_rank(self)


def voice_of(network: Adapting, base: VoiceModel, config: VoiceConfig | None = None) -> VoiceModel:
    """A voice with the network's weights and the base's encoder; its bank is still empty."""
    voice = VoiceModel(
        config or replace(network.config, content=replace(network.config.content, bank_size=0))
    )
    voice.encoder.load_state_dict(base.encoder.state_dict())
    voice.denoiser.load_state_dict(_plain(network.denoiser))
    voice.vocoder.load_state_dict(_plain(network.vocoder if network.vocoder else base.vocoder))
    return voice.eval()


def _plain(module: nn.Module) -> dict[str, Tensor]:
    """The weights under their own names, low-rank changes added."""
    weights = {k: v for k, v in module.state_dict().items() if "parametrizations" not in k}
    for name, layer in module.named_modules():
        if nn.utils.parametrize.is_parametrized(layer, "weight"):
            weights[f"{name}.weight"] = layer.weight.detach()
    return weights


def _mean(error: Tensor, mask: Tensor) -> Tensor:
    """Of (B, M, T) over real frames."""
    return (error.mean(1) * mask).sum() / mask.sum()
