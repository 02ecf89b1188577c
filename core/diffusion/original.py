"""How the original samples a diff-svc voice: DDPM over every step, PLMS over every s-th.

Pure functions over `predict(x, step) -> noise`, kept to the letter for parity; new ways live in
`samplers.py`. PLMS: Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.diffusion.gaussian import GaussianDiffusion
from core.errors import ConfigError

Predict = Callable[[Tensor, float], Tensor]
"""(x, step) -> the noise in x; both (B, M, T). Steps may be broken, for solvers that need them."""


def bind(diffusion: GaussianDiffusion, cond: Tensor, mask: Tensor | None = None) -> Predict:
    """The network's noise prediction for one condition (B, H, T), prepared once."""
    net, device = diffusion.denoise_fn, diffusion.device
    prepared = net.condition(cond.to(device))
    mask = None if mask is None else mask.to(device)

    def predict(x: Tensor, step: float) -> Tensor:
        steps = torch.full((len(x),), step, dtype=x.dtype, device=x.device)
        noise: Tensor = net(x, steps, prepared, mask)
        return noise

    return predict


def sample_ddpm(
    diffusion: GaussianDiffusion,
    predict: Predict,
    x: Tensor,
    start: int,
    noise: Callable[[int], Tensor],
) -> Tensor:
    """All steps below `start`, each with fresh noise (Ho et al. 2020, algorithm 2), x0 clamped.

    x (B, M, T) at step start - 1. noise: number of the executed step -> standard normal (B, M, T).
    """
    d = diffusion
    for count, step in enumerate(reversed(range(start))):
        guess = predict(x, step)
        x0 = d.sqrt_recip_alphas_cumprod[step] * x - d.sqrt_recipm1_alphas_cumprod[step] * guess
        mean = d.posterior_mean_coef1[step] * x0.clamp(-1.0, 1.0) + d.posterior_mean_coef2[step] * x
        fresh = noise(count)
        x = mean + (0.5 * d.posterior_log_variance_clipped[step]).exp() * fresh if step else mean
    return x


def sample_plms(
    diffusion: GaussianDiffusion, predict: Predict, x: Tensor, start: int, speedup: int
) -> Tensor:
    """Every `speedup`-th step below `start`, the slope extrapolated from up to four predictions.

    x (B, M, T), taken for the largest multiple of speedup below `start`, whatever its level.
    The evaluation at step 0 changes nothing and is left out: ceil(start / speedup) of them remain.
    """
    _check(start, speedup)
    history: list[Tensor] = []
    for step in reversed(range(speedup, start, speedup)):
        slope, history = _plms_slope(diffusion, predict, x, step, speedup, history)
        x = _transfer(diffusion, x, slope, step, speedup)
    return x


def sample_ddim(
    diffusion: GaussianDiffusion, predict: Predict, x: Tensor, start: int, speedup: int
) -> Tensor:
    """DDIM (eta 0) over the steps that `sample_plms` visits, as Diffusion-SVC runs it."""
    _check(start, speedup)
    for step in reversed(range(speedup, start, speedup)):
        x = _transfer(diffusion, x, predict(x, step), step, speedup)
    return x


def _check(start: int, speedup: int) -> None:
    if not 1 <= speedup < start:
        raise ConfigError(
            f"speed-up {speedup} leaves no step to take from step {start}; choose one from 1 to"
            f" {start - 1}"
        )


def _plms_slope(
    diffusion: GaussianDiffusion,
    predict: Predict,
    x: Tensor,
    step: int,
    interval: int,
    history: list[Tensor],
) -> tuple[Tensor, list[Tensor]]:
    """The noise to step along (Adams-Bashforth; Heun at the start), and the predictions to keep."""
    now = predict(x, step)
    if not history:
        ahead = predict(_transfer(diffusion, x, now, step, interval), max(step - interval, 0))
        slope = (now + ahead) / 2
    elif len(history) == 1:
        slope = (3 * now - history[0]) / 2
    elif len(history) == 2:
        slope = (23 * now - 16 * history[0] + 5 * history[1]) / 12
    else:
        slope = (55 * now - 59 * history[0] + 37 * history[1] - 9 * history[2]) / 24
    return slope, [now, *history[:2]]


def _transfer(
    diffusion: GaussianDiffusion, x: Tensor, noise: Tensor, step: int, interval: int
) -> Tensor:
    """x at `step` -> x at step - interval, moved along `noise` (eq. 11; DDIM with eta 0)."""
    now = diffusion.alphas_cumprod[step]
    then = diffusion.alphas_cumprod[max(step - interval, 0)]
    along_x = 1 / (now.sqrt() * (now.sqrt() + then.sqrt()))
    along_noise = 1 / (now.sqrt() * (((1 - then) * now).sqrt() + ((1 - now) * then).sqrt()))
    return x + (then - now) * (along_x * x - along_noise * noise)
