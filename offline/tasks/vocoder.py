"""Training the SourceFilter vocoder: log spectra at several resolutions, then a spectral critic.

Crops are played faster or slower (pitch and formants together), so that one network speaks for
voices and pitches the recordings do not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from core.config import AudioConfig, MelConfig, VocoderConfig
from core.errors import VoiceChangerError
from core.mel import LogMel
from core.vocoder.source_filter import SourceFilter
from offline.preprocess import Manifest, load_f0, load_wave

RESOLUTIONS = (2048, 1024, 512, 256)
_WARM_FRAMES = 12  # the network's past is empty there: not judged


@dataclass(frozen=True)
class VocoderBatch:
    """wave (B, T * hop), f0 in Hz and voiced (B, T)."""

    wave: Tensor
    f0: Tensor
    voiced: Tensor


class SpectralCritic(nn.Module):
    """Judges patches of a log spectrogram (B, inputs, frames, bins); small, for one resolution."""

    def __init__(self, channels: int = 12, inputs: int = 1) -> None:
        super().__init__()
        shapes = [(inputs, channels), (channels, channels), (channels, 2 * channels)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, (3, 7), stride=(1, 2) if i == 0 else (2, 2), padding=(1, 3))
            for i, (a, b) in enumerate([*shapes, (2 * channels, 2 * channels)])
        )
        self.last = nn.Conv2d(2 * channels, 1, 3, padding=1)

    def forward(self, spectrum: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores of patches and the activations on the way."""
        x, seen = spectrum, []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            seen.append(x)
        return self.last(x), seen


class VocoderTask:
    """Crops of recordings -> spectral distance of their resynthesis (and the critics' opinion)."""

    def __init__(
        self,
        audio: AudioConfig,
        mel: MelConfig,
        config: VocoderConfig,
        features: Path,
        manifest: Manifest,
        speakers: Sequence[str],
        batch: int = 6,
        crop_frames: int = 64,
        adversarial_after: int = 10**9,
        held_back: int = 40,
    ) -> None:
        """speakers: whose recordings. held_back: every n-th recording serves validation only."""
        self.audio, self.batch, self.crop_frames = audio, batch, crop_frames
        self.adversarial_after = adversarial_after
        self.vocoder = SourceFilter(audio, mel, config)
        self.critics = nn.ModuleList(SpectralCritic() for _ in RESOLUTIONS[:3])
        self.both = nn.ModuleDict({"vocoder": self.vocoder, "critics": self.critics})
        self.log_mel = LogMel(audio, mel)
        self.items: list[tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.bool_]]] = []
        self.validation: list[VocoderBatch] = []
        chosen = [u for u in manifest.utterances if u.speaker in speakers]
        for i, utterance in enumerate(tqdm(chosen, "waves", disable=None)):
            wave = load_wave(features, utterance)
            f0, voiced = load_f0(features, utterance)
            if i % held_back == 0:
                frames = len(wave) // audio.hop_length
                self.validation.append(
                    VocoderBatch(
                        torch.from_numpy(wave[: frames * audio.hop_length])[None],
                        torch.from_numpy(f0[:frames])[None],
                        torch.from_numpy(voiced[:frames])[None],
                    )
                )
            elif len(f0) > 2 * crop_frames:
                self.items.append(((wave * 32767).astype(np.int16), f0, voiced))
        if not self.items:
            raise VoiceChangerError(
                f"no recordings of {', '.join(speakers)} in {features} are longer than"
                f" {2 * crop_frames / audio.frame_rate:.1f} s; the vocoder learns from such"
            )
        lengths = torch.tensor([float(len(f0)) for _, f0, _ in self.items])
        self.weights = lengths

    @property
    def module(self) -> nn.Module:
        return self.both

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Spectral loss, and both sides of the critics' game once it is on."""
        batch = self.draw(generator)
        with torch.autocast("cpu", enabled=False):  # Fourier transforms want whole precision
            made = self.resynthesise(batch)
        skip = _WARM_FRAMES * self.audio.hop_length
        real, fake = batch.wave[:, skip:], made[:, skip:]
        loss, spectra = spectral_loss(real, fake)
        figures = {"spectral": loss.item() / len(RESOLUTIONS)}
        if step >= self.adversarial_after:
            game, opinions = adversarial_loss(self.critics, spectra)
            loss = loss + game
            figures |= opinions
        return loss, figures

    def validate(self) -> dict[str, float]:
        """Log spectral distance on recordings held back."""
        distances = []
        for batch in self.validation:
            made = self.resynthesise(batch)
            spectra = [(log_spectrum(batch.wave, n), log_spectrum(made, n)) for n in RESOLUTIONS]
            distances.append(np.mean([float((a - b).abs().mean()) for a, b in spectra]))
        return {"distance": float(np.mean(distances))}

    def resynthesise(self, batch: VocoderBatch) -> Tensor:
        """The wave as the vocoder says it from its own mel, aligned with the original."""
        with torch.no_grad():
            mel = self.log_mel(batch.wave)
        delay = self.vocoder.latency
        noise = torch.randn(len(batch.wave), batch.wave.shape[1])
        made, _ = self.vocoder(mel, batch.f0, batch.voiced, noise=noise)
        return F.pad(made[:, delay:], (0, delay))

    def draw(self, generator: torch.Generator) -> VocoderBatch:
        """Random crops, half of them at another speed, at random levels."""
        import soxr

        hop, size = self.audio.hop_length, self.crop_frames
        drawn = torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        waves, f0s, voiceds = [], [], []
        for i in drawn.tolist():
            wave, f0, voiced = self.items[i]
            draw = torch.rand(4, generator=generator).tolist()
            speed = float(np.exp((draw[0] * 2 - 1) * np.log(1.4))) if draw[1] < 0.5 else 1.0
            needed = int(size * speed) + 2
            needed = min(needed, len(f0))
            start = int(draw[2] * (len(f0) - needed))
            piece = wave[start * hop : (start + needed) * hop].astype(np.float32) / 32767
            if speed != 1.0:
                rate = self.audio.sample_rate
                piece = soxr.resample(piece, rate * speed, rate, "MQ")
            piece = np.pad(piece, (0, max(size * hop - len(piece), 0)))[: size * hop]
            centres = np.minimum(((np.arange(size) + 0.5) * speed).astype(int), needed - 1) + start
            gain = 10 ** ((draw[3] * 18 - 14) / 20)
            waves.append(torch.from_numpy(np.clip(piece * gain, -1, 1).astype(np.float32)))
            f0s.append(torch.from_numpy((f0[centres] * speed).astype(np.float32)))
            voiceds.append(torch.from_numpy(voiced[centres]))
        return VocoderBatch(torch.stack(waves), torch.stack(f0s), torch.stack(voiceds))


