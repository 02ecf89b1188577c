"""Strangers' words in the voice being trained: what its target never says must be understood, too.

Few minutes of one person lack many sounds, all of them where the person speaks another language.
So short recordings of strangers come with the program. What they say, at the target's pitch, goes
through the network, and an ear must hear the phones in the mel that it hears in their recordings.
The embedded voice learned its words that way (`offline/tasks/conversions.py`). The ear is the
content encoder that hears for the voice; it hears mels by a linear map, no vocoder lies between,
and they are blurred for it, so that it cannot be pleased with what nobody else hears.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.audio import load_mono
from core.config import AudioConfig
from core.content.phonetic import PhoneticEncoder
from core.f0 import f0_estimator
from core.features import loudness
from core.mel import LogMel, frame_wave
from core.voice import DEFAULT_VOICE, VOICES_FOLDER, VoiceModel, find_voice
from offline.strangers import SECONDS
from offline.studio.batches import Batch, Crop, Item, collate, number_from
from offline.tasks.judges import blurred

_RECORDINGS = VOICES_FOLDER / "strangers.ogg"
_CROPS, _CROP_FRAMES = 2, 128  # of a batch
_PITCH_SPREAD = 1.5  # semitones around the target's median
_RIDGE = 1e-3
_NEIGHBOURS = 1  # frames of the mel, either way, that a frame of the ear hears


class Ear(nn.Module):
    """Hears phones in log mels."""

    table: Tensor

    def __init__(self, encoder: PhoneticEncoder, mels: list[Tensor], waves: list[Tensor]) -> None:
        """mels (1, M, T) of waves (1, n): the map from mels to the encoder's bands is fitted."""
        super().__init__()
        self.encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
        heard = torch.cat([_told(mel)[0] for mel in mels]).double()
        windows = [frame_wave(w, encoder.config.n_fft, encoder.hop_length) for w in waves]
        bands = torch.cat([encoder.bands(encoder.power(w))[0] for w in windows]).double()
        squares = heard.T @ heard
        squares += _RIDGE * squares.trace() / len(squares) * torch.eye(len(squares)).double()
        table = torch.linalg.solve(squares, heard.T @ bands).float()
        self.register_buffer("table", table, persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Log mels (B, M, T) -> how likely each phone is, log (B, T - lookahead, P)."""
        delay = self.encoder.config.lookahead_frames
        units = self.encoder.encode(_told(mel) @ self.table, delay)[0][:, delay:]
        return F.log_softmax(self.encoder.phones(units).float(), -1)

    def misheard(self, mel: Tensor, wanted: Tensor) -> Tensor:
        """Kullback-Leibler divergence of a log mel (B, M, T) from what should be heard, a frame."""
        heard: Tensor = self(mel)
        return (wanted.exp() * (wanted - heard)).sum(-1).mean()


@dataclass(frozen=True)
class Words:
    """A batch of strangers' words, and the phones the ear hears in them, log (B, T', P).

    blur: what is added to a log mel (B, M, T) before the ear hears it.
    """

    batch: Batch
    wanted: Tensor
    ear: Ear
    blur: Tensor

    def misheard(self, mel: Tensor) -> Tensor:
        """How much of the words the ear does not hear in a log mel (B, M, T), nats a frame."""
        return self.ear.misheard(mel + self.blur, self.wanted)


class Strangers:
    """Draws batches of what they say; which, follows from (seed, number)."""

    def __init__(self, base: VoiceModel, f0_median: float, seed: int) -> None:
        """base: whose encoder hears the words. f0_median: the target's, Hz."""
        self.config, self.seed = base.config, seed
        audio = self.config.audio
        recorded, rate = load_mono(_RECORDINGS)
        every: NDArray[np.float32] = soxr.resample(recorded, rate, audio.sample_rate, "HQ")
        waves = [torch.from_numpy(w)[None] for w in _pieces(every, audio)]
        log_mel, find_f0 = LogMel(audio, self.config.mel), f0_estimator(audio, self.config.f0)
        with torch.inference_mode():
            mels = [log_mel(wave) for wave in waves]
            levels = [loudness(wave, audio.hop_length)[0] for wave in waves]
            units = [base.encoder(wave).half() for wave in waves]
        self.items: list[Item] = []
        for wave, mel, unit, level in zip(waves, mels, units, levels, strict=True):
            f0, voiced = find_f0(wave[0].numpy())
            moved = f0 * (f0_median / np.median(f0[voiced]))
            told = (torch.from_numpy(moved.astype(np.float32)), torch.from_numpy(voiced), level)
            stored = np.zeros(0, np.int16)  # nobody compares a wave with theirs
            self.items.append(Item(stored, mel[0].half(), unit, *told))
        encoder = base.encoder
        if not isinstance(encoder, PhoneticEncoder):  # a HuBERT has no phones
            encoder = VoiceModel.load(find_voice(DEFAULT_VOICE)).encoder
            assert isinstance(encoder, PhoneticEncoder)
        with torch.no_grad():
            self.ear = Ear(encoder, mels, waves)

    def words(self, number: int, device: torch.device) -> Words:
        """Batch `number`."""
        rng = np.random.default_rng([self.seed, number])
        crops = []
        for i in range(_CROPS):
            item = int(rng.integers(len(self.items)))
            start = int(rng.integers(self.items[item].frames - _CROP_FRAMES + 1))
            crops.append(Crop(item, start, _CROP_FRAMES, number_from(self.seed, number, i)))
        batch = collate(crops, self.items, self.config)
        semitones = torch.from_numpy(rng.normal(0, _PITCH_SPREAD, (_CROPS, 1)))
        batch = batch._replace(conditions=batch.conditions.shifted(semitones)).to(device)
        generator = torch.Generator().manual_seed(number_from(self.seed, number, _CROPS))
        blur = blurred(torch.zeros(batch.mel.shape), generator).to(device)
        ear = self.ear.to(device)
        with torch.no_grad():
            return Words(batch, ear(batch.mel), ear, blur)


def _told(mel: Tensor) -> Tensor:
    """(B, M, T) -> (B, T, (2 neighbours + 1) M + 1): what a frame of the ear is made of."""
    frames = mel.shape[2]
    padded = F.pad(mel, (_NEIGHBOURS, _NEIGHBOURS), mode="replicate").transpose(1, 2)
    near = [padded[:, i : i + frames] for i in range(2 * _NEIGHBOURS + 1)]
    return torch.cat([*near, torch.ones_like(near[0][..., :1])], -1)


def _pieces(every: NDArray[np.float32], audio: AudioConfig) -> list[NDArray[np.float32]]:
    size = round(SECONDS * audio.sample_rate)
    return [every[i * size : (i + 1) * size] for i in range(len(every) // size)]
