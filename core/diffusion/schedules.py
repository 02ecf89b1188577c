"""Noise schedules: the levels a sampler walks down, and the betas of foreign voices.

Levels are tuples of Python floats ending in 0.0, so that samplers never wait for a device.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError

Array = NDArray[np.float64]

_LEAP, _LOWEST = 1 / 8, 0.02


def karras_sigmas(
    steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0
) -> tuple[float, ...]:
    """Evenly spaced in sigma ** (1 / rho), then 0 (Karras et al. 2022, eq. 5).

    Returns steps + 1 levels; one step is (sigma_max, 0.0). A larger rho crowds them near sigma_min.
    """
    _check(steps, sigma_min, sigma_max)
    if rho <= 0:
        raise ConfigError(f"rho must be positive, got {rho}")
    top, bottom = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    inner = [(top + t * (bottom - top)) ** rho for t in _unit_ramp(steps)]
    return (*_pin(inner, sigma_min, sigma_max), 0.0)


def log_uniform_sigmas(steps: int, sigma_min: float, sigma_max: float) -> tuple[float, ...]:
    """Evenly spaced in log sigma, then 0: the limit of `karras_sigmas` for large rho."""
    _check(steps, sigma_min, sigma_max)
    inner = [sigma_max * (sigma_min / sigma_max) ** t for t in _unit_ramp(steps)]
    return (*_pin(inner, sigma_min, sigma_max), 0.0)


def leap_sigmas(steps: int, sigma_min: float, sigma_max: float) -> tuple[float, ...]:
    """A leap from the top, then nearly even in log sigma, then 0: for networks of x0 within +-1.

    Far above the data a network knows nothing but their mean, so one call there is enough; far
    below, it has nothing left to say. Fewer steps leave out more of both ends. The numbers are
    fitted, see docs/principles/foreign-samplers.md.
    """
    _check(steps, sigma_min, sigma_max)
    even = log_uniform_sigmas(steps, sigma_min, sigma_max)
    high, low = min(_LEAP * steps**2, even[1]), max(_LOWEST, sigma_min)
    if steps < 3 or high <= low:
        return even
    power = min(1.0, 0.45 + 0.03 * steps)
    inner = [high * (low / high) ** t**power for t in _unit_ramp(steps - 1)]
    return (sigma_max, *inner, 0.0)


def linear_betas(steps: int, start: float = 1e-4, end: float = 0.02) -> Array:
    """beta_t rising evenly from start to end (Ho et al. 2020, section 4). Returns (steps,)."""
    return np.linspace(start, end, steps, dtype=np.float64)


def cosine_betas(steps: int, offset: float = 0.008, largest: float = 0.999) -> Array:
    """Betas that make the signal power a squared cosine (Nichol & Dhariwal 2021, eq. 17).

    offset: keeps the first betas from vanishing. largest: bound on the last ones. Returns (steps,).
    """
    t = np.linspace(0.0, 1.0, steps + 1)
    curve = np.cos((t + offset) / (1.0 + offset) * (math.pi / 2)) ** 2
    betas: Array = np.minimum(1.0 - curve[1:] / curve[:-1], largest)
    return betas


def alphas_cumprod(betas: Array) -> Array:
    """Signal power left after each step, the product of 1 - beta (Ho et al. 2020, section 2)."""
    powers: Array = np.cumprod(1.0 - betas, dtype=np.float64)
    return powers


def sigmas_from_alphas_cumprod(alphas_cumprod: Array) -> Array:
    """Noise-to-signal ratio sqrt((1 - a) / a) of z = sqrt(a) x0 + sqrt(1 - a) noise.

    Divided by its signal gain, z / sqrt(a) = x0 + sigma * noise is the x that our samplers walk on.
    """
    return np.sqrt((1.0 - alphas_cumprod) / alphas_cumprod)


def _check(steps: int, sigma_min: float, sigma_max: float) -> None:
    if steps < 1:
        raise ConfigError(f"steps must be at least 1, got {steps}")
    if not 0 < sigma_min < sigma_max:
        raise ConfigError(
            f"sigma_min must lie between 0 and sigma_max, got {sigma_min} and {sigma_max}"
        )


def _unit_ramp(steps: int) -> list[float]:
    return [i / max(steps - 1, 1) for i in range(steps)]


def _pin(sigmas: list[float], sigma_min: float, sigma_max: float) -> list[float]:
    """Sets the end levels to exactly what was asked, free of rounding."""
    if len(sigmas) > 1:
        sigmas[-1] = sigma_min
    sigmas[0] = sigma_max
    return sigmas
