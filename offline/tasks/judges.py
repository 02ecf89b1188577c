"""Judges of a mel: who speaks, and which phones. Conversions have no recording to be compared with.

Both see what every recording has, the bands under 7 kHz, blurred by noise and random colours, so
that a maker cannot please them with what nobody hears. They are not the judges of the figures in
docs/embedded-voice.md: nothing here is trained on those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from core.config import AudioConfig, MelConfig
from core.errors import VoiceChangerError
from core.mel import LogMel, mel_filters
from offline.alignment import IGNORED, PHONES, load_alignments
from offline.preprocess import Manifest, Utterance, f0_path, load_wave

_TOP_HZ = 7000.0  # all corpora reach so far
_CENTRE, _SCALE = -6.0, 2.5  # brings natural-log mel to about unit size
_BLUR, _COLOUR = 0.25, 0.4  # nepers: noise of each bin, deviation of a random colour's waves
_SHARE_EXPONENT = 0.5  # a speaker's share grows slower than what is there of them
_SHARPNESS = 12.0  # of the speakers' cosines


class MelJudge(nn.Module):
    """Log mel (B, M, T) -> features (B, C, T) that see 0.5 s around each frame."""

    def __init__(self, audio: AudioConfig, mel: MelConfig, channels: int = 160) -> None:
        super().__init__()
        filters = mel_filters(audio.sample_rate, mel.n_fft, mel.n_mels, mel.f_min, mel.f_max)
        peaks = filters.argmax(1) * audio.sample_rate / mel.n_fft
        self.bins = int((peaks < _TOP_HZ).sum())
        self.entry = nn.Conv1d(self.bins, channels, 5, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, 3, padding=d, dilation=d) for d in (1, 2, 4, 1, 2, 4)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, channels) for _ in self.convs)

    def forward(self, mel: Tensor) -> Tensor:
        """Level and slow colour of a crop say nothing: its mean over all bins is taken away."""
        scaled = (mel[:, : self.bins] - _CENTRE) / _SCALE
        x: Tensor = self.entry(scaled - scaled.mean((1, 2), keepdim=True))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + F.glu(conv(norm(x)), 1)
        return x


class PhoneJudge(nn.Module):
    """Log mel (B, M, T) -> scores of the phones of each frame (B, phones, T)."""

    def __init__(self, audio: AudioConfig, mel: MelConfig) -> None:
        super().__init__()
        self.body = MelJudge(audio, mel)
        self.head = nn.Conv1d(self.body.entry.out_channels, len(PHONES), 1)

    def forward(self, mel: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(mel))
        return scores


class SpeakerJudge(nn.Module):
    """Log mel (B, M, T) -> scores of the speakers it knows (B, S): sharpened cosines."""

    def __init__(self, audio: AudioConfig, mel: MelConfig, speakers: int) -> None:
        super().__init__()
        self.body = MelJudge(audio, mel)
        channels = self.body.entry.out_channels
        self.attention = nn.Conv1d(channels, channels, 1)
        self.embed = nn.Linear(2 * channels, 128)
        self.speakers = nn.Parameter(torch.randn(speakers, 128))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.body(mel)
        share = torch.softmax(self.attention(x), -1)
        mean = (share * x).sum(-1)
        spread = ((share * x.square()).sum(-1) - mean.square()).clamp(min=1e-4).sqrt()
        vector = F.normalize(self.embed(torch.cat([mean, spread], 1)), dim=-1)
        return _SHARPNESS * vector @ F.normalize(self.speakers, dim=-1).T


class Judges(nn.Module):
    """Both, over one grid. `names` are the speakers in the order of the scores."""

    def __init__(self, audio: AudioConfig, mel: MelConfig, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.phones = PhoneJudge(audio, mel)
        self.speakers = SpeakerJudge(audio, mel, len(names))


def blurred(mel: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Log mel (B, M, T) with noise on each bin and a smooth random colour over all frames."""
    batch, bins, _ = mel.shape
    device = mel.device
    places = torch.arange(bins, device=device)
    waves = torch.cos(torch.pi * torch.arange(1, 5, device=device)[:, None] * places / bins)
    colour = torch.randn(batch, 4, generator=generator, device=device) @ waves * (_COLOUR / 2)
    noise = torch.randn(mel.shape, generator=generator, device=device)
    return mel + colour[..., None] + _BLUR * noise


def phones_apart(wanted: Tensor, heard: Tensor) -> Tensor:
    """Scores (B, phones, T) -> how much less of the wanted phones is heard in each frame, (B, T):
    the divergence of Kullback and Leibler.
    """
    right = F.log_softmax(wanted.float(), 1)
    return (right.exp() * (right - F.log_softmax(heard.float(), 1))).sum(1)


