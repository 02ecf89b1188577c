"""DPM-Solver++ and UniPC over a discrete schedule, as Diffusion-SVC runs them.

Both walk down times uniform in [1 / N, 1], where N is the number of betas and time t stands for
the (broken) step t N - 1; between steps log alpha is interpolated. Sources: Lu et al. 2022,
"DPM-Solver++" (2M); Zhao et al. 2023, "UniPC" (order 2, B2).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import exp, expm1, log, sqrt
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ConfigError

PredictAt = Callable[[Tensor, float], Tensor]
"""(x, broken step) -> the noise in x; both (B, M, T)."""

_FEW_STEPS = 10  # fewer end on a step of first order


class _Level(NamedTuple):
    """A time of the walk: x = alpha x0 + sigma noise, half_snr = log(alpha / sigma)."""

    step: float
    alpha: float
    sigma: float
    half_snr: float


def sample_dpm_solver(predict: PredictAt, x: Tensor, betas: Tensor, steps: int) -> Tensor:
    """DPM-Solver++ (2M). x (B, M, T) at the last of the betas (N,); one evaluation a step."""
    last: tuple[Tensor, float] | None = None  # x0 and half_snr of the step before
    for count, (now, then) in enumerate(pairwise(_levels(betas, steps)), start=1):
        x0 = _clean(predict, x, now)
        h = then.half_snr - now.half_snr
        target = x0
        if last is not None and not (count == steps < _FEW_STEPS):
            ratio = (now.half_snr - last[1]) / h
            target = x0 + (x0 - last[0]) / (2 * ratio)
        x = (then.sigma / now.sigma) * x - then.alpha * expm1(-h) * target
        last = (x0, now.half_snr)
    return x


def sample_unipc(predict: PredictAt, x: Tensor, betas: Tensor, steps: int) -> Tensor:
    """UniPC of order 2: each prediction is corrected by the evaluation the next step needs anyway.

    x (B, M, T) at the last of the betas (N,); one evaluation a step.
    """
    levels = _levels(betas, steps)
    before: tuple[Tensor, float] | None = None  # x0 and half_snr of the step before
    x0 = _clean(predict, x, levels[0])
    for now, then in pairwise(levels):
        h = then.half_snr - now.half_snr
        scale = then.alpha * expm1(-h)
        base = (then.sigma / now.sigma) * x - scale * x0
        if then is levels[-1]:
            x = base
        elif before is None:
            ahead = _clean(predict, base, then)
            x = base - scale * 0.5 * (ahead - x0)
            before, x0 = (x0, now.half_snr), ahead
        else:
            ratio = (before[1] - now.half_snr) / h
            bend = (before[0] - x0) / ratio
            ahead = _clean(predict, base - scale * 0.5 * bend, then)
            old, new = _corrector(h, ratio)
            x = base - scale * (old * bend + new * (ahead - x0))
            before, x0 = (x0, now.half_snr), ahead
    return x


def _corrector(h: float, ratio: float) -> tuple[float, float]:
    """The weights of old and new difference in UniPC's corrector of order 2 with B(h) = e^h - 1."""
    hh = -h
    first = expm1(hh) / hh - 1
    second = (first / hh - 0.5) * 2
    b = np.array([first, second]) / expm1(hh)
    rhos = np.linalg.solve(np.array([[1.0, 1.0], [ratio, 1.0]]), b)
    return float(rhos[0]), float(rhos[1])


def _clean(predict: PredictAt, x: Tensor, level: _Level) -> Tensor:
    """The clean data that the predicted noise leaves."""
    return (x - level.sigma * predict(x, level.step)) / level.alpha


def _levels(betas: Tensor, steps: int) -> list[_Level]:
    """The steps + 1 levels of a walk over the whole schedule."""
    if not 1 <= steps < len(betas):
        raise ConfigError(
            f"expected 1 to {len(betas) - 1} steps over {len(betas)} betas, got {steps};"
            " choose another speed-up"
        )
    count = len(betas)
    log_alphas = _log_alphas(betas)
    times = np.linspace(1.0, 1.0 / count, steps + 1)
    keys = np.linspace(0.0, 1.0, count + 1)[1:]
    return [_level(t * count - 1, float(np.interp(t, keys, log_alphas))) for t in times.tolist()]


def _log_alphas(betas: Tensor) -> NDArray[np.float64]:
    halves: NDArray[np.float64] = (0.5 * torch.log(1 - betas.double()).cumsum(0)).cpu().numpy()
    return halves


def _level(step: float, log_alpha: float) -> _Level:
    variance = -expm1(2 * log_alpha)
    return _Level(step, exp(log_alpha), sqrt(variance), log_alpha - 0.5 * log(variance))
