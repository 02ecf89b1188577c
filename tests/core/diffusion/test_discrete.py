"""DiscreteSchedule: levels and steps there and back, and golden samplings through our samplers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from core.diffusion.discrete import DiscreteSchedule
from core.diffusion.samplers import SAMPLERS
from core.diffusion.schedules import (
    alphas_cumprod,
    cosine_betas,
    karras_sigmas,
    linear_betas,
    log_uniform_sigmas,
)
from core.errors import ConfigError

SCHEDULES = {
    "linear": DiscreteSchedule(alphas_cumprod(linear_betas(1000))),
    "short": DiscreteSchedule(alphas_cumprod(linear_betas(100, 1e-4, 0.06))),
    "cosine": DiscreteSchedule(alphas_cumprod(cosine_betas(50)[:-1])),
}
MEAN, DEVIATION = 0.4, 0.3


def start(schedule: DiscreteSchedule) -> tuple[Tensor, float]:
    sigma = schedule.sigma(schedule.timesteps - 1)
    generator = torch.Generator().manual_seed(0)
    return sigma * torch.randn(1, 3, 7, dtype=torch.float64, generator=generator), sigma


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_and_steps_there_and_back(name: str) -> None:
    schedule = SCHEDULES[name]
    for step in (0, 0.25, 1, 17.5, schedule.timesteps - 1):
        assert schedule.step(schedule.sigma(step)) == pytest.approx(step, abs=1e-6)
    whole = [schedule.sigma(step) for step in range(schedule.timesteps)]
    assert np.all(np.diff(whole) > 0)
    gain = schedule.alpha(whole[5])
    assert gain == pytest.approx(math.exp(schedule.log_alphas[5]))
    assert whole[5] == pytest.approx(math.sqrt(1 - gain**2) / gain)


def test_levels_beyond_the_schedule_are_its_ends() -> None:
    schedule = SCHEDULES["linear"]
    assert schedule.step(1e6) == 999
    assert schedule.step(1e-6) == 0


@pytest.mark.parametrize(("steps", "begin"), [(1, None), (2, None), (10, None), (6, 299)])
def test_uniform_in_step(steps: int, begin: int | None) -> None:
    schedule = SCHEDULES["linear"]
    levels = schedule.uniform_sigmas(steps, begin)
    top = 999 if begin is None else begin
    assert len(levels) == steps + 1
    assert levels[-1] == 0.0
    walked = [schedule.step(sigma) for sigma in levels[:-1]]
    assert walked == pytest.approx(np.linspace(top, 0, steps).tolist(), abs=1e-6)


def predict_gaussian(z: Tensor, step: float) -> Tensor:
    """The noise to expect in z for data of that mean and deviation, as a network would say it."""
    sigma = SCHEDULES["linear"].sigma(step)
    gain = 1 / math.sqrt(1 + sigma**2)
    x = z / gain
    x0 = MEAN + DEVIATION**2 / (DEVIATION**2 + sigma**2) * (x - MEAN)
    return (x - x0) / sigma


@pytest.mark.parametrize(
    ("name", "bound"), [("dpmpp_2m", 2e-3), ("unipc", 1e-3), ("heun", 5e-3), ("plms", 5e-3)]
)
def test_samplers_over_predicted_noise(name: str, bound: float) -> None:
    schedule = SCHEDULES["linear"]
    x, sigma = start(schedule)
    denoise = schedule.denoise(predict_gaussian)
    made = SAMPLERS[name](denoise, x, log_uniform_sigmas(100, schedule.sigma(0), sigma))
    exact = MEAN + (x - MEAN) * DEVIATION / math.sqrt(DEVIATION**2 + sigma**2)
    assert float((made - exact).abs().max()) < bound


def test_whole_steps_and_clamped_data() -> None:
    schedule, heard = SCHEDULES["short"], []

    def predict(z: Tensor, step: float) -> Tensor:
        heard.append(step)
        return -5.0 * torch.ones_like(z)

    x = torch.zeros(1, 1, 1)
    sigma = schedule.sigma(40.4)
    assert float(schedule.denoise(predict, "nearest", clamp=1.0)(x, sigma)) == 1.0
    assert float(schedule.denoise(predict)(x, sigma)) == pytest.approx(5 * sigma)
    assert heard == [40.0, pytest.approx(40.4, abs=1e-6)]


@pytest.mark.parametrize("powers", [[0.5], [0.5, 0.7], [1.0, 0.5], [0.5, 0.0], [0.5, math.nan]])
def test_what_is_no_schedule(powers: list[float]) -> None:
    with pytest.raises(ConfigError, match="alphas_cumprod must fall"):
        DiscreteSchedule(np.array(powers))


def test_steps_outside() -> None:
    with pytest.raises(ConfigError, match="between 0 and 99, got 100"):
        SCHEDULES["short"].sigma(100)
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        SCHEDULES["short"].uniform_sigmas(0)


def test_fewer_steps_come_nearer_with_a_better_sampler() -> None:
    schedule = SCHEDULES["linear"]
    x, sigma = start(schedule)
    exact = MEAN + (x - MEAN) * DEVIATION / math.sqrt(DEVIATION**2 + sigma**2)
    denoise, levels = schedule.denoise(predict_gaussian), karras_sigmas(12, 0.01, sigma)

    def distance(name: str) -> float:
        return float((SAMPLERS[name](denoise, x, levels) - exact).abs().max())

    assert distance("dpmpp_2m") < 0.5 * distance("ddim")
