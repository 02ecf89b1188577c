"""What a content encoder must not hear: vocal tract, colour, room, level, noise; on power spectra.

Working on spectra makes these changes cheap enough to draw anew for every crop.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.config import AudioConfig, ContentConfig
from core.mel import mel_filters


class SpectralAugment:
    """Draws warped filter banks, equaliser curves, rooms, noise and gains."""

    def __init__(
        self,
        audio: AudioConfig,
        config: ContentConfig,
        noises: list[Tensor],
        warp_range: float = 1.25,
        n_warps: int = 41,
    ) -> None:
        """noises: power spectra (frames, bins) to mix in. warp_range: largest warp factor."""
        factors = np.exp(np.linspace(-math.log(warp_range), math.log(warp_range), n_warps))
        banks = [
            mel_filters(
                audio.sample_rate,
                config.n_fft,
                config.n_bands,
                config.f_min,
                config.f_max,
                float(f),
            )
            for f in factors
        ]
        self.banks = torch.from_numpy(np.stack(banks))
        self.noises = noises
        self.frame_rate = audio.frame_rate

    def filters(self, batch: int, generator: torch.Generator) -> Tensor:
        """A random warped bank an item, (B, n_bands, bins); a fifth of them unwarped."""
        drawn = torch.randint(len(self.banks), (batch,), generator=generator)
        keep = torch.rand(batch, generator=generator) < 0.2
        drawn[keep] = len(self.banks) // 2
        return self.banks[drawn]

    def power(self, power: Tensor, generator: torch.Generator) -> Tensor:
        """(B, T, bins) -> the same in another room, level, colour and noise."""
        batch, frames, bins = power.shape

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator) * (high - low) + low

        for b in range(batch):  # room: an exponential tail
            if uniform(0, 1, 1) < 0.25:
                rt60 = float(uniform(0.15, 0.6, 1))
                decay = 10 ** (-6.0 / (rt60 * self.frame_rate))
                taps = 0.25 * float(uniform(0.1, 1.0, 1)) * decay ** torch.arange(1.0, 16.0)
                for k, tap in enumerate(taps.tolist(), start=1):
                    power[b, k:] = power[b, k:] + tap * power[b, :-k]
        axis = torch.linspace(0, math.pi, bins)
        waves = torch.cos(torch.arange(1, 6)[:, None] * axis)  # slow curves over frequency
        curve_db = (uniform(-4, 4, batch, 5) @ waves)[:, None]  # (B, 1, bins)
        power = power * 10 ** (curve_db / 10)
        level = power.mean(dim=(1, 2), keepdim=True)
        for b in range(batch):
            if uniform(0, 1, 1) < 0.5:
                noise = self._noise(frames, bins, generator)
                snr_db = float(uniform(0, 35, 1))
                scale = float(level[b]) / (float(noise.mean()) + 1e-20) * 10 ** (-snr_db / 10)
                power[b] = power[b] + noise * scale
        gain_db = uniform(-18, 12, batch)[:, None, None]
        return power * 10 ** (gain_db / 10)

    def mask(self, bands: Tensor, generator: torch.Generator) -> Tensor:
        """Hides a few bands and a few frames of (B, T, n_bands), in place."""
        batch, frames, n_bands = bands.shape
        for b in range(batch):
            width = int(torch.randint(0, 10, (1,), generator=generator))
            first = int(torch.randint(0, n_bands - width, (1,), generator=generator))
            bands[b, :, first : first + width] = 0
            if torch.rand(1, generator=generator) < 0.15:  # a telephone
                bands[b, :, int(n_bands * 0.72) :] = bands[b].amin()
            for _ in range(2):
                width = int(torch.randint(0, 8, (1,), generator=generator))
                first = int(torch.randint(0, frames - width, (1,), generator=generator))
                bands[b, first : first + width] = 0
        return bands

    def _noise(self, frames: int, bins: int, generator: torch.Generator) -> Tensor:
        choice = int(torch.randint(len(self.noises) + 1, (1,), generator=generator))
        if choice == len(self.noises):  # white to brown, made here
            slope = float(torch.rand(1, generator=generator)) * 2
            colour = torch.arange(1.0, bins + 1) ** -slope
            return -torch.log(torch.rand(frames, bins, generator=generator).clamp(1e-9)) * colour
        noise = self.noises[choice]
        start = int(torch.randint(max(len(noise) - frames, 1), (1,), generator=generator))
        crop = noise[start : start + frames].float().exp()
        return crop.repeat(-(-frames // len(crop)), 1)[:frames]
