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

import numpy as np
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
    _check_eta(eta, noise)
    for step, (sigma, sigma_next) in enumerate(steps_of(sigmas)):
        x0 = denoise(x, sigma)
        fresh = eta * sigma_next * math.sqrt(1.0 - (sigma_next / sigma) ** 2)
        kept = math.sqrt(sigma_next**2 - fresh**2)
        x = torch.lerp(x0, x, kept / sigma)
        if noise is not None and fresh > 0.0:
            x = x + fresh * noise(step)
    return x


def sample_euler(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """Euler steps of the probability-flow ODE dx/dsigma = (x - x0) / sigma. First order."""
    for sigma, sigma_next in steps_of(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        x = x + slope * (sigma_next - sigma)
    return x


def sample_heun(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """Heun's method (Karras et al. 2022, algorithm 1): the mean slope of both ends. Second order.

    The step to 0 is an Euler step, as the slope at 0 is not defined: n steps cost 2n - 1 calls.
    """
    for sigma, sigma_next in steps_of(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        guess = x + slope * (sigma_next - sigma)
        if sigma_next > 0.0:
            slope_next = (guess - denoise(guess, sigma_next)) / sigma_next
            guess = x + (slope + slope_next) * (0.5 * (sigma_next - sigma))
        x = guess
    return x


def sample_dpmpp_2m(
    denoise: Denoise,
    x: Tensor,
    sigmas: Iterable[float],
    eta: float = 0.0,
    noise: Callable[[int], Tensor] | None = None,
) -> Tensor:
    """DPM-Solver++ (2M) (Lu et al. 2022, algorithm 2): second order at one call a step.

    The DDIM step, with x0 extrapolated to the middle of the step (in -log sigma) from the last two.
    The first step and the step to 0, which is infinitely long, use x0 as it is.

    eta: 0 is the ODE; above it the SDE form (algorithm 3 of its appendix), 1 the full SDE, with
    `noise` as in `sample_ddim`.
    """
    _check_eta(eta, noise)
    last_x0: Tensor | None = None
    last_h = math.inf
    for step, (sigma, sigma_next) in enumerate(steps_of(sigmas)):
        x0 = denoise(x, sigma)
        target = x0
        h = math.log(sigma / sigma_next) if sigma_next > 0.0 else math.inf
        if last_x0 is not None and h < math.inf:
            target = x0 + (x0 - last_x0) * (h / (2.0 * last_h))
        kept = sigma_next / sigma * (math.exp(-eta * h) if eta > 0.0 else 1.0)
        x = torch.lerp(target, x, kept)
        if noise is not None and eta > 0.0 and sigma_next > 0.0:
            x = x + sigma_next * math.sqrt(-math.expm1(-2.0 * eta * h)) * noise(step)
        last_x0, last_h = x0, h
    return x


def sample_plms(denoise: Denoise, x: Tensor, sigmas: Iterable[float]) -> Tensor:
    """PLMS (Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models"): one call a step.

    The DDIM step along a mean of the last four slopes, with the weights of Adams and Bashforth for
    even steps, whatever the levels: second order where these change smoothly. The first slope is
    the mean of both ends of the step, which costs one call more.
    """
    slopes: list[Tensor] = []  # the newest first
    for sigma, sigma_next in steps_of(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        if not slopes and sigma_next > 0.0:
            ahead = x + slope * (sigma_next - sigma)
            mean = 0.5 * (slope + (ahead - denoise(ahead, sigma_next)) / sigma_next)
        else:
            weights = _ADAMS_BASHFORTH[len(slopes)]
            mean = _weighted([slope, *slopes], weights)
        x = x + mean * (sigma_next - sigma)
        slopes = [slope, *slopes[:2]]
    return x


def sample_unipc(denoise: Denoise, x: Tensor, sigmas: Iterable[float], order: int = 2) -> Tensor:
    """UniPC (Zhao et al. 2023, B2(h) = e^h - 1): predicted, then corrected by the next call's x0.

    The correction costs no call and raises the order by one. The first steps are of lower order;
    the last step is predicted only, to 0 with x0 as it is. order: of the prediction, 1 to 3.
    """
    if not 1 <= order <= 3:
        raise ConfigError(f"the order of UniPC must lie between 1 and 3, got {order}")
    past: list[tuple[float, Tensor]] = []  # (log sigma, x0), the newest first
    last: _UniPCStep | None = None
    for sigma, sigma_next in steps_of(sigmas):
        x0 = denoise(x, sigma)
        if last is not None:
            x = last.corrected(x0)
        past = [(math.log(sigma), x0), *past[: order - 1]]
        if sigma_next == 0.0:
            return x0
        last = _UniPCStep(x, past, math.log(sigma_next))
        x = last.predicted()
    return x


class _UniPCStep:
    """One step from `now` on: x there, and (log sigma, x0) of it and of the steps before."""

    def __init__(self, x: Tensor, past: list[tuple[float, Tensor]], then: float) -> None:
        (now, self.x0), *before = past
        h = now - then  # how far the log of the signal-to-noise ratio rises
        self.scale = math.expm1(-h)
        self.base = math.exp(-h) * x - self.scale * self.x0
        ratios = [(now - level) / h for level, _ in before]
        self.bends = [(x0 - self.x0) / r for (_, x0), r in zip(before, ratios, strict=True)]
        self.rows = np.vander([*ratios, 1.0], increasing=True).T
        phi, self.right = self.scale / -h - 1.0, []
        for k in range(1, len(ratios) + 2):
            self.right.append(phi * math.factorial(k) / self.scale)
            phi = phi / -h - 1.0 / math.factorial(k + 1)

    def predicted(self) -> Tensor:
        """x at the step's end, from what is known at its start."""
        n = len(self.bends)
        if n == 1:
            return self.base - self.scale * 0.5 * self.bends[0]  # as its authors set it
        weights = np.linalg.solve(self.rows[:n, :n], self.right[:n]) if n else ()
        return self._bent(list(weights), self.bends)

    def corrected(self, x0: Tensor) -> Tensor:
        """x at the step's end, x0 being what the network says there of `predicted`."""
        weights = [0.5] if not self.bends else list(np.linalg.solve(self.rows, self.right))
        return self._bent(weights, [*self.bends, x0 - self.x0])

    def _bent(self, weights: list[float], bends: list[Tensor]) -> Tensor:
        if not bends:
            return self.base
        return self.base - self.scale * _weighted(bends, [float(w) for w in weights])


_ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


SAMPLERS: dict[str, Sampler] = {
    "ddim": sample_ddim,
    "euler": sample_euler,
    "heun": sample_heun,
    "dpmpp_2m": sample_dpmpp_2m,
    "plms": sample_plms,
    "unipc": sample_unipc,
}


def shallow_start(x0: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """Where a sampler sets out from a cheaper guess at the data: x0 under noise of level sigma.

    x0, noise: (B, M, T). The levels to walk are then those from sigma down.
    """
    return x0 + sigma * noise


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


def _weighted(parts: list[Tensor], weights: Iterable[float]) -> Tensor:
    """The sum of the parts times their weights."""
    total, *others = (part * weight for part, weight in zip(parts, weights, strict=True))
    for other in others:
        total = total + other
    return total


def _check_eta(eta: float, noise: Callable[[int], Tensor] | None) -> None:
    if not 0.0 <= eta <= 1.0:
        raise ConfigError(f"eta must lie between 0 and 1, got {eta}")
    if eta > 0.0 and noise is None:
        raise ConfigError(f"eta of {eta} needs a noise function; pass noise=... or eta=0")


def steps_of(sigmas: Iterable[float]) -> list[tuple[float, float]]:
    """The noise levels as (sigma, sigma_next), checked."""
    levels = list(sigmas)
    steps = list(pairwise(levels))
    if not steps or levels[-1] < 0.0 or not all(now > then for now, then in steps):
        raise ConfigError(
            f"sigmas must be at least two falling levels, the last one 0 or above; got {levels}"
        )
    return steps
