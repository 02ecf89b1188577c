"""Training the PhoneticEncoder: frame-wise phones of augmented speech, alike whoever speaks.

Two disguises of each crop pass through the network. Where a crop is labelled, both must name its
phones; always, both must yield the same units, and the units together with a vector for the speaker
must yield the crop's own undisguised envelope, so sounds no label names are kept as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from core.config import AudioConfig, ContentConfig
from core.content.phonetic import PhoneticEncoder
from core.errors import VoiceChangerError
from core.mel import frame_wave
from offline.alignment import IGNORED, INVENTORIES, load_alignments
from offline.augment import SpectralAugment, load_rooms
from offline.preprocess import Manifest, load_wave

_LOG_FLOOR = 1e-10
_CEPSTRA = 20  # of 80 bands: the envelope without the harmonics
_QUIET = 2.0  # scaled band units (8 nepers of power, 35 dB) under a crop's loudest frame
_SHARE_EXPONENT = 0.7  # a speaker's share grows slower than what is there of them
_OWN_DELAY = 0.65  # share of the batches at the delay the voice takes; the rest at any
_ALIKE_WEIGHT, _ENVELOPE_WEIGHT = 0.5, 0.3


@dataclass(frozen=True)
class Corpus:
    """A feature folder and the phones of its recordings, if any; share: of its speakers' weight."""

    features: Path
    manifest: Manifest
    alignments: tuple[Path, ...] = ()
    share: float = 1.0


@dataclass(frozen=True)
class Item:
    """One recording: half-precision log power (frames, bins), phones (frames,) of one inventory."""

    power: Tensor
    labels: Tensor | None
    inventory: str
    speaker: int


def cepstral_cosines(bands: int) -> Tensor:
    """(C, bands): from bands to the cepstra of an envelope, without the level."""
    k, n = torch.arange(1, _CEPSTRA)[:, None], torch.arange(bands)[None]
    return torch.cos(math.pi * k * (n + 0.5) / bands) / bands


def loud_frames(bands: Tensor) -> Tensor:
    """Bands (B, T, n) -> which frames are speech rather than pause, bool (B, T)."""
    level = bands.mean(-1)
    return level > level.amax(1, keepdim=True) - _QUIET


def log_power(encoder: PhoneticEncoder, wave: NDArray[np.float32]) -> Tensor:
    """Log power spectra (frames, bins) in half precision, so that a corpus fits in memory."""
    heard = torch.from_numpy(wave)[None].to(encoder.window.device)
    windows = frame_wave(heard, encoder.config.n_fft, encoder.hop_length)
    return torch.log(encoder.power(windows)[0] + _LOG_FLOOR).half()


class ContentNetwork(nn.Module):
    """The encoder and what training alone needs: heads for more phones, speakers, an envelope."""

    def __init__(self, encoder: PhoneticEncoder, speakers: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(encoder.dim, len(phones))
                for name, phones in INVENTORIES.items()
                if name != "arpabet"  # that head is the encoder's own
            }
        )
        self.speaker = nn.Embedding(speakers, 64)
        self.envelope = nn.Sequential(
            nn.Linear(encoder.dim + 64, 256), nn.GELU(), nn.Linear(256, _CEPSTRA - 1)
        )

    def scores(self, inventory: str, units: Tensor) -> Tensor:
        """Units (..., D) -> the score of each phone of an inventory."""
        head = self.encoder.phones if inventory == "arpabet" else self.heads[inventory]
        scores: Tensor = head(units)
        return scores


