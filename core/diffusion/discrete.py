"""DiscreteSchedule: a network trained on numbered steps, seen as `denoise(x, sigma)` by samplers.

Such a network predicts the noise in z = sqrt(a) x0 + sqrt(1 - a) noise, a the signal power left at
its step. z / sqrt(a) is the x of our samplers, at sigma = sqrt((1 - a) / a).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from torch import Tensor

from core.diffusion.samplers import Denoise
from core.diffusion.schedules import Array
from core.errors import ConfigError

Predict = Callable[[Tensor, float], Tensor]
"""(z, step) -> the noise in z; both (B, M, T); steps count from 0, the least noise."""

Fraction = Literal["interpolated", "nearest"]
"""What a network hears where a level lies between two steps: the broken step, or the nearer one."""


class DiscreteSchedule:
    """Levels and steps of a schedule; between steps log sqrt(a) is a straight line."""

    def __init__(self, alphas_cumprod: Array) -> None:
        """alphas_cumprod: (N,) falling, between 0 and 1. Raises ConfigError."""
        powers = np.asarray(alphas_cumprod, dtype=np.float64)
        falls = powers.ndim == 1 and len(powers) >= 2 and bool(np.all(np.diff(powers) < 0))
        if not falls or not 0.0 < powers[-1] < powers[0] < 1.0:
            raise ConfigError(
                "alphas_cumprod must fall from below 1 to above 0 over two steps or more; "
                f"got {np.array2string(powers.ravel()[:4], precision=4)}..., shape {powers.shape}"
            )
        self.log_alphas = 0.5 * np.log(powers)

    @property
    def timesteps(self) -> int:
        return len(self.log_alphas)

    def sigma(self, step: float) -> float:
        """The level of a step, whole or broken, 0 to timesteps - 1. Raises ConfigError."""
        if not 0 <= step <= self.timesteps - 1:
            raise ConfigError(f"step must lie between 0 and {self.timesteps - 1}, got {step}")
        log_alpha = float(np.interp(step, np.arange(self.timesteps), self.log_alphas))
        return math.sqrt(math.expm1(-2.0 * log_alpha))

    def step(self, sigma: float) -> float:
        """The broken step of a level; levels beyond the schedule are those of its ends."""
        log_alpha = -0.5 * math.log1p(sigma * sigma)
        # np.interp wants rising abscissae
        return float(np.interp(-log_alpha, -self.log_alphas, np.arange(self.timesteps)))

    def alpha(self, sigma: float) -> float:
        """What the network's z is at that level, as a share of our x."""
        return 1.0 / math.sqrt(1.0 + sigma * sigma)

    def uniform_sigmas(self, steps: int, start: float | None = None) -> tuple[float, ...]:
        """steps levels evenly spaced in step from `start` (None: the last) to step 0, then 0.0."""
        top = self.timesteps - 1 if start is None else start
        if steps < 1:
            raise ConfigError(f"steps must be at least 1, got {steps}")
        return (*(self.sigma(top * (1 - i / max(steps - 1, 1))) for i in range(steps)), 0.0)

    def denoise(
        self, predict: Predict, fraction: Fraction = "interpolated", clamp: float | None = None
    ) -> Denoise:
        """The network as samplers want it. clamp: bound on |x0|, None for none."""

        def denoise(x: Tensor, sigma: float) -> Tensor:
            step = self.step(sigma)
            step = float(round(step)) if fraction == "nearest" else step
            x0 = x - sigma * predict(x * self.alpha(sigma), step)
            return x0 if clamp is None else x0.clamp(-clamp, clamp)

        return denoise
