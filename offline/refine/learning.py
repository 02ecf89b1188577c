"""One step of denoiser and vocoder, and of those who judge them; and many of them in a time.

The denoiser takes its one step from full noise and the vocoder speaks the result. Recordings are
compared with what was recorded; conversions have no answer, so judges have to hear the source's
phones and the target's voice in them, and the content encoder what it heard in the source.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.content.phonetic import PhoneticEncoder
from core.diffusion.denoiser import Prepared
from core.mel import LogMel, frame_wave
from core.voice import VoiceModel
from offline.distil.recorded import Average, Descent, Recorded
from offline.refine.config import RefineConfig
from offline.refine.critics import Critics, held
from offline.refine.lessons import Lesson, Lessons
from offline.tasks.judges import Judges, blurred, phones_apart
from offline.tasks.objectives import PRIOR_WEIGHT, drawn_levels
from offline.tasks.spoken import WARM_FRAMES, Spoken
from offline.tasks.vocoder import RESOLUTIONS, spectral_loss

_DECAY, _BETAS = 0.01, (0.8, 0.98)
_STEEPEST, _STEEPEST_WATCHING = 5.0, 20.0  # norms of the gradients
_LAST, _LAST_WATCHING = 0.02, 0.05  # shares of the rates at the end of the time
_EAR_WARM_FRAMES = 24  # the content encoder's past is empty there: not compared
FIGURES = (
    *("spectral", "mel", "edm", "prior", "critics", "fooled", "converted", "matched"),
    *("phones", "heard", "likeness", "telling", "slope"),
)

log = logging.getLogger(__name__)


class Refinement:
    """A step of makers, denoiser and vocoder, and of watchers, critics and the speaker judge."""

    def __init__(
        self, voice: VoiceModel, judges: Judges, lessons: Lessons, config: RefineConfig
    ) -> None:
        """judges: they know all speakers of the lessons, the targets by their names."""
        device = lessons.pitch.device
        names = [speaker.name for speaker in voice.config.speakers]
        assert isinstance(voice.encoder, PhoneticEncoder)
        self.voice, self.encoder, self.judges = voice, voice.encoder, judges
        self.lessons, self.config, self.device = lessons, config, device
        self.own = torch.tensor([judges.names.index(name) for name in names], device=device)
        self.encoder.eval().requires_grad_(False)
        judges.phones.requires_grad_(False)
        self.denoiser = voice.denoiser.train().requires_grad_(True)
        self.vocoder = voice.vocoder.train().requires_grad_(True)
        self.critics = Critics(len(names), config.channels).to(device)
        self.log_mel = LogMel(voice.config.audio, voice.config.mel).to(device)
        hop = voice.config.audio.hop_length
        self.spoken = Spoken(self.vocoder, hop, config.spoken + WARM_FRAMES)
        self.sigma = torch.tensor(voice.config.denoiser.sigma_max, device=device)
        self.makers = self._descent(self.denoiser, self.vocoder)
        self.watchers = self._descent(self.critics, judges.speakers)

    def step(self) -> Tensor:
        """Takes it; the figures that FIGURES names."""
        self.makers.begin()
        self.watchers.begin()
        makers, watchers, figures = self.losses()
        (makers + watchers).backward()  # type: ignore[no-untyped-call]
        slope = self.makers.down(_STEEPEST)
        self.watchers.down(_STEEPEST_WATCHING)
        return torch.stack([*figures, slope]).detach()

    def losses(self) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Of the makers and of the watchers, in whose terms the other side's weights are not; and
        all figures but the slope.
        """
        config, denoiser, lesson = self.config, self.denoiser, self.lessons.draw()
        batch = len(lesson.mel)
        x0 = denoiser.normalise(lesson.mel)
        prepared, _ = denoiser.condition(lesson.conditions)
        noise = torch.randn_like(prepared.prior)
        x, _ = denoiser.denoise(prepared.prior + self.sigma * noise, self.sigma, prepared)
        error = (x[:batch] - x0).square().mean()
        known = Prepared(prepared.prior[:batch], prepared.biases[:batch])
        levels = self.voice.config.denoiser.sigma_min, self.voice.config.denoiser.sigma_max
        drawn, real = drawn_levels(denoiser, x0, levels), torch.ones_like(x0[:, 0])
        rest, prior = denoiser.errors(x0, known, drawn, torch.randn_like(x0), real)
        made = self.spoken(denoiser.denormalise(x), lesson.conditions)
        recorded = self.spoken.part(lesson.wave)
        spectral, spectra = spectral_loss(recorded, made[:batch])
        game = self.critics.game(spectra, made[batch:], lesson.target, config)
        opinions, telling, heard = self._judged(lesson, recorded, made[batch:])
        makers = spectral + error + config.edm * (rest + PRIOR_WEIGHT * prior)
        figures = [spectral / len(RESOLUTIONS), error, rest, prior, game.watchers]
        figures += [game.fooled, game.converted, game.matched, *heard, telling]
        return makers + game.makers + opinions, game.watchers + telling, figures

    def _judged(
        self, lesson: Lesson, recorded: Tensor, converted: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Waves of recordings and conversions -> what the judges hold against the conversions, what
        the speaker judge got wrong, and of the former phones, heard and likeness.
        """
        config, judges = self.config, self.judges
        target = self.own[lesson.target]
        of_recordings, of_conversions = target[: len(recorded)], target[len(recorded) :]
        said, made = lesson.said[..., -config.spoken :], self.log_mel(converted)
        dim = blurred(made)
        phones = phones_apart(judges.phones(said), judges.phones(dim)).mean()
        heard = self._misheard(converted, lesson.units)
        with held(judges.speakers):
            likeness = F.cross_entropy(judges.speakers(dim), of_conversions)
        everyone = blurred(torch.cat([self.log_mel(recorded), said, made.detach()]))
        # it hears on who a conversion was made of: to please it is to hide the source
        who = torch.cat([of_recordings, lesson.source, lesson.source])
        telling = F.cross_entropy(judges.speakers(everyone), who)
        opinions = config.phones * phones + config.heard * heard + config.likeness * likeness
        return opinions, telling, [phones, heard, likeness]

    def _misheard(self, wave: Tensor, units: Tensor) -> Tensor:
        """How much less of the phones of plain units (C, D, T) the encoder hears in (C, n)."""
        encoder, delay = self.encoder, self.encoder.config.lookahead_frames
        windows = frame_wave(wave, encoder.config.n_fft, encoder.hop_length)
        heard = encoder.encode(encoder.bands(encoder.power(windows)), delay)[0][:, delay:]
        said = units[..., -self.config.spoken :].transpose(1, 2)[:, : heard.shape[1]]
        wanted, got = (encoder.phones(u[:, _EAR_WARM_FRAMES:]) for u in (said, heard))
        return phones_apart(wanted.transpose(1, 2), got.transpose(1, 2)).mean()

    def _descent(self, *parts: nn.Module) -> Descent:
        weights = [weight for part in parts for weight in part.parameters()]
        return Descent(weights, _DECAY, self.device, _BETAS)


def rates(step: int, progress: float, config: RefineConfig) -> tuple[float, float]:
    """Learning rates of makers, who wait until the watchers have settled, and of watchers."""
    falling = 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
    ready = min(max(step - config.settle, 0) / max(config.warmup, 1), 1.0)
    makers = config.rate * ready * (_LAST + (1 - _LAST) * falling)
    return makers, config.watching_rate * (_LAST_WATCHING + (1 - _LAST_WATCHING) * falling)


def refine(
    refinement: Refinement,
    seconds: float,
    steps: int | None,
    until: float,
    tell: Callable[[int, dict[str, float]], None],
) -> dict[str, Tensor]:
    """The denoiser's averaged weights. seconds, steps: over which the rates fall, whichever ends
    sooner; until: the share of them that is taken. tell: hears mean figures now and then.
    """
    config = refinement.config
    recorded = Recorded(refinement.step, refinement.device)
    average = Average(refinement.denoiser, config.average)
    sums = torch.zeros(len(FIGURES), device=refinement.device)
    step, told, began = 0, 0, time.monotonic()
    while True:
        progress = max((time.monotonic() - began) / seconds, step / steps if steps else 0.0)
        if progress >= until:
            break
        refinement.makers.rate, refinement.watchers.rate = rates(step, progress, config)
        sums += recorded()
        step += 1
        if step > config.settle:
            average.follow()
        if step in (1, 100) or step % 250 == 0:
            mean = (sums / (step - told)).tolist()
            tell(step, dict(zip(FIGURES, mean, strict=True)))
            told = step
            sums.zero_()
        elif step % 10 == 0:
            sums.tolist()  # else launches would pile up behind the card
    log.info("%d steps in %.0f s", step, time.monotonic() - began)
    return average.weights
