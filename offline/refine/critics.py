"""Who judges a wave: critics that are told whose voice it should be. And how two sides learn apart.

A critic of everyone's spectra is pleased by anybody's voice. One that is told the target and has
seen that target's recordings is pleased by that voice alone, so it can judge conversions, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline.refine.config import RefineConfig
from offline.tasks.vocoder import RESOLUTIONS, SpectralCritic, log_spectrum

_SCALE = 3.0  # brings log magnitudes to about unit size
_MADE = 0.5  # weight of recordings' and of conversions' spectra each, against true ones


class Game(NamedTuple):
    """Both sides of it. makers: what they should fear. watchers: what these got wrong.

    fooled, converted: how far the critics are from believing in recordings spoken anew and in
    conversions. matched: how far apart the activations are.
    """

    makers: Tensor
    watchers: Tensor
    fooled: Tensor
    converted: Tensor
    matched: Tensor


@contextmanager
def held(judge: nn.Module) -> Iterator[None]:
    """Gradients go through the judge and do not reach its weights."""
    judge.requires_grad_(False)
    try:
        yield
    finally:
        judge.requires_grad_(True)


class Critics(nn.Module):
    """One a resolution, of log spectra and of whose voice it should be."""

    def __init__(self, targets: int, channels: int) -> None:
        super().__init__()
        self.targets = targets
        self.critics = nn.ModuleList(SpectralCritic(channels, 1 + targets) for _ in RESOLUTIONS[:3])

    def game(
        self,
        spectra: Sequence[tuple[Tensor, Tensor]],
        converted: Tensor,
        target: Tensor,
        config: RefineConfig,
    ) -> Game:
        """spectra: log spectra of B recordings, true and spoken anew, at each resolution.
        converted: waves (C, n) of conversions. target (B + C,): whose voice each should be.

        One backward serves both sides: no term of one reaches the other's weights.
        """
        terms = [
            self._at(critic, true, made, log_spectrum(converted, size), target)
            for critic, (true, made), size in zip(self.critics, spectra, RESOLUTIONS, strict=False)
        ]
        watchers, fooled, false, matched = (
            torch.stack(term).sum() for term in zip(*terms, strict=True)
        )
        makers = config.fooled * fooled + config.converted * false + config.matched * matched
        return Game(makers, watchers, fooled, false, matched)

    def _at(
        self, critic: nn.Module, true: Tensor, made: Tensor, converted: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the critic got wrong; fooled, converted and matched."""
        batch, card = len(true), true.device.type
        both = torch.cat([made, converted])
        # no weights kept as cast ones: they would keep who of the two sides they learned for
        with torch.autocast(card, torch.bfloat16, card == "cuda", cache_enabled=False):
            score, wanted = critic(self._told(true, target[:batch]))
            caught, _ = critic(self._told(both.detach(), target))
            with held(critic):
                believed, seen = critic(self._told(both, target))
        caught = caught.float().square()
        wrong = (1 - score.float()).square().mean()
        wrong = wrong + _MADE * (caught[:batch].mean() + caught[batch:].mean())
        doubt = (1 - believed.float()).square()
        matched = [
            (x[:batch].float() - y.detach().float()).abs().mean()
            for x, y in zip(seen, wanted, strict=True)
        ]
        return wrong, doubt[:batch].mean(), doubt[batch:].mean(), torch.stack(matched).sum()

    def _told(self, spectrum: Tensor, target: Tensor) -> Tensor:
        """Log spectra (B, frames, bins) -> (B, 1 + targets, frames, bins)."""
        told = F.one_hot(target, self.targets).to(spectrum)[:, :, None, None]
        maps = told.expand(-1, -1, *spectrum.shape[1:])
        return torch.cat([spectrum[:, None] / _SCALE, maps], 1)