def spectral_loss(real: Tensor, fake: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Waves (B, T) -> distance of their spectra at every resolution, and these log spectra."""
    loss = real.new_zeros(())
    spectra = []
    for size in RESOLUTIONS:
        a, b = log_spectrum(real, size), log_spectrum(fake, size)
        spectra.append((a, b))
        distance = (a - b).abs().mean()
        strong = (a.exp() - b.exp()).square().sum().sqrt() / a.exp().square().sum().sqrt()
        loss = loss + distance + 0.5 * strong
    return loss, spectra


def adversarial_loss(
    critics: nn.ModuleList, spectra: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, dict[str, float]]:
    """Log spectra of real and made waves -> both sides of the critics' game.

    One backward serves both sides: the maker's terms do not reach the critics' weights, nor the
    critics' terms the maker's.
    """
    loss = spectra[0][0].new_zeros(())
    figures = {"critic": 0.0, "fooled": 0.0}
    for critic, (a, b) in zip(critics, spectra, strict=False):
        a, b = a[:, None], b[:, None]
        for weight in critic.parameters():
            weight.requires_grad_(False)
        score, seen = critic(b)
        with torch.no_grad():
            _, wanted = critic(a)
        fooled = (1 - score).square().mean()
        matched = sum(
            ((x - y).abs().mean() for x, y in zip(seen, wanted, strict=True)), a.new_zeros(())
        )
        loss = loss + 0.3 * fooled + 0.5 * matched
        for weight in critic.parameters():
            weight.requires_grad_(True)
        judged = (1 - critic(a)[0]).square().mean() + critic(b.detach())[0].square().mean()
        loss = loss + judged
        figures["critic"] += judged.item()
        figures["fooled"] += fooled.item()
    return loss, figures


def log_spectrum(wave: Tensor, size: int) -> Tensor:
    """(B, T) -> natural log magnitude (B, frames, bins) at a quarter-window hop."""
    window = torch.hann_window(size, device=wave.device)
    windows = wave.unfold(-1, size, size // 4) * window
    power = torch.fft.rfft(windows).abs().square()
    return 0.5 * torch.log(power + (1e-4 * size**0.5) ** 2)
