"""Training the PhoneticEncoder: frame-wise phone labels of augmented speech."""

from __future__ import annotations

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
from offline.alignment import IGNORED, load_alignments
from offline.augment import SpectralAugment
from offline.preprocess import Manifest, load_wave

_LOG_FLOOR = 1e-10


def log_power(encoder: PhoneticEncoder, wave: NDArray[np.float32]) -> Tensor:
    """Log power spectra (frames, bins) in half precision, so that a corpus fits in memory."""
    windows = frame_wave(torch.from_numpy(wave)[None], encoder.config.n_fft, encoder.hop_length)
    return torch.log(encoder.power(windows)[0] + _LOG_FLOOR).half()


class ContentTask:
    """Crops of labelled speech -> cross-entropy of the phone each frame belongs to."""

    def __init__(
        self,
        audio: AudioConfig,
        config: ContentConfig,
        features: Path,
        manifest: Manifest,
        alignments: Path,
        noise: Path | None,
        validation: tuple[str, ...],
        batch: int = 8,
        crop_frames: int = 256,
    ) -> None:
        self.encoder = PhoneticEncoder(audio, config, dropout=0.1)
        self.batch, self.crop_frames = batch, crop_frames
        labels = load_alignments(alignments, audio)
        self.train_set: list[tuple[Tensor, Tensor]] = []
        self.validation_set: list[tuple[Tensor, Tensor]] = []
        weights = []
        per_speaker: dict[str, int] = {}
        for utterance in tqdm(manifest.utterances, "spectra", disable=None):
            if utterance.path not in labels:
                continue
            power = log_power(self.encoder, load_wave(features, utterance))
            label = torch.from_numpy(labels[utterance.path])[: len(power)]
            label = F.pad(label, (0, len(power) - len(label)), value=IGNORED)
            if utterance.speaker in validation:
                self.validation_set.append((power, label))
                continue
            self.train_set.append((power, label))
            per_speaker[utterance.speaker] = per_speaker.get(utterance.speaker, 0) + len(power)
            weights.append((utterance.speaker, len(power)))
        if not self.train_set:
            raise VoiceChangerError(f"none of the recordings in {features} is in {alignments}")
        # A speaker's share grows slower than what is there of them, so that many count.
        share = [n / per_speaker[s] * per_speaker[s] ** 0.7 for s, n in weights]
        self.weights = torch.tensor(share)
        self.augment = SpectralAugment(audio, config, _noises(self.encoder, noise))

    @property
    def module(self) -> nn.Module:
        return self.encoder

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of one augmented batch."""
        drawn = torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        delay, size = self.encoder.config.lookahead_frames, self.crop_frames
        powers, labels = [], []
        for i in drawn.tolist():
            power, label = self.train_set[i]
            start = int(torch.randint(max(len(power) - size, 0) + 1, (1,), generator=generator))
            crop = power[start : start + size + delay]
            short = size + delay - len(crop)
            powers.append(F.pad(crop, (0, 0, 0, short), value=float(np.log(_LOG_FLOOR))))
            target = label[start : start + size]
            labels.append(F.pad(target, (0, size - len(target)), value=IGNORED))
        power = self.augment.power(torch.stack(powers).float().exp(), generator)
        bands = self.encoder.bands(power, self.augment.filters(self.batch, generator))
        bands = self.augment.mask(bands, generator)
        scores = self.encoder.phones(self.encoder.encode(bands)[0][:, delay:])
        target = torch.stack(labels)
        loss = F.cross_entropy(
            scores.flatten(0, 1), target.flatten(), ignore_index=IGNORED, label_smoothing=0.05
        )
        right = (scores.argmax(-1) == target)[target != IGNORED].float().mean()
        return loss, {"loss": loss.item(), "right": right.item()}

    def validate(self) -> dict[str, float]:
        """Share of frames right, of all and of those that are not silence, on unseen speakers."""
        hits, speech_hits, frames, speech_frames = 0.0, 0.0, 0, 0
        delay = self.encoder.config.lookahead_frames
        for power, label in self.validation_set:
            padded = F.pad(power.float(), (0, 0, 0, delay), value=float(np.log(_LOG_FLOOR)))
            bands = self.encoder.bands(padded.exp()[None])
            guess = self.encoder.phones(self.encoder.encode(bands)[0][0, delay:]).argmax(-1)
            known, speech = label != IGNORED, label > 0
            hits += float((guess == label)[known].sum())
            speech_hits += float((guess == label)[speech].sum())
            frames += int(known.sum())
            speech_frames += int(speech.sum())
        return {"right": hits / max(frames, 1), "right_speech": speech_hits / max(speech_frames, 1)}


def _noises(encoder: PhoneticEncoder, folder: Path | None) -> list[Tensor]:
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
