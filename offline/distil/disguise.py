"""What `offline/augment.py` does to a crop, to a batch at once and waiting for no value.

So a card can record it. Rooms are folded in by Fourier transforms over time, in every bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from core.content.phonetic import PhoneticEncoder
from offline.augment import (
    ACTIVE,
    CLIPPED,
    PRESSED,
    ROOM,
    TELEPHONE,
    SpectralAugment,
    load_rooms,
)
from offline.distil.spectra import kept_bins
from offline.tasks.content import load_noises

_UNWARPED, _NOISY = 0.2, 0.6
_WHITE, _RECORDED = 0.2, 0.65  # shares of the noises; the rest is babble
_BABBLERS = 4
_QUIETEST = 1e-12


class Disguise:
    """Rooms, colours, telephones, noise and levels of power spectra; warped bands; hidden ones."""

    def __init__(self, encoder: PhoneticEncoder, noise: Path | None) -> None:
        """On the encoder's device. noise: folder of recordings, and of rooms in `rir`."""
        config, audio = encoder.config, encoder.audio
        self.encoder, self.device = encoder, encoder.window.device
        self.bins = bins = kept_bins(encoder)
        rooms = load_rooms(noise / "rir", audio, config.n_fft) if noise else ()
        self._plain = SpectralAugment(audio, config, [], rooms=rooms)
        self.banks = self._plain.banks[..., :bins].to(self.device)
        self.hz = self._plain.hz[:bins].to(self.device)
        self.rooms = _alike_long([room[:, :bins] for room in self._plain.rooms]).to(self.device)
        recorded = [spectrum[:, :bins] for spectrum in load_noises(encoder, noise)]
        silence = torch.zeros(1, bins, dtype=torch.half, device=self.device)
        self.noises = torch.cat(recorded) if recorded else silence
        axis = torch.linspace(0, math.pi, len(self._plain.hz))[:bins]
        self.curves = torch.cos(torch.arange(1, 6)[:, None] * axis).to(self.device)

    def power(self, power: Tensor) -> Tensor:
        """(B, T, bins) -> the same in another room, level, colour and noise."""
        batch = len(power)
        x = torch.where(self._some(ROOM, batch, 1, 1), self._in_rooms(power), power)
        colour = 10 ** (self._between(-4, 4, batch, 5) @ self.curves / 10)
        edge, fall = self._between(3200, 4100, batch, 1), self._between(100, 400, batch, 1)
        narrow = torch.sigmoid((edge - self.hz) / fall * 4)
        telephone = self._some(TELEPHONE, batch, 1)
        x = x * torch.where(telephone, colour * narrow, colour)[:, None]
        loudness = x.mean(2, keepdim=True) + _QUIETEST
        pressing = -self._between(0.1, 0.4, batch, 1, 1)
        pressed = x * (loudness / loudness.mean(1, keepdim=True)) ** pressing
        x = torch.where(self._some(PRESSED, batch, 1, 1), pressed, x)
        shape = 1 / (1 + self.hz / 1000)
        rasp = x.mean(2, keepdim=True) * shape / shape.mean()
        clipped = x + rasp * 10 ** (-self._between(8, 25, batch, 1, 1) / 10)
        x = torch.where(self._some(CLIPPED, batch, 1, 1), clipped, x)
        level = _active(x)
        around = torch.where(telephone & self._some(0.7, batch, 1), narrow, 1.0)
        noise = self._noise(power) * around[:, None]
        strength = level / (noise.sum(2).mean(1) + 1e-20)
        strength = strength * 10 ** (-self._between(*self._plain.snr_db, batch) / 10)
        x = x + noise * (strength * self._some(_NOISY, batch))[:, None, None]
        level_db = 10 * torch.log10(level * self._plain.to_mean_square + _QUIETEST)
        gain_db = (self._between(*self._plain.level_db, batch) - level_db).clamp(-30, 30)
        return x * 10 ** (gain_db / 10)[:, None, None]

    def bands(self, power: Tensor, warped: bool = True) -> Tensor:
        """(B, T, bins) -> what is heard (B, T, n_bands) through warped banks or the own one."""
        middle = len(self.banks) // 2
        drawn = torch.randint(len(self.banks), (len(power),), device=self.device)
        keep = self._some(_UNWARPED if warped else 1.0, len(power))
        return self.encoder.bands(power, self.banks[torch.where(keep, middle, drawn)])

    def hide(self, bands: Tensor, widest: tuple[int, int], times: tuple[int, int]) -> Tensor:
        """Zeros a few bands and a few frames of (B, T, n_bands), so many times, so wide at most."""
        for axis in (1, 0):
            size = bands.shape[1 + axis]
            place = torch.arange(size, device=self.device)
            for _ in range(times[axis]):
                width = (torch.rand(len(bands), 1, device=self.device) * widest[axis]).long()
                first = torch.rand(len(bands), 1, device=self.device) * (size - width).clamp(min=0)
                hidden = (place >= first.long()) & (place < first.long() + width)
                bands = bands.masked_fill(hidden[:, None] if axis else hidden[..., None], 0.0)
        return bands

    def _in_rooms(self, power: Tensor) -> Tensor:
        batch, frames, _ = power.shape
        room = self.rooms[torch.randint(len(self.rooms), (batch,), device=self.device)]
        size = 1 << (frames + room.shape[1] - 1).bit_length()
        echoes = torch.fft.rfft(power, size, 1) * torch.fft.rfft(room, size, 1)
        wet: Tensor = torch.fft.irfft(echoes, size, 1)[:, :frames].clamp_min(_QUIETEST)
        return wet

    def _noise(self, power: Tensor) -> Tensor:
        """White to brown, recorded, or others of the batch backwards, (B, T, bins)."""
        batch, frames, bins = power.shape
        grain = -torch.log(torch.rand(batch, frames, bins, device=self.device).clamp_min(1e-9))
        bin_number = torch.arange(1.0, bins + 1, device=self.device)
        made = grain * bin_number ** -self._between(0, 2, batch, 1, 1)
        first = self._between(0, max(len(self.noises) - frames, 1), batch, 1).long()
        place = (first + torch.arange(frames, device=self.device)) % len(self.noises)
        recorded = self.noises[place].float().exp()
        orders = [torch.rand(batch, device=self.device).argsort() for _ in range(_BABBLERS)]
        babble = torch.stack([power[order] for order in orders]).mean(0).flip(1)
        kind = torch.rand(batch, 1, 1, device=self.device)
        others = torch.where(kind < _WHITE + _RECORDED, recorded, babble)
        return torch.where(kind < _WHITE, made, others)

    def _between(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.device) * (high - low) + low

    def _some(self, share: float, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.device) < share


def _active(power: Tensor) -> Tensor:
    """(B, T, bins) -> mean summed power of the frames that are no pause, (B,)."""
    loudness = power.sum(-1)
    active = (loudness > ACTIVE * loudness.mean(1, keepdim=True)).float()
    return (loudness * active).sum(1) / active.sum(1).clamp(min=1)


def _alike_long(rooms: Sequence[Tensor]) -> Tensor:
    longest = max(len(room) for room in rooms)
    return torch.stack(
        [torch.nn.functional.pad(room, (0, 0, 0, longest - len(room))) for room in rooms]
    )
