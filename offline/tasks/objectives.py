"""What a denoiser learns from a batch: three objectives, one signature.

edm: denoise at any noise level (Karras et al. 2022). consistency: tune a denoiser so that one step
says what many would (Geng et al. 2024, "Consistency Models Made Easy"). regression: the same
network without any noise, the baseline that diffusion has to beat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from core.diffusion.denoiser import Preconditioned
from core.features import Conditions

# Noise levels are drawn log-normally around 0.6 sigma_data, as EDM does.
_MIDDLE, _SPREAD = 0.6, 1.3
PRIOR_WEIGHT = 4.0  # its error is about sigma_data^2; this brings it to the size of the other
_HALVING_STEPS = 400  # consistency: the lower level comes nearer by half every so many steps
_NEAREST = 6  # ... down to 1 - 2 ** -6 of the upper


class Batch(NamedTuple):
    """x0: normalised mel (B, M, T); mask (B, T): true where a frame is real."""

    x0: Tensor
    conditions: Conditions
    mask: Tensor


Loss = tuple[Tensor, dict[str, float]]
Objective = Callable[[Preconditioned, Batch, int, tuple[float, float], torch.Generator], Loss]
"""(denoiser, batch, step, (sigma_min, sigma_max), generator) -> loss and figures to log."""


def edm(
    denoiser: Preconditioned,
    batch: Batch,
    step: int,
    levels: tuple[float, float],
    generator: torch.Generator,
) -> Loss:
    """Each item at a noise level of its own, all levels weighted alike; and the prior."""
    sigma = drawn_levels(denoiser, batch.x0, levels, generator)
    noise = torch.randn(batch.x0.shape, generator=generator)
    rest, prior = denoiser.loss(batch.x0, batch.conditions, sigma, noise, batch.mask)
    return rest + PRIOR_WEIGHT * prior, {"rest": rest.item(), "prior": prior.item()}


def consistency(
    denoiser: Preconditioned,
    batch: Batch,
    step: int,
    levels: tuple[float, float],
    generator: torch.Generator,
) -> Loss:
    """Two levels of the same noise must lead to the same mel; the lower one is the teacher."""
    sigma = drawn_levels(denoiser, batch.x0, levels, generator)
    nearness = min(1 + step // _HALVING_STEPS, _NEAREST)
    lower = sigma * (1.0 - 0.5**nearness)
    lower[sigma <= levels[0]] = 0.0  # at the lowest level the teacher is the recording
    noise = torch.randn(batch.x0.shape, generator=generator)
    prepared, _ = denoiser.condition(batch.conditions)
    s, r = sigma[:, None, None], lower[:, None, None]
    guess, _ = denoiser.denoise(batch.x0 + s * noise, sigma, prepared)
    with torch.no_grad():
        safe = lower.clamp(min=levels[0] / 4)
        teacher, _ = denoiser.denoise(batch.x0 + r * noise, safe, prepared)
        teacher = torch.where(r > 0, teacher, batch.x0)
    prior = _mean((prepared.prior - batch.x0).square(), batch.mask)
    weight = (s.square() + denoiser.sigma_data**2) / (s * denoiser.sigma_data).square() * s
    apart = (guess.float() - teacher.float()).square() * weight / (s - r)
    loss = _mean(apart, batch.mask)
    return loss + PRIOR_WEIGHT * prior, {"apart": loss.item(), "prior": prior.item()}


def regression(
    denoiser: Preconditioned,
    batch: Batch,
    step: int,
    levels: tuple[float, float],
    generator: torch.Generator,
) -> Loss:
    """Squared error of one pass that starts from the prior itself."""
    prepared, _ = denoiser.condition(batch.conditions)
    guess, _ = denoiser.denoise(prepared.prior.detach(), levels[1], prepared)
    error = _mean((guess.float() - batch.x0).square(), batch.mask)
    prior = _mean((prepared.prior - batch.x0).square(), batch.mask)
    scale = denoiser.sigma_data**-2
    return scale * error + PRIOR_WEIGHT * prior, {"error": error.item(), "prior": prior.item()}


OBJECTIVES: dict[str, Objective] = {
    "edm": edm,
    "consistency": consistency,
    "regression": regression,
}


def drawn_levels(
    denoiser: Preconditioned,
    x0: Tensor,
    levels: tuple[float, float],
    generator: torch.Generator | None = None,
) -> Tensor:
    """A noise level for each of a batch, (B,); levels: sigma_min and sigma_max."""
    spread = torch.randn(len(x0), generator=generator, device=x0.device)
    sigma = torch.exp(spread * _SPREAD) * denoiser.sigma_data * _MIDDLE
    return sigma.clamp(levels[0] / 2, 2 * levels[1])


def _mean(error: Tensor, mask: Tensor) -> Tensor:
    """Of (B, M, T) over real frames."""
    return (error.mean(1) * mask).sum() / mask.sum()