def judged(features: Path, manifest: Manifest, without: Sequence[str] = ()) -> list[Utterance]:
    """The recordings judges learn from and conversions start from: those whose pitch is known."""
    return [
        u
        for u in manifest.utterances
        if u.speaker not in without and f0_path(features, u.path).is_file()
    ]


@dataclass(frozen=True)
class _Item:
    """mel (M, T) in half precision; labels (T,) of ARPABET phones, if known."""

    mel: Tensor
    labels: Tensor | None
    speaker: int


class JudgesTask:
    """Crops of everyone's recordings -> cross-entropy of speakers and of phones."""

    def __init__(
        self,
        audio: AudioConfig,
        mel: MelConfig,
        features: Path,
        manifest: Manifest,
        alignments: Sequence[Path],
        validation: Sequence[str],
        batch: int = 12,
        crop_frames: int = 128,
        held_back: int = 25,
    ) -> None:
        """validation: speakers whose phones serve validation only. held_back: every n-th recording
        of the others serves the validation of speakers only."""
        self.batch, self.crop_frames = batch, crop_frames
        labels: dict[str, torch.Tensor] = {}
        for path in alignments:
            inventory, table = load_alignments(path, audio)
            if inventory == "arpabet":
                labels |= {name: torch.from_numpy(row) for name, row in table.items()}
        if not labels:
            raise VoiceChangerError("none of the tables given has ARPABET phones, as judges need")
        others = [u for u in manifest.utterances if u.speaker in validation]
        chosen = judged(features, manifest, validation)
        names = sorted({u.speaker for u in chosen})
        self.judges = Judges(audio, mel, names)
        self.train_set: list[_Item] = []
        self.validation_set: list[_Item] = []
        log_mel = LogMel(audio, mel)
        for i, utterance in enumerate(tqdm([*chosen, *others], "mels", disable=None)):
            with torch.inference_mode():
                frames = log_mel(torch.from_numpy(load_wave(features, utterance))[None])[0].half()
            label = labels.get(utterance.path)
            if label is not None:
                missing = max(frames.shape[1] - len(label), 0)
                label = F.pad(label, (0, missing), value=IGNORED)[: frames.shape[1]]
            known = i < len(chosen)
            item = _Item(frames, label, names.index(utterance.speaker) if known else IGNORED)
            if not known or i % held_back == 0:
                self.validation_set.append(item)
            elif frames.shape[1] >= crop_frames:
                self.train_set.append(item)
        total = [0] * len(names)
        for item in self.train_set:
            total[item.speaker] += item.mel.shape[1]
        self.weights = torch.tensor(
            [i.mel.shape[1] * total[i.speaker] ** (_SHARE_EXPONENT - 1) for i in self.train_set]
        )

    @property
    def module(self) -> nn.Module:
        return self.judges

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Both cross-entropies of one batch."""
        drawn = torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        items = [self.train_set[i] for i in drawn.tolist()]
        mels, labels = [], []
        for item in items:
            room = item.mel.shape[1] - self.crop_frames
            start = int(torch.randint(room + 1, (1,), generator=generator))
            part = slice(start, start + self.crop_frames)
            mels.append(item.mel[:, part].float())
            unknown = torch.full((self.crop_frames,), IGNORED)
            labels.append(unknown if item.labels is None else item.labels[part])
        mel = blurred(torch.stack(mels), generator)
        owner = torch.tensor([item.speaker for item in items])
        speaker = F.cross_entropy(self.judges.speakers(mel).float(), owner)
        target = torch.stack(labels)
        scores = self.judges.phones(mel).float()
        phones = F.cross_entropy(scores, target, ignore_index=IGNORED, label_smoothing=0.05)
        loss = speaker if bool((target == IGNORED).all()) else speaker + phones
        return loss, {"speaker": speaker.item(), "phones": phones.item()}

    def validate(self) -> dict[str, float]:
        """Shares of speakers and of speech frames named right, on whole recordings held back."""
        named, right, frames = [], 0, 0
        for item in self.validation_set:
            mel = item.mel.float()[None]
            if item.speaker != IGNORED:
                named.append(int(self.judges.speakers(mel).argmax()) == item.speaker)
            elif item.labels is not None:
                speech = item.labels > 0
                guess = self.judges.phones(mel)[0].argmax(0)
                right += int((guess == item.labels)[speech].sum())
                frames += int(speech.sum())
        return {"speakers right": float(np.mean(named)), "speech right": right / max(frames, 1)}
