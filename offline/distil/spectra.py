"""A corpus as power spectra in the memory of a device, and crops of it without waiting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from core.content.phonetic import PhoneticEncoder
from core.errors import VoiceChangerError
from offline.alignment import IGNORED, INVENTORIES, load_alignments
from offline.preprocess import load_wave
from offline.tasks.content import Corpus, log_power

HIGHEST_HZ = 8000.0  # no band of an encoder hears what is above
_SHARE_EXPONENT = 0.7  # a speaker's share grows slower than what is there of them
_LOG_FLOOR = math.log(1e-10)  # of `log_power`
_SHORTEST = 20  # frames


class Crops(NamedTuple):
    """recording (B,); place (B, T): frames of the corpus; inside (B, T): not past the end."""

    recording: Tensor
    place: Tensor
    inside: Tensor


@dataclass(frozen=True)
class Spectra:
    """power: log, half precision (frames, bins); labels (frames,) of each recording's inventory,
    IGNORED where there is none. start, length, speaker, inventory (-1: none), weight: of each
    recording.
    """

    power: Tensor
    labels: Tensor
    start: Tensor
    length: Tensor
    speaker: Tensor
    inventory: Tensor
    weight: Tensor
    speakers: tuple[str, ...]

    @staticmethod
    def load(
        encoder: PhoneticEncoder,
        corpora: Sequence[Corpus],
        validation: Sequence[str] = (),
    ) -> Spectra:
        """On the encoder's device. Speakers of `validation` weigh nothing."""
        bins = kept_bins(encoder)
        names: dict[str, int] = {}
        powers, labels, speakers, inventories, shares = [], [], [], [], []
        for corpus in corpora:
            tables = [load_alignments(path, encoder.audio) for path in corpus.alignments]
            for utterance in tqdm(corpus.manifest.utterances, "spectra", disable=None):
                wave = load_wave(corpus.features, utterance)
                power = log_power(encoder, wave)[:, :bins]
                if len(power) < _SHORTEST:
                    continue
                label, inventory = torch.full((len(power),), IGNORED), -1
                for name, known in tables:
                    if utterance.path in known:
                        own = torch.from_numpy(known[utterance.path])[: len(power)]
                        label[: len(own)] = own
                        inventory = list(INVENTORIES).index(name)
                powers.append(power)
                labels.append(label)
                inventories.append(inventory)
                speakers.append(names.setdefault(utterance.speaker, len(names)))
                shares.append(0.0 if utterance.speaker in validation else corpus.share)
        if max(inventories, default=-1) < 0:
            raise VoiceChangerError("none of the recordings is in the alignments given")
        device = powers[0].device
        length = torch.tensor([len(power) for power in powers], device=device)
        speaker = torch.tensor(speakers, device=device)
        frames = torch.zeros(len(names), device=device).index_add_(0, speaker, length.float())
        weight = length * frames[speaker] ** (_SHARE_EXPONENT - 1)
        return Spectra(
            torch.cat(powers),
            torch.cat(labels).to(device),
            length.cumsum(0) - length,
            length,
            speaker,
            torch.tensor(inventories, device=device),
            weight * torch.tensor(shares, device=device),
            tuple(names),
        )

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.power.device

    @property
    def checked(self) -> list[int]:
        """Recordings that nobody learns from and whose phones are known."""
        known = self.inventory == list(INVENTORIES).index("arpabet")
        return torch.nonzero((self.weight == 0) & known)[:, 0].tolist()

    def of(self, speakers: Sequence[str]) -> Tensor:
        """Which recordings are theirs, bool (recordings,)."""
        own = torch.tensor([name in speakers for name in self.speakers], device=self.device)
        return own[self.speaker]

    def span(self, recording: int) -> slice:
        """Its frames."""
        start = int(self.start[recording])
        return slice(start, start + int(self.length[recording]))

    def draw(self, weight: Tensor, batch: int, frames: int, speed: float = 0.18) -> Crops:
        """Crops of recordings drawn by weight; most are up to `speed` faster or slower."""
        device = self.device
        shares = weight.cumsum(0)
        drawn = torch.searchsorted(shares, torch.rand(batch, device=device) * shares[-1])
        recording = drawn.clamp(max=len(weight) - 1)
        length = self.length[recording]
        pace = 1 + (2 * torch.rand(batch, device=device) - 1) * speed
        pace = torch.where(torch.rand(batch, device=device) < 0.6, pace, 1.0)
        first = torch.rand(batch, device=device) * (length - frames * pace).clamp(min=0)
        steps = torch.arange(frames, device=device)
        within = (first[:, None] + steps * pace[:, None]).long()
        inside = within < length[:, None]
        place = self.start[recording][:, None] + torch.minimum(within, length[:, None] - 1)
        return Crops(recording, place, inside)

    def heard(self, crops: Crops) -> Tensor:
        """Power (B, T, bins), silence past the end."""
        log = torch.where(crops.inside[..., None], self.power[crops.place].float(), _LOG_FLOOR)
        return log.exp()

    def named(self, crops: Crops, inventory: str) -> Tensor:
        """Phones (B, T) of one inventory, IGNORED elsewhere."""
        own = self.inventory[crops.recording] == list(INVENTORIES).index(inventory)
        known = crops.inside & own[:, None]
        return torch.where(known, self.labels[crops.place], IGNORED)

    def whole(
        self, recordings: Sequence[int], batch: int = 16
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Recordings of like length together, power (B, longest, bins) with silence after them."""
        order = sorted(recordings, key=lambda i: int(self.length[i]))
        for first in range(0, len(order), batch):
            group = order[first : first + batch]
            logs = [self.power[self.span(i)].float() for i in group]
            yield group, side_by_side(logs)


def side_by_side(logs: Sequence[Tensor], after: int = 0) -> Tensor:
    """Log power (frames, bins) of several -> power (B, longest + after, bins), then silence."""
    frames = max(len(log) for log in logs) + after
    padded = [F.pad(log, (0, 0, 0, frames - len(log)), value=_LOG_FLOOR) for log in logs]
    return torch.stack(padded).exp()


def kept_bins(encoder: PhoneticEncoder) -> int:
    """How many bins of a spectrum lie under HIGHEST_HZ."""
    return int(HIGHEST_HZ / encoder.sample_rate * encoder.config.n_fft) + 1
