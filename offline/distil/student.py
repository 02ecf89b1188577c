"""The student: the streaming encoder, taught phones by teachers and texts, and kept where it was.

What it hears of the targets has to stay the units that denoiser and vocoder know: an anchor. As in
`offline/tasks/content.py`, two disguises of a crop must have the same units, and the units with a
vector for the speaker the crop's envelope.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.content.phonetic import PhoneticEncoder
from offline.alignment import IGNORED, INVENTORIES
from offline.distil.disguise import Disguise
from offline.distil.recorded import Average, Descent, Recorded
from offline.distil.spectra import Crops, Spectra
from offline.distil.teacher import learning_rate, misnamed
from offline.tasks.content import cepstral_cosines, loud_frames

_FRAMES, _BATCH = 192, 48
_RATE, _DECAY, _AVERAGED, _DROPOUT = 1e-3, 0.01, 0.999, 0.05
_HIDDEN_WIDTHS, _HIDDEN_TIMES = (8, 10), (2, 1)  # frames, bands
_OWN_DELAY = 0.65  # share of the steps at the delay the voice takes
_SOFT = 0.6  # share of the teachers' opinion where there is a text, too
_SMOOTHING = 0.05  # of texts alone
_UNTOLD = 0.5  # weight of frames without a text
_IPA, _ALIKE, _ENVELOPE, _ANCHOR, _DISGUISED_ANCHOR = 0.15, 0.5, 0.3, 2.0, 0.3
FIGURES = ("phones", "alike", "envelope", "anchor")


class Lessons:
    """One step of the student's training at a delay.

    soft: the teachers' phones (frames, phones), zero where none was asked. targets: whose units
    stay, bool (recordings,).
    """

    def __init__(
        self,
        student: PhoneticEncoder,
        spectra: Spectra,
        disguise: Disguise,
        soft: Tensor,
        targets: Tensor,
        batch: int = _BATCH,
    ) -> None:
        config, device = student.config, spectra.device
        self.student, self.spectra, self.disguise, self.soft = student, spectra, disguise, soft
        self.targets, self.batch = spectra.length * targets, batch
        self.before = copy.deepcopy(student).eval().requires_grad_(False)
        for layer in student.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = _DROPOUT
        self.cosines = cepstral_cosines(config.n_bands).to(device)
        self.speaker = nn.Embedding(len(spectra.speakers), 64).to(device)
        self.ipa = nn.Linear(config.dim, len(INVENTORIES["ipa"])).to(device)
        self.envelope = nn.Sequential(
            nn.Linear(config.dim + 64, 256), nn.GELU(), nn.Linear(256, len(self.cosines))
        ).to(device)
        self.scale = torch.ones(len(self.cosines), device=device)
        crops = spectra.draw(spectra.weight, 256, _FRAMES)
        cepstra, loud = self._cepstra(disguise.bands(spectra.heard(crops), warped=False))
        self.scale = cepstra[loud].std(0)
        parts = (student, self.speaker, self.ipa, self.envelope)
        self.descent = Descent([w for part in parts for w in part.parameters()], _DECAY, device)

    def step(self, delay: int) -> Tensor:
        """Takes it; the figures that FIGURES names."""
        self.descent.begin()
        spectra, batch, frames = self.spectra, self.batch, _FRAMES
        reach = frames + max(self.student.config.delays)
        with torch.no_grad():
            crops = spectra.draw(spectra.weight, batch, reach)
            power = spectra.heard(crops)
            clean, loud = self._cepstra(self.disguise.bands(power[:, :frames], warped=False))
            phones, weight = self._wanted(crops)
            ipa = spectra.named(crops, "ipa")[:, :frames]
            own = spectra.heard(spectra.draw(self.targets, max(batch // 4, 1), reach, speed=0.0))
            plain = self.disguise.bands(own, warped=False)
            before = self.before.encode(plain[:, : frames + delay], delay)[0][:, delay:]
            heard = torch.cat([self._disguised(power.repeat(2, 1, 1)), plain, self._disguised(own)])
        with torch.autocast(spectra.device.type, torch.bfloat16):
            said = self.student.encode(heard[:, : frames + delay], delay)[0][:, delay:]
        said = said.float()
        units = said[: 2 * batch].view(2, batch, frames, -1)  # (2, B, T, D)
        anchored = said[2 * batch :].view(2, len(own), frames, -1)
        log = F.log_softmax(self.student.phones(units), -1)
        named = -((phones * log).sum(-1) * weight).sum() / (2 * weight.sum()).clamp(min=1)
        further = misnamed(self.ipa(units), ipa.expand(2, -1, -1), 0.0)
        audible = loud.float()
        alike = _mean((units[0] - units[1]).square().mean(-1), audible)
        speaker = self.speaker(spectra.speaker[crops.recording])[:, None]
        told = torch.cat([units, speaker.expand(2, -1, frames, -1)], -1)
        envelope = _mean((self.envelope(told) - clean).square().mean((0, -1)), audible)
        anchor, disguised = (anchored - before).square().mean((1, 2, 3))
        loss = named + _IPA * further + _ALIKE * alike + _ENVELOPE * envelope
        self.descent.step(loss + _ANCHOR * (anchor + _DISGUISED_ANCHOR * disguised))
        return torch.stack([named, alike, envelope, anchor]).detach()

    def _wanted(self, crops: Crops) -> tuple[Tensor, Tensor]:
        """Probabilities (B, T, phones) that the student should give, and how much they count."""
        label = self.spectra.named(crops, "arpabet")[:, :_FRAMES]
        soft, known = self.soft[crops.place[:, :_FRAMES]].float(), label != IGNORED
        taught = (soft.sum(-1) > 0.5) & crops.inside[:, :_FRAMES]
        places = torch.arange(soft.shape[-1], device=soft.device)
        hard = (label[..., None] == places).float()
        smooth = (1 - _SMOOTHING) * hard + _SMOOTHING / len(places)
        both = _SOFT * soft + (1 - _SOFT) * hard
        phones = torch.where((known & taught)[..., None], both, smooth)
        phones = torch.where(known[..., None], phones, soft)
        untold = (taught & (self.spectra.inventory[crops.recording] < 0)[:, None]).float()
        return phones, torch.where(known, 1.0, _UNTOLD * untold)

    def _disguised(self, power: Tensor) -> Tensor:
        bands = self.disguise.bands(self.disguise.power(power))
        return self.disguise.hide(bands, _HIDDEN_WIDTHS, _HIDDEN_TIMES)

    def _cepstra(self, bands: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled cepstra without the level (B, T, C) and the frames heard (B, T)."""
        return bands @ self.cosines.T / self.scale, loud_frames(bands)


def train_student(
    lessons: Lessons, minutes: float, tell: Callable[[int, dict[str, float]], None]
) -> dict[str, Tensor]:
    """The averaged weights after so many minutes. tell: hears figures every 500 steps."""
    student, device = lessons.student, lessons.spectra.device
    config, dice = student.config, random.Random(0)
    steps_at = {d: Recorded(partial(lessons.step, d), device) for d in config.delays}
    average = Average(student, _AVERAGED)
    student.train()
    steps, began = 0, time.monotonic()
    while (progress := (time.monotonic() - began) / 60 / minutes) < 1:
        lessons.descent.rate = learning_rate(_RATE, progress)
        own = dice.random() < _OWN_DELAY
        figures = steps_at[config.lookahead_frames if own else dice.choice(config.delays)]()
        average.follow()
        steps += 1
        if steps % 20 == 0:
            figures.tolist()  # else launches would pile up behind the card
        if steps % 500 == 0:
            tell(steps, dict(zip(FIGURES, figures.tolist(), strict=True)))
    student.load_state_dict(average.weights, strict=False)
    student.eval()
    return average.weights


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
