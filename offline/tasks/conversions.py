"""Conversions in training: what others say, in a target's voice, where no recording is the answer.

Units, voicing and loudness of another speaker and that speaker's pitch moved to the target's go
through the denoiser's one step. Three opinions replace the missing recording: a phone judge must
hear the phones of the source, a speaker judge the target, and a critic of patches must take the
mel for one of the target's (StarGANv2-VC, Li et al. 2021, has the same three in another network).
The speaker judge goes on learning to tell whose words a conversion was made of, so pleasing it
means hiding the source, not finding its blind spots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline.preprocess import Manifest
from offline.tasks.denoiser import DenoiserTask, Item
from offline.tasks.judges import Judges, blurred, judged, phones_apart
from offline.tasks.objectives import Batch
from offline.tasks.vocoder import SpectralCritic

_SHARE_EXPONENT = 0.6  # a speaker's share grows slower than what is there of them
_PITCH_SPREAD = 1.5  # semitones around the target's median
_PHONES_WEIGHT, _LIKENESS_WEIGHT, _REAL_WEIGHT = 1.0, 0.3, 0.3


class Conversions:
    """Draws conversions to the targets of a `DenoiserTask`, and judges them."""

    def __init__(
        self,
        task: DenoiserTask,
        judges: dict[str, Tensor],
        features: Path,
        manifest: Manifest,
        without: Sequence[str] = (),
        batch: int = 6,
    ) -> None:
        """judges: weights of a `JudgesTask` of the same manifest. without: its validation set.

        Attributes: learning: what learns beside the denoiser, the speaker judge and the critic.
        """
        self.task, self.batch = task, batch
        targets = [speaker.name for speaker in task.voice.speakers]
        sources = judged(features, manifest, without)
        names = sorted({u.speaker for u in sources})
        self.own = torch.tensor([names.index(name) for name in targets])
        others = [u for u in sources if u.speaker not in targets]
        self.owners = torch.tensor([names.index(u.speaker) for u in others])
        self.items = task.load(features, others, variants=2, others=())
        self.pitch = [_median_f0(task.items, name) for name in targets]
        self.medians = {name: _median_f0(self.items, name) for name in {u.speaker for u in others}}
        frames = torch.tensor([float(len(item.f0)) for item in self.items])
        total = torch.zeros(len(names)).index_add_(0, self.owners, frames)[self.owners]
        self.weights = frames * total ** (_SHARE_EXPONENT - 1)
        self.judges = Judges(task.voice.audio, task.voice.mel, names)
        self.judges.load_state_dict(judges)
        self.judges.phones.requires_grad_(False)
        self.critic = SpectralCritic(inputs=1 + len(targets))
        self.learning = nn.ModuleDict({"speakers": self.judges.speakers, "critic": self.critic})

    def losses(
        self, real: Batch, sigma: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Both sides of the game for a batch of conversions; real: recordings of the targets."""
        denoiser = self.task.denoiser
        batch, owners, targets = self._draw(generator)
        noise = torch.randn(batch.x0.shape, generator=generator)
        prepared, _ = denoiser.condition(batch.conditions)
        x, _ = denoiser.denoise(prepared.prior + sigma * noise, sigma, prepared)
        x = x.float()
        said, made = denoiser.denormalise(batch.x0), denoiser.denormalise(x)
        heard = blurred(made, generator)
        phones = self._phones(said, heard, batch.mask)
        own = self.own[targets]
        self.learning.requires_grad_(False)
        likeness = F.cross_entropy(self.judges.speakers(heard).float(), own)
        fooled = (1 - self._score(x, targets)).square().mean()
        self.learning.requires_grad_(True)
        spoken = denoiser.denormalise(real.x0)
        everyone = blurred(torch.cat([spoken, said, made.detach()]), generator)
        theirs = real.conditions.speaker[..., 0].argmax(1)
        labels = torch.cat([self.own[theirs], owners, owners])
        telling = F.cross_entropy(self.judges.speakers(everyone).float(), labels)
        caught = (1 - self._score(real.x0, theirs)).square().mean()
        caught = caught + self._score(x.detach(), targets).square().mean()
        loss = _PHONES_WEIGHT * phones + _LIKENESS_WEIGHT * likeness + _REAL_WEIGHT * fooled
        return loss + telling + caught, {
            "phones": phones.item(),
            "likeness": likeness.item(),
            "telling": telling.item(),
            "caught": caught.item(),
        }

    def _draw(self, generator: torch.Generator) -> tuple[Batch, Tensor, Tensor]:
        """Conditions of conversions beside the source's own mel; the source and target of each."""
        drawn = torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        targets = torch.randint(len(self.pitch), (self.batch,), generator=generator)
        jitter = torch.randn(self.batch, generator=generator) * _PITCH_SPREAD
        items = []
        for i, target, semitones in zip(
            drawn.tolist(), targets.tolist(), jitter.tolist(), strict=True
        ):
            item = self.items[i]
            factor = self.pitch[target] / self.medians[item.utterance.speaker]
            f0 = item.f0 * (factor * 2 ** (semitones / 12))
            items.append(replace(item, speaker=target, f0=f0))
        batch, _ = self.task.collate(items, generator)
        return batch, self.owners[drawn], targets

    def _phones(self, said: Tensor, made: Tensor, mask: Tensor) -> Tensor:
        """How much less of the source's phones the judge hears, over frames."""
        with torch.no_grad():
            wanted = self.judges.phones(said)
        apart = phones_apart(wanted, self.judges.phones(made))
        return (apart * mask).sum() / mask.sum()

    def _score(self, x: Tensor, targets: Tensor) -> Tensor:
        """The critic's scores of normalised mels (B, M, T), told whose each should be."""
        told = F.one_hot(targets, len(self.pitch)).to(x)[:, :, None, None]
        maps = told.expand(-1, -1, x.shape[2], x.shape[1])
        score, _ = self.critic(torch.cat([x.transpose(1, 2)[:, None], maps], 1))
        scores: Tensor = score
        return scores


def _median_f0(items: Sequence[Item], speaker: str) -> float:
    """Of the speaker's voiced frames, Hz."""
    own = [item.f0[item.voiced] for item in items if item.utterance.speaker == speaker]
    return float(torch.cat(own).median())
