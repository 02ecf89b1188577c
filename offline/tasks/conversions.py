"""Conversions in training: what others say, in a target's voice, where no recording is the answer.

Units, voicing and loudness of another speaker and that speaker's pitch moved to the target's go
through the denoiser's one step. Three opinions replace the missing recording: a phone judge must
hear the phones of the source, a speaker judge the target, and a critic of patches must take the
mel for one of the target's (StarGANv2-VC, Li et al. 2021, has the same three in another network).
Frames stay as loud as the source's, and silent where it is.
The speaker judge goes on learning to tell whose words a conversion was made of, so pleasing it
means hiding the source, not finding its blind spots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.mel import LogMel
from offline.preprocess import Manifest
from offline.tasks.denoiser import DenoiserTask, Item
from offline.tasks.judges import Judges, blurred, judged
from offline.tasks.objectives import Batch
from offline.tasks.spoken import Spoken
from offline.tasks.vocoder import RESOLUTIONS, SpectralCritic, log_spectrum

_SHARE_EXPONENT = 0.6  # a speaker's share grows slower than what is there of them
_PITCH_SPREAD = 1.5  # semitones around the target's median
_PHONES_WEIGHT, _LIKENESS_WEIGHT, _REAL_WEIGHT, _LEVEL_WEIGHT = 2.0, 0.6, 0.3, 0.5
_HEARD_WEIGHT, _COLOUR_WEIGHT = 0.4, 0.5
_COLOUR_MEMORY = 0.95  # share of a mean spectrum that is remembered from batch to batch
_HUSH = 4.6  # nepers (40 dB) under a crop's loudest frame: silence, which has no level to keep


class Conversions:
    """Draws conversions to the targets of a `DenoiserTask`, and judges them."""

    def __init__(
        self,
        task: DenoiserTask,
        spoken: Spoken,
        judges: dict[str, Tensor],
        features: Path,
        manifest: Manifest,
        without: Sequence[str] = (),
        batch: int = 6,
    ) -> None:
        """judges: weights of a `JudgesTask` of the same manifest. without: its validation set.

        Attributes: learning: what learns beside denoiser and vocoder, the speaker judge and the
        critics.
        """
        self.task, self.spoken, self.batch = task, spoken, batch
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
        self.ears = nn.ModuleList(SpectralCritic(inputs=1 + len(targets)) for _ in RESOLUTIONS[:3])
        self.learning = nn.ModuleDict(
            {"speakers": self.judges.speakers, "critic": self.critic, "ears": self.ears}
        )
        audio, mel = task.voice.audio, task.voice.mel
        self.colour = Colour(LogMel(audio, mel), len(targets), mel.n_mels)

    def losses(
        self, real: Batch, recorded: Tensor, sigma: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Both sides of the game for a batch of conversions.

        real, recorded: recordings of the targets, and the part of their waves (B, n) that the
        vocoder says of a crop.
        """
        denoiser = self.task.denoiser
        batch, owners, targets = self._draw(generator)
        noise = torch.randn(batch.x0.shape, generator=generator)
        prepared, _ = denoiser.condition(batch.conditions)
        x, _ = denoiser.denoise(prepared.prior + sigma * noise, sigma, prepared)
        x = x.float()
        said, made = denoiser.denormalise(batch.x0), denoiser.denormalise(x)
        heard = blurred(made, generator)
        phones = self._phones(said, heard, batch.mask)
        level = _level_error(said, made, batch.mask)
        own = self.own[targets]
        self.learning.requires_grad_(False)
        likeness = F.cross_entropy(self.judges.speakers(heard).float(), own)
        fooled = (1 - self._score(x, targets)).square().mean()
        with torch.autocast("cpu", enabled=False):
            wave = self.spoken(made, batch.conditions, generator)
            spectra = [log_spectrum(wave, size) for size in RESOLUTIONS[:3]]
        heard_false = self._listen(spectra, targets, 1.0)
        self.learning.requires_grad_(True)
        spoken = denoiser.denormalise(real.x0)
        everyone = blurred(torch.cat([spoken, said, made.detach()]), generator)
        theirs = real.conditions.speaker[..., 0].argmax(1)
        labels = torch.cat([self.own[theirs], owners, owners])
        telling = F.cross_entropy(self.judges.speakers(everyone).float(), labels)
        caught = (1 - self._score(real.x0, theirs)).square().mean()
        caught = caught + self._score(x.detach(), targets).square().mean()
        with torch.autocast("cpu", enabled=False):
            truth = [log_spectrum(recorded, size) for size in RESOLUTIONS[:3]]
            colour = self.colour(wave, targets, recorded, theirs)
        overheard = self._listen(truth, theirs, 1.0)
        overheard = overheard + self._listen([s.detach() for s in spectra], targets, 0.0)
        loss = _PHONES_WEIGHT * phones + _LIKENESS_WEIGHT * likeness + _REAL_WEIGHT * fooled
        loss = loss + _LEVEL_WEIGHT * level + _HEARD_WEIGHT * heard_false + _COLOUR_WEIGHT * colour
        return loss + telling + caught + overheard, {
            "colour": colour.item(),
            "heard": heard_false.item(),
            "overheard": overheard.item(),
            "phones": phones.item(),
            "level": level.item(),
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
        """How much less of the source's phones the judge hears (Kullback-Leibler, over frames)."""
        with torch.no_grad():
            wanted = F.log_softmax(self.judges.phones(said).float(), 1)
        got = F.log_softmax(self.judges.phones(made).float(), 1)
        apart = (wanted.exp() * (wanted - got)).sum(1)
        return (apart * mask).sum() / mask.sum()

    def _score(self, x: Tensor, targets: Tensor) -> Tensor:
        """The critic's scores of normalised mels (B, M, T), told whose each should be."""
        score, _ = self.critic(self._told(x.transpose(1, 2), targets))
        scores: Tensor = score
        return scores

    def _listen(self, spectra: Sequence[Tensor], targets: Tensor, wanted: float) -> Tensor:
        """How far the critics of waves are from the score they should give, over resolutions."""
        away = [
            (wanted - ear(self._told(spectrum, targets))[0]).square().mean()
            for ear, spectrum in zip(self.ears, spectra, strict=True)
        ]
        return torch.stack(away).sum()

    def _told(self, pictures: Tensor, targets: Tensor) -> Tensor:
        """Pictures (B, T, bins) -> (B, 1 + targets, T, bins), with maps that say whose they are."""
        told = F.one_hot(targets, len(self.pitch)).to(pictures)[:, :, None, None]
        return torch.cat([pictures[:, None], told.expand(-1, -1, *pictures.shape[1:])], 1)


class Colour:
    """Distance of the mean spectra of conversions from their targets' own, in nepers of power.

    A batch says too little of a mean: what earlier ones said counts, too, without a gradient.
    """

    def __init__(self, log_mel: LogMel, targets: int, bins: int) -> None:
        self.log_mel = log_mel
        self.made, self.own = torch.zeros(targets, bins), torch.zeros(targets, bins)

    def __call__(self, made: Tensor, targets: Tensor, own: Tensor, theirs: Tensor) -> Tensor:
        """Waves (B, n) of conversions and of recordings; targets, theirs: whose they should be."""
        self.own = self._remembered(self.own, own, theirs)
        means = self._remembered(self.made, made, targets)
        self.made = means.detach()
        heard = (self.made.sum(1) > 0) & (self.own.sum(1) > 0)
        wanted, got = (m[heard].clamp(min=1e-9).log() for m in (self.own, means))
        away = (got - wanted).abs().mean() if bool(heard.any()) else means.sum() * 0
        return away / math.sqrt(1 - _COLOUR_MEMORY)

    def _remembered(self, means: Tensor, waves: Tensor, owners: Tensor) -> Tensor:
        """The means (targets, bins) of each bin's share of power, with these waves in them."""
        power = (2 * self.log_mel(waves)).exp().mean(2)
        share = power / power.sum(1, keepdim=True)
        told = F.one_hot(owners, len(means)).to(share)
        count = told.sum(0)[:, None]
        new = told.T @ share / count.clamp(min=1)
        kept = torch.where(means.sum(1, keepdim=True) > 0, _COLOUR_MEMORY, 0.0)
        remembered: Tensor = torch.where(count > 0, kept * means + (1 - kept) * new, means)
        return remembered


def _level_error(said: Tensor, made: Tensor, mask: Tensor) -> Tensor:
    """Mean distance of the levels of the frames of two log mels, nepers; where the first is silent
    the other may be as silent as it likes."""
    wanted, got = (torch.logsumexp(2 * mel, 1) / 2 for mel in (said, made))
    floor = wanted.amax(1, keepdim=True) - _HUSH
    away = got - torch.maximum(wanted, floor)
    apart = torch.where(wanted > floor, away.abs(), away.clamp(min=0.0))
    return (apart * mask).sum() / mask.sum()


def _median_f0(items: Sequence[Item], speaker: str) -> float:
    """Of the speaker's voiced frames, Hz."""
    own = [item.f0[item.voiced] for item in items if item.utterance.speaker == speaker]
    return float(torch.cat(own).median())