class ContentTask:
    """Crops of speech in two disguises -> phones, likeness, envelope."""

    def __init__(
        self,
        audio: AudioConfig,
        config: ContentConfig,
        corpora: Sequence[Corpus],
        noise: Path | None,
        validation: tuple[str, ...],
        batch: int = 6,
        crop_frames: int = 192,
    ) -> None:
        encoder = PhoneticEncoder(audio, config)
        self.batch, self.crop_frames = batch, crop_frames
        self.train_set: list[Item] = []
        self.validation_set: list[Item] = []
        owners: list[tuple[float, int]] = []
        speakers: dict[str, int] = {}
        for corpus in corpora:
            tables = [load_alignments(path, audio) for path in corpus.alignments]
            for utterance in tqdm(corpus.manifest.utterances, "spectra", disable=None):
                power = log_power(encoder, load_wave(corpus.features, utterance))
                index = speakers.setdefault(utterance.speaker, len(speakers))
                item = Item(power, None, "", index)
                for inventory, labels in tables:
                    if utterance.path in labels:
                        label = torch.from_numpy(labels[utterance.path])[: len(power)]
                        label = F.pad(label, (0, len(power) - len(label)), value=IGNORED)
                        item = Item(power, label, inventory, index)
                if utterance.speaker in validation:
                    self.validation_set.append(item)
                elif len(power) > 20:
                    self.train_set.append(item)
                    owners.append((corpus.share, index))
        if not any(item.labels is not None for item in self.train_set):
            raise VoiceChangerError("none of the recordings is in the alignments given")
        frames = [0] * len(speakers)
        for item in self.train_set:
            frames[item.speaker] += len(item.power)
        self.weights = torch.tensor(
            [
                share * len(item.power) * frames[owner] ** (_SHARE_EXPONENT - 1)
                for item, (share, owner) in zip(self.train_set, owners, strict=True)
            ]
        )
        self.network = ContentNetwork(encoder, len(speakers))
        rooms = load_rooms(noise / "rir", audio, config.n_fft) if noise else ()
        self.augment = SpectralAugment(audio, config, load_noises(encoder, noise), rooms=rooms)
        self.cosines = cepstral_cosines(config.n_bands)
        self.scale = torch.ones(len(self.cosines))
        generator = torch.Generator().manual_seed(0)
        sample = [self._cepstra(*self._views(1, generator)[::2]) for _ in range(100)]
        self.scale = torch.cat([c[heard] for c, heard in sample]).std(0)

    @property
    def encoder(self) -> PhoneticEncoder:
        return self.network.encoder

    @property
    def module(self) -> nn.Module:
        return self.network

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Phones, likeness and envelope of one batch in two disguises, at one delay."""
        with torch.autocast("cpu", enabled=False):  # power spans more than half precision tells
            clean, items, bare, labels, bands = self._draw(generator)
        delays = self.encoder.config.delays
        delay = self.encoder.config.lookahead_frames
        if float(torch.rand(1, generator=generator)) > _OWN_DELAY:
            delay = delays[int(torch.randint(len(delays), (1,), generator=generator))]
        size = self.crop_frames
        heard = self.encoder.encode(bands[:, : size + delay], delay)[0]
        units = heard[:, delay:].view(2, self.batch, size, -1)  # (2, B, T, D)
        figures: dict[str, float] = {}
        loss = units.new_zeros(())
        labelled = sum(item.labels is not None for item in items)
        for inventory in sorted({item.inventory for item in items if item.labels is not None}):
            chosen = [b for b, item in enumerate(items) if item.inventory == inventory]
            target = labels[chosen].expand(2, -1, -1)
            scores = self.network.scores(inventory, units[:, chosen]).float()
            named = F.cross_entropy(
                scores.flatten(0, 2),
                target.flatten(),
                ignore_index=IGNORED,
                label_smoothing=0.05,
            )
            loss = loss + named * len(chosen) / labelled
            known = target != IGNORED
            figures[f"right {inventory}"] = float(
                (scores.argmax(-1) == target)[known].float().mean()
            )
        units = units.float()
        alike = (units[0] - units[1]).square()[bare].mean()
        speaker = self.network.speaker(torch.tensor([item.speaker for item in items]))
        told = torch.cat([units, speaker[None, :, None].expand(2, -1, size, -1)], -1)
        envelope = (self.network.envelope(told).float() - clean).square()[:, bare].mean()
        loss = loss + _ALIKE_WEIGHT * alike + _ENVELOPE_WEIGHT * envelope
        return loss, {
            "loss": loss.item(),
            "alike": alike.item(),
            "envelope": envelope.item(),
            **figures,
        }

    def validate(self) -> dict[str, float]:
        """Share of frames right, of all and of those that are not silence, by inventory."""
        figures: dict[str, float] = {}
        for delay in (1, self.encoder.config.lookahead_frames):
            for inventory in INVENTORIES:
                hits, speech_hits, frames, speech_frames = 0.0, 0.0, 0, 0
                for item in self.validation_set:
                    if item.labels is None or item.inventory != inventory:
                        continue
                    padded = F.pad(
                        item.power.float(), (0, 0, 0, delay), value=float(np.log(_LOG_FLOOR))
                    )
                    bands = self.encoder.bands(padded.exp()[None])
                    units = self.encoder.encode(bands, delay)[0][0, delay:]
                    right = self.network.scores(inventory, units).argmax(-1) == item.labels
                    known, speech = item.labels != IGNORED, item.labels > 0
                    hits += float(right[known].sum())
                    speech_hits += float(right[speech].sum())
                    frames += int(known.sum())
                    speech_frames += int(speech.sum())
                if frames:
                    name = f"{inventory} {delay}"
                    figures[f"right {name}"] = hits / frames
                    figures[f"speech {name}"] = speech_hits / max(speech_frames, 1)
        return figures

    def _draw(
        self, generator: torch.Generator
    ) -> tuple[Tensor, list[Item], Tensor, Tensor, Tensor]:
        """Clean cepstra (B, T, C), items, frames loud enough (B, T), labels (B, T), and the bands
        of both disguises (2 B, T + longest delay, n)."""
        power, items, bands, labels = self._views(self.batch, generator)
        clean, loud = self._cepstra(power, bands)
        disguised = self.augment.power(power.repeat(2, 1, 1), generator)
        filters = self.augment.filters(2 * self.batch, generator)
        heard = self.augment.mask(self.encoder.bands(disguised, filters), generator)
        return clean, items, loud, labels, heard

    def _views(
        self, batch: int, generator: torch.Generator
    ) -> tuple[Tensor, list[Item], Tensor, Tensor]:
        """Random crops: power (B, T + longest delay, bins), items, bands (B, T, n), labels."""
        drawn = torch.multinomial(self.weights, batch, replacement=True, generator=generator)
        items = [self.train_set[i] for i in drawn.tolist()]
        size = self.crop_frames
        reach = size + max(self.encoder.config.delays)
        powers, labels = [], []
        for item in items:
            start = int(
                torch.randint(max(len(item.power) - size, 0) + 1, (1,), generator=generator)
            )
            crop = item.power[start : start + reach]
            short = (0, 0, 0, reach - len(crop))
            powers.append(F.pad(crop.float(), short, value=float(np.log(_LOG_FLOOR))))
            target = torch.full((size,), IGNORED)
            if item.labels is not None:
                known = item.labels[start : start + size]
                target[: len(known)] = known
            labels.append(target)
        power = torch.stack(powers).exp()
        bands = self.encoder.bands(power[:, :size])
        return power, items, bands, torch.stack(labels)

    def _cepstra(self, power: Tensor, bands: Tensor) -> tuple[Tensor, Tensor]:
        """Bands (B, T, n) -> scaled cepstra without the level (B, T, C) and the frames heard."""
        return bands @ self.cosines.T / self.scale, loud_frames(bands)


def load_noises(encoder: PhoneticEncoder, folder: Path | None) -> list[Tensor]:
    """Log power spectra of the noises in a folder; none where there is none."""
    if folder is None:
        return []
    import soundfile
    import soxr

    noises = []
    for path in sorted(folder.glob("*.flac")):
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(wave.mean(axis=1), rate, encoder.sample_rate, "HQ")
        noises.append(log_power(encoder, mono.astype(np.float32)))
    return noises
