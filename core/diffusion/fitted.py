"""A sampler fitted to one network: few calls, and of all that was said so far the best mean.

Every multistep sampler goes from one level to the next along a weighted sum of the x0 it has heard,

    x' = (sigma' / sigma) x + (1 - sigma' / sigma) sum_j w_j x0_j

with weights that suit any smooth path. Here they are found by least squares, on paths that the very
network takes in many small steps ("bespoke solvers", Shaul et al. 2024, have the same family).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.diffusion.fitted_steps import FittedSteps
from core.diffusion.samplers import Denoise, steps_of
from core.diffusion.schedules import leap_sigmas

LEVELS: dict[int, tuple[float, ...]] = {
    6: (4.0, 1.1, 0.33, 0.09, 0.02),
    8: (8.488, 3.61, 1.042, 0.5466, 0.2144, 0.08146, 0.02001),
    10: (10.99, 4.041, 2.261, 0.9309, 0.4883, 0.252, 0.1365, 0.0562, 0.01703),
    12: (
        *(13.12, 5.232, 2.572, 1.328, 0.9014, 0.5208, 0.3108),
        *(0.1528, 0.07887, 0.04005, 0.01449),
    ),
}
"""Calls -> where they are made below the top; docs/figures/fitted_levels.py found them."""

CALLS = (6, 8, 10, 12, 16, 20)
"""Numbers of them that a sampler is fitted for."""

_RIDGE = 1e-6  # of the mean square of x0: draws weights to the last x0 alone
_STRIDE = 0.09  # nepers of sigma between two calls on the way in small steps


def sample_fitted(denoise: Denoise, x: Tensor, steps: FittedSteps) -> Tensor:
    """x (B, M, T) at steps.sigmas[0] -> x0. One call a step."""
    said: list[Tensor] = []
    for (sigma, sigma_next), row in zip(steps_of(steps.sigmas), steps.weights, strict=True):
        said.append(denoise(x, sigma))
        target = said[0] * row[0]
        for x0, weight in zip(said[1:], row[1:], strict=True):
            target = target + x0 * weight
        x = torch.lerp(target, x, sigma_next / sigma)
    return x


def levels(calls: int, lowest: float, top: float) -> tuple[float, ...]:
    """Where so many calls are made from `top` down to 0: those of LEVELS, or of the leap."""
    known = LEVELS.get(calls, ())
    if known and known[0] < top / 2 and known[-1] >= lowest:
        return (top, *known, 0.0)
    return leap_sigmas(calls, lowest, top)


def small_steps(
    denoise: Denoise, x: Tensor, fine: Sequence[float], wanted: Sequence[float]
) -> list[Tensor]:
    """Where DDIM over the levels `fine` leads x (B, M, T): there at each falling level `wanted`.

    The network is asked at some of the levels only, _STRIDE apart; between, what it says is taken
    to go on as it did, linear in log sigma.
    """
    found: list[Tensor] = []
    x0, last, bend = x, math.inf, torch.zeros_like(x)
    for sigma, sigma_next in steps_of(fine):
        away = math.log(last / sigma)
        if away >= _STRIDE:
            now = denoise(x, sigma)
            bend = (now - x0) / away if last < math.inf else bend
            x0, last, away = now, sigma, 0.0
        said = x0 + bend * away
        while len(found) < len(wanted) and wanted[len(found)] > sigma_next:
            found.append(torch.lerp(said, x, wanted[len(found)] / sigma))
        x = torch.lerp(said, x, sigma_next / sigma)
    return [*found, *(x for _ in wanted[len(found) :])]


def fit(
    denoise: Denoise, x: Tensor, sigmas: Sequence[float], path: Sequence[Tensor]
) -> FittedSteps:
    """Weights that keep x (B, M, T), at sigmas[0], on its path: (B, M, T) at each later level.

    Step by step, each along what the steps before it made, so that it mends their errors, too.
    """
    said: list[Tensor] = []
    rows: list[tuple[float, ...]] = []
    for (sigma, sigma_next), goal in zip(steps_of(sigmas), path, strict=True):
        said.append(denoise(x, sigma))
        kept = sigma_next / sigma
        rows.append(_least_squares(said, (goal - x * kept) / (1 - kept)))
        target = sum(part * weight for part, weight in zip(said, rows[-1], strict=True))
        x = torch.lerp(torch.as_tensor(target), x, kept)
    return FittedSteps(tuple(sigmas), tuple(rows))


def _least_squares(said: Sequence[Tensor], goal: Tensor) -> tuple[float, ...]:
    """Weights of what was said whose sum is nearest to the goal, a little drawn to the last."""
    last = said[-1]
    parts = torch.stack([last, *(x0 - last for x0 in said[:-1])]).double().flatten(1)
    ridge = _RIDGE * parts[0].square().sum().clamp(min=1e-12)
    drawn = ridge * torch.eye(len(parts), dtype=torch.float64, device=parts.device)
    products = parts @ goal.double().flatten()
    products[0] += ridge
    own, *others = torch.linalg.solve(parts @ parts.T + drawn, products).tolist()
    return (*others, own - sum(others))
