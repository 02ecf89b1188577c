"""Batches of utterances of unequal length: padded little, masked, the same on every machine.

Which utterances make batch g, from where they are cut and with what noise follows from (seed, g)
alone, so training goes on exactly after a kill, and several processes share one order of batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import VoiceConfig
from core.features import Conditions

_GAIN_DB = 8.0  # either way: the model follows the level it is told
_NOISE_FLOOR_SHARE = 0.5  # of the crops whose loudness is that of a noisy room
_MIDDLE, _SPREAD = 0.6, 1.3  # noise levels: log-normal around 0.6 sigma_data, as EDM draws them


@dataclass(frozen=True)
class Item:
    """One utterance on the frame grid: wave int16; mel (M, T) and units (variants, D, T) in half
    precision; f0, voiced, loudness (T,).
    """

    wave: NDArray[np.int16]
    mel: Tensor
    units: Tensor
    f0: Tensor
    voiced: Tensor
    loudness: Tensor

    @property
    def frames(self) -> int:
        """T."""
        return len(self.f0)


class Crop(NamedTuple):
    """Frames `start` to `start + frames` of an item; key: what its noise is drawn from."""

    item: int
    start: int
    frames: int
    key: int


class Batch(NamedTuple):
    """mel, and noise for the normalised mel: (B, M, T); sigma (B,); mask (B, T), 1 where real.

    wave, source: (B, S * hop): what S frames from frame `spoken` (B,) on sound like, and the noise
    a vocoder may use there; S is 0 where nobody listens.
    """

    mel: Tensor
    conditions: Conditions
    mask: Tensor
    sigma: Tensor
    noise: Tensor
    spoken: Tensor
    wave: Tensor
    source: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        c = self.conditions
        conditions = Conditions(
            c.units.to(device),
            c.f0.to(device),
            c.voiced.to(device),
            c.loudness.to(device),
            c.speaker.to(device),
        )
        return Batch(
            self.mel.to(device),
            conditions,
            self.mask.to(device),
            self.sigma.to(device),
            self.noise.to(device),
            self.spoken.to(device),
            self.wave.to(device),
            self.source.to(device),
        )


class BatchPlan:
    """Which crops make batch g; every epoch plays all utterances, in another order."""

    def __init__(self, lengths: Sequence[int], budget: int, crop_frames: int, seed: int) -> None:
        """lengths: of the utterances, in frames. budget: frames a batch, padding included.

        crop_frames: of an utterance at a time, 0 for all of it.
        """
        self.lengths, self.budget = tuple(lengths), budget
        self.crop_frames, self.seed = crop_frames, seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)
        self.count = len(self._epoch(0))

    def batch(self, g: int) -> tuple[Crop, ...]:
        """The crops of batch g, counted from the start of the training."""
        epoch, i = divmod(g, self.count)
        return self._epoch(epoch)[i]

    def waste(self) -> float:
        """The share of frames that are padding."""
        padded = sum(len(b) * max(c.frames for c in b) for b in self._epoch(0))
        real = sum(c.frames for b in self._epoch(0) for c in b)
        return 1 - real / padded

    def _make_epoch(self, epoch: int) -> list[tuple[Crop, ...]]:
        rng = np.random.default_rng([self.seed, epoch])
        crops: list[Crop] = []
        for item, length in enumerate(self.lengths):
            size = min(self.crop_frames or length, length)
            for _ in range(max(1, round(length / size))):
                start = int(rng.integers(length - size + 1))
                crops.append(Crop(item, start, size, number_from(self.seed, epoch, len(crops))))
        order = rng.permutation(len(crops))
        ranked = sorted((crops[i] for i in order), key=lambda crop: -crop.frames)  # stable
        batches: list[list[Crop]] = []
        for crop in ranked:
            if batches and (len(batches[-1]) + 1) * batches[-1][0].frames <= self.budget:
                batches[-1].append(crop)
            else:
                batches.append([crop])
        return [tuple(batches[i]) for i in rng.permutation(len(batches))]


def collate(
    crops: Sequence[Crop],
    items: Sequence[Item],
    voice: VoiceConfig,
    spoken_frames: int = 0,
    sigma: float | None = None,
    augment: bool = True,
) -> Batch:
    """Pads crops to the longest of them; f0, voiced, units and loudness in step with mel.

    spoken_frames: S of `Batch`. sigma: one level for all; None draws one for each.
    """
    longest, count = max(c.frames for c in crops), len(crops)
    spoken_frames = min(spoken_frames, min(c.frames for c in crops))
    hop, floor = voice.audio.hop_length, float(np.log(voice.mel.floor))
    mel = torch.full((count, voice.mel.n_mels, longest), floor)
    units = torch.zeros(count, voice.content.dim, longest)
    f0 = torch.full((count, longest), 150.0)
    voiced = torch.zeros(count, longest, dtype=torch.bool)
    level = torch.full((count, longest), -100.0)
    mask, noise = torch.zeros(count, longest), torch.zeros(count, voice.mel.n_mels, longest)
    sigmas = torch.zeros(count)
    spoken = torch.zeros(count, dtype=torch.long)
    wave, source = torch.zeros(2, count, spoken_frames * hop)
    low, high, middle = _levels(voice)
    for b, (index, start, n, key) in enumerate(crops):
        item, generator = items[index], torch.Generator().manual_seed(key)
        draw = torch.rand(5, generator=generator).tolist()
        gain_db = (draw[0] * 2 - 1) * _GAIN_DB if augment else 0.0
        part = slice(start, start + n)
        gained = item.mel[:, part].float() + gain_db * np.log(10) / 20
        mel[b, :, :n] = gained.clamp(min=floor)
        variant = int(draw[1] * len(item.units)) if augment else 0
        units[b, :, :n] = item.units[variant, :, part].float()
        f0[b, :n], voiced[b, :n] = item.f0[part], item.voiced[part]
        level[b, :n] = (item.loudness[part] + gain_db).clamp(min=-100.0)
        if augment and draw[2] < _NOISE_FLOOR_SHARE:  # the room's noise, which nobody must say
            floor_db = float(level[b, :n].max()) - 12 - 50 * draw[3]
            level[b, :n] = 10 * torch.log10(10 ** (level[b, :n] / 10) + 10 ** (floor_db / 10))
        mask[b, :n] = 1.0
        normal = torch.randn(1, generator=generator).item()
        drawn = min(max(float(np.exp(normal * _SPREAD)) * middle, low / 2), 2 * high)
        sigmas[b] = drawn if sigma is None else sigma
        noise[b, :, :n] = torch.randn(voice.mel.n_mels, n, generator=generator)
        if spoken_frames:
            at = int(draw[4] * (n - spoken_frames + 1))
            spoken[b] = at
            piece = item.wave[(start + at) * hop : (start + at + spoken_frames) * hop]
            gained_wave = piece.astype(np.float32) / 32768 * 10 ** (gain_db / 20)
            wave[b, : len(piece)] = torch.from_numpy(gained_wave)
            source[b] = torch.randn(spoken_frames * hop, generator=generator)
    speaker = torch.ones(count, 1, longest)
    conditions = Conditions(units, f0, voiced, level, speaker)
    return Batch(mel, conditions, mask, sigmas, noise, spoken, wave, source)


def _levels(voice: VoiceConfig) -> tuple[float, float, float]:
    config = voice.denoiser
    return config.sigma_min, config.sigma_max, config.sigma_data * _MIDDLE


def number_from(*numbers: int) -> int:
    """One number, to seed what these decide."""
    text = ":".join(map(str, numbers)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big")
