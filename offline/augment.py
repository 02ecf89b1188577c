"""What a content encoder must not hear: vocal tract, colour, room, level, noise; on power spectra.

Working on spectra makes these changes cheap enough to draw anew for every crop. What needs the wave
(a speech codec) is made beforehand, by `offline/codec.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import AudioConfig, ContentConfig
from core.mel import hz_to_mel, mel_filters, mel_to_hz

_TAIL_SECONDS = 0.4  # of a room; the rest lies 40 dB and more under the voice
_POOL_FRAMES = 1024  # of white noise, to cut from
ACTIVE = 0.1  # of the mean power: what is softer is a pause
_TOP_HZ = 8000.0  # loudness and noise are compared below, where every corpus has sound
ROOM, TELEPHONE, PRESSED, CLIPPED = 0.3, 0.12, 0.15, 0.1  # shares of the crops


class SpectralAugment:
    """Draws warped filter banks, equaliser curves, rooms, noise, telephones and levels."""

    def __init__(
        self,
        audio: AudioConfig,
        config: ContentConfig,
        noises: list[Tensor],
        warp_range: float = 1.25,
        n_warps: int = 81,
        rooms: Sequence[Tensor] = (),
        noisy: float = 0.6,
        snr_db: tuple[float, float] = (-3.0, 30.0),
        level_db: tuple[float, float] = (-40.0, 0.0),
    ) -> None:
        """noises: log power spectra (frames, bins) to mix in. warp_range: largest warp factor.

        rooms: energy tails (frames, bins) as `load_rooms` makes them; without, exponential ones.
        noisy: share of the crops with noise, at `snr_db`. level_db: of the speech, in dBFS.
        """
        self.banks = torch.from_numpy(_warped_banks(audio, config, warp_range, n_warps))
        self.noises = noises
        self.noisy, self.snr_db, self.level_db = noisy, snr_db, level_db
        bins = config.n_fft // 2 + 1
        self.rooms = list(rooms) or _made_rooms(audio.frame_rate, bins)
        pool = np.random.default_rng(0).exponential(size=(_POOL_FRAMES, bins))
        self.pool = torch.from_numpy(pool.astype(np.float32))
        self.hz = torch.linspace(0, audio.sample_rate / 2, bins)
        self.top = int((self.hz < _TOP_HZ).sum())
        # Parseval, both halves of the spectrum, the energy of a Hann window: 3/8 of its length
        self.to_mean_square = 2 / (config.n_fft * 0.375 * config.n_fft)

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

        def some(share: float) -> list[int]:
            drawn = torch.rand(batch, generator=generator) < share
            return [int(b) for b in drawn.nonzero()[:, 0]]

        speech = power.clone()
        for b in some(ROOM):
            room = self.rooms[int(torch.randint(len(self.rooms), (1,), generator=generator))]
            speech[b] *= room[0]
            for k in range(1, min(len(room), frames)):  # convolution over time, in each bin
                speech[b, k:].addcmul_(power[b, :-k], room[k])
        axis = torch.linspace(0, math.pi, bins)
        waves = torch.cos(torch.arange(1, 6)[:, None] * axis)  # slow curves over frequency
        curve_db = uniform(-4, 4, batch, 5) @ waves
        colour = 10 ** (curve_db / 10)  # (B, bins)
        noise_colour = torch.ones(batch, bins)
        for b in some(TELEPHONE):  # and what it hears around, or what is heard around it
            edge_hz, fall = float(uniform(3200, 4100, 1)), float(uniform(100, 400, 1))
            limit = torch.sigmoid((edge_hz - self.hz) / fall * 4)
            colour[b] *= limit
            if uniform(0, 1, 1) < 0.7:
                noise_colour[b] = limit
        speech *= colour[:, None]
        for b in some(PRESSED):  # a compressor, without its attack and release
            loudness = speech[b].mean(1, keepdim=True) + 1e-12
            speech[b] *= (loudness / loudness.mean()) ** -float(uniform(0.1, 0.4, 1))
        for b in some(CLIPPED):  # overload: broadband, as strong as the frame
            shape = 1 / (1 + self.hz / 1000)
            shape = shape / shape.mean() * 10 ** (-float(uniform(8, 25, 1)) / 10)
            speech[b] += speech[b].mean(1, keepdim=True) * shape
        level = self._active(speech)
        for b in some(self.noisy):
            noise = self._noise(power, generator) * noise_colour[b]
            snr_db = float(uniform(*self.snr_db, 1))
            noise_level = float(noise[:, : self.top].sum(1).mean()) + 1e-20
            speech[b] += noise * (float(level[b]) / noise_level * 10 ** (-snr_db / 10))
        level_db = 10 * torch.log10(level * self.to_mean_square + 1e-12)
        gain_db = (uniform(*self.level_db, batch) - level_db).clamp(-30, 30)
        return speech * 10 ** (gain_db / 10)[:, None, None]

    def mask(self, bands: Tensor, generator: torch.Generator) -> Tensor:
        """Hides a few bands and a few frames of (B, T, n_bands), in place."""
        batch, frames, n_bands = bands.shape
        for b in range(batch):
            width = int(torch.randint(0, 10, (1,), generator=generator))
            first = int(torch.randint(0, n_bands - width, (1,), generator=generator))
            bands[b, :, first : first + width] = 0
            for _ in range(2):
                width = int(torch.randint(0, 8, (1,), generator=generator))
                first = int(torch.randint(0, frames - width, (1,), generator=generator))
                bands[b, first : first + width] = 0
        return bands

    def _active(self, power: Tensor) -> Tensor:
        """(B, T, bins) -> mean summed power of the frames that are no pause, (B,)."""
        loudness = power[..., : self.top].sum(-1)
        active = (loudness > ACTIVE * loudness.mean(1, keepdim=True)).float()
        return (loudness * active).sum(1) / active.sum(1).clamp(min=1)

    def _noise(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """A recording, the crops (B, T, bins) themselves as babble, or made noise: (T, bins)."""
        batch, frames, bins = crops.shape
        choice = int(torch.randint(len(self.noises) + 2, (1,), generator=generator))
        if choice == len(self.noises):  # white to brown
            noise = _cut(self.pool, frames, generator)
            slope = float(torch.rand(1, generator=generator)) * 2
            return noise * torch.arange(1.0, bins + 1) ** -slope
        if choice > len(self.noises):  # backwards, so that nobody's words are in it
            voices = torch.randperm(batch, generator=generator)[:6]
            babble: Tensor = crops[voices].mean(0).flip(0)
            return babble
        return _cut(self.noises[choice], frames, generator).float().exp()


def load_rooms(folder: Path, audio: AudioConfig, n_fft: int) -> list[Tensor]:
    """The impulse responses of a folder as energy tails (frames, bins) after the direct sound."""
    import soundfile
    import soxr

    rooms = []
    for path in sorted(folder.glob("*.flac")):
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        response = soxr.resample(wave.mean(axis=1), rate, audio.sample_rate, "HQ")
        rooms.append(room_tail(response, audio, n_fft))
    return rooms


def room_tail(response: NDArray[np.float32], audio: AudioConfig, n_fft: int) -> Tensor:
    """An impulse response -> what each bin's energy becomes in the frames after it, (K, bins)."""
    hop = audio.hop_length
    tail = torch.from_numpy(response[int(np.abs(response).argmax()) :])
    tail = tail[: int(_TAIL_SECONDS * audio.sample_rate)]
    count = -(-len(tail) // hop) + 1
    # energy that comes between two frames is shared by both: triangles, which add up to one
    weights = (1 - (torch.arange(2 * hop) - hop).abs() / hop).sqrt()
    padded = torch.nn.functional.pad(tail, (hop, (count + 1) * hop - len(tail)))
    pieces = padded.unfold(0, 2 * hop, hop)[:count] * weights
    energy = torch.fft.rfft(pieces, n=max(n_fft, 2 * hop)).abs().square()
    tails: Tensor = energy[:, :: max(n_fft, 2 * hop) // n_fft] / energy.sum(0).mean()
    return tails


def _made_rooms(frame_rate: float, bins: int) -> list[Tensor]:
    """Exponential tails of 0.15 to 0.6 s (to -60 dB), near and far."""
    frames = torch.arange(int(_TAIL_SECONDS * frame_rate))
    rooms = []
    for rt60 in (0.15, 0.3, 0.45, 0.6):
        for reverberant in (0.03, 0.1, 0.25):
            tail = reverberant * 10 ** (-6.0 * frames / (rt60 * frame_rate))
            tail[0] = 1.0
            rooms.append(tail[:, None].expand(-1, bins).contiguous())
    return rooms


def _warped_banks(
    audio: AudioConfig, config: ContentConfig, warp_range: float, count: int
) -> NDArray[np.float32]:
    """(count, n_bands, bins), by rising warp; the middle one has none.

    The warp is piecewise linear: first formant, second and third, and what is above do not move
    alike between speakers, and the topmost moves least (recordings end at 8 kHz).
    """
    rng = np.random.default_rng(0)
    limits = hz_to_mel(np.array([config.f_min, config.f_max]))
    edges = mel_to_hz(np.linspace(limits[0], limits[1], config.n_bands + 2))
    banks = []
    for position in np.linspace(-1.0, 1.0, count):
        knots = np.array([0.0, rng.uniform(600, 1200), rng.uniform(2500, 4500), config.f_max])
        spread = rng.normal(0, 0.04, 2) * min(1.0, 4 * abs(position))
        powers = position * math.log(warp_range) * np.array([1, 1, 1, rng.uniform(0, 1)])
        factors = np.exp(powers + np.array([spread[0], spread[0], spread[1], 0]))
        warp = np.interp(edges, knots, knots * factors) / edges
        banks.append(
            mel_filters(
                audio.sample_rate, config.n_fft, config.n_bands, config.f_min, config.f_max, warp
            )
        )
    return np.stack(banks)


def _cut(spectra: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """`frames` frames from anywhere, repeated where there are fewer."""
    start = int(torch.randint(max(len(spectra) - frames, 0) + 1, (1,), generator=generator))
    crop = spectra[start : start + frames]
    return crop.repeat(-(-frames // len(crop)), 1)[:frames]
