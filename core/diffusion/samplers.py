"""Samplers: pure functions from noise to data, `sample_x(denoise, x, sigmas) -> x`.

`denoise(x, sigma) -> x0` is all they know of a network: conditions and state are bound into it.
x: (B, M, T) at noise level sigmas[0], with x = x0 + sigma * noise (variance exploding, as in EDM).
A sampler acts on each frame alone, so it carries nothing from one block of frames to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from core.errors import ConfigError, unknown_name

Denoise = Callable[[Tensor, float], Tensor]
"""(x, sigma) -> x0, the expected clean data; x and x0: (B, M, T)."""


class Sampler(Protocol):
    """Walks the noise levels down. sigmas: falling Python floats (no device sync), the last 0."""

    def __call__(self, denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor: ...


def sample_ddim(
    denoise: Denoise,
    x: Tensor,
    sigmas: Iterable[float],
    eta: float = 0.0,
    noise: Callable[[int], Tensor] | None = None,
) -> Tensor:
    """DDIM (Song et al. 2021, eq. 12) in the form x = x0 + sigma * noise.

    A step keeps the noise direction and shrinks it: x0 + (sigma_next / sigma) (x - x0). Read as an
    exponential integrator it is exact for constant x0; in this parametrisation it is, term by term,
    the Euler step of `sample_euler`, and differs from it in rounding only.

    eta: share of ancestral noise, 0 (deterministic) to 1 (DDPM).
    noise: step index -> standard normal (B, M, T), needed when eta > 0; key it by (frame, step).
    """
    if not 0.0 <= eta <= 1.0:
        raise ConfigError(f"eta must lie between 0 and 1, got {eta}")
    if eta > 0.0 and noise is None:
        raise ConfigError(f"eta of {eta} needs a noise function; pass noise=... or eta=0")
    for step, (sigma, sigma_next) in enumerate(_steps(sigmas)):
        x0 = denoise(x, sigma)
        fresh = eta * sigma_next * math.sqrt(1.0 - (sigma_next / sigma) ** 2)
        kept = math.sqrt(sigma_next**2 - fresh**2)
        x = torch.lerp(x0, x, kept / sigma)
        if noise is not None and fresh > 0.0:
            x = x + fresh * noise(step)
    return x


def sample_euler(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """Euler steps of the probability-flow ODE dx/dsigma = (x - x0) / sigma. First order."""
    for sigma, sigma_next in _steps(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        x = x + slope * (sigma_next - sigma)
    return x


def sample_heun(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """Heun's method (Karras et al. 2022, algorithm 1): the mean slope of both ends. Second order.

    The step to 0 is an Euler step, as the slope at 0 is not defined: n steps cost 2n - 1 calls.
    """
    for sigma, sigma_next in _steps(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        guess = x + slope * (sigma_next - sigma)
        if sigma_next > 0.0:
            slope_next = (guess - denoise(guess, sigma_next)) / sigma_next
            guess = x + (slope + slope_next) * (0.5 * (sigma_next - sigma))
        x = guess
    return x


def sample_dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """DPM-Solver++ (2M) (Lu et al. 2022, algorithm 2): second order at one call a step.

    The DDIM step, with x0 extrapolated to the middle of the step (in -log sigma) from the last two.
    The first step and the step to 0, which is infinitely long, use x0 as it is.
    """
    last_x0: Tensor | None = None
    last_h = math.inf
    for sigma, sigma_next in _steps(sigmas):
        x0 = denoise(x, sigma)
        target = x0
        h = math.log(sigma / sigma_next) if sigma_next > 0.0 else math.inf
        if last_x0 is not None and h < math.inf:
            target = x0 + (x0 - last_x0) * (h / (2.0 * last_h))
        x = torch.lerp(target, x, sigma_next / sigma)
        last_x0, last_h = x0, h
    return x


SAMPLERS: dict[str, Sampler] = {
    "ddim": sample_ddim,
    "euler": sample_euler,
    "heun": sample_heun,
    "dpmpp_2m": sample_dpmpp_2m,
}


def get_sampler(name: str) -> Sampler:
    """The sampler of that name; an unknown one is an error that lists the known ones."""
    if name not in SAMPLERS:
        raise unknown_name("sampler", name, SAMPLERS)
    return SAMPLERS[name]


def evaluations(name: str, steps: int) -> int:
    """Denoiser calls that a sampler makes in `steps` steps down to 0, found by counting them."""
    calls = 0

    def count(x: Tensor, sigma: float) -> Tensor:
        nonlocal calls
        calls += 1
        return x

    get_sampler(name)(count, torch.zeros(1), [float(sigma) for sigma in range(steps, -1, -1)])
    return calls


def _steps(sigmas: Iterable[float]) -> list[tuple[float, float]]:
    """The noise levels as (sigma, sigma_next), checked."""
    levels = list(sigmas)
    steps = list(pairwise(levels))
    if not steps or levels[-1] < 0.0 or not all(now > then for now, then in steps):
        raise ConfigError(
            f"sigmas must be at least two falling levels, the last one 0 or above; got {levels}"
        )
    return steps
