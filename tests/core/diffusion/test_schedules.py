"""Schedules: monotone, exact at their ends, consistent with one another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from core.diffusion.schedules import (
    alphas_cumprod,
    cosine_betas,
    karras_sigmas,
    leap_sigmas,
    linear_betas,
    log_uniform_sigmas,
    sigmas_from_alphas_cumprod,
)
from core.errors import ConfigError

SCHEDULES = [karras_sigmas, log_uniform_sigmas]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 50])
def test_falls_from_sigma_max_to_zero(schedule, steps: int) -> None:
    sigmas = schedule(steps, 0.02, 20.0)
    assert len(sigmas) == steps + 1
    assert sigmas[0] == 20.0
    assert sigmas[-1] == 0.0
    assert all(type(sigma) is float for sigma in sigmas)
    assert all(now > then for now, then in pairwise(sigmas))
    assert steps == 1 or sigmas[-2] == 0.02


def test_karras_is_even_in_the_root() -> None:
    roots = np.array(karras_sigmas(6, 0.02, 20.0, rho=5.0)[:-1]) ** 0.2
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10, 24, 1000])
@pytest.mark.parametrize("top", [0.03, 2.0, 157.0])
def test_a_leap_falls_and_stays_within(steps: int, top: float) -> None:
    sigmas = leap_sigmas(steps, 0.01, top)
    assert len(sigmas) == steps + 1
    assert sigmas[0] == top
    assert sigmas[-1] == 0.0
    assert sigmas[-2] >= 0.01 or steps == 1
    assert all(now > then for now, then in pairwise(sigmas))


def test_a_leap_leaves_out_both_ends() -> None:
    even, leap = log_uniform_sigmas(10, 0.01, 157.0), leap_sigmas(10, 0.01, 157.0)
    assert leap[1] < even[1] / 4
    assert leap[-2] == pytest.approx(0.02)


def test_karras_tends_to_log_uniform() -> None:
    np.testing.assert_allclose(
        karras_sigmas(6, 0.02, 20.0, rho=1e6), log_uniform_sigmas(6, 0.02, 20.0), rtol=1e-4
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("bad", [(0, 0.02, 20.0), (4, 0.0, 20.0), (4, 20.0, 0.02)])
def test_rejects_what_cannot_fall(schedule, bad: tuple[int, float, float]) -> None:
    with pytest.raises(ConfigError):
        schedule(*bad)


def test_rejects_a_rho_that_is_not_positive() -> None:
    with pytest.raises(ConfigError, match="rho"):
        karras_sigmas(4, 0.02, 20.0, rho=0.0)


@pytest.mark.parametrize(
    "betas", [linear_betas(1000), cosine_betas(1000)], ids=["linear", "cosine"]
)
def test_betas_turn_into_rising_sigmas(betas: np.ndarray) -> None:
    assert betas.shape == (1000,)
    assert betas.dtype == np.float64
    assert np.all((betas > 0) & (betas < 1))
    assert np.all(np.diff(betas) >= 0)
    powers = alphas_cumprod(betas)
    sigmas = sigmas_from_alphas_cumprod(powers)
    assert np.all(np.diff(sigmas) > 0)
    np.testing.assert_allclose(1.0 / (1.0 + sigmas**2), powers)


def test_linear_betas_reach_their_ends() -> None:
    betas = linear_betas(1000, 1e-4, 0.06)
    assert (betas[0], betas[-1]) == (1e-4, 0.06)


def test_cosine_betas_follow_the_cosine() -> None:
    half = alphas_cumprod(cosine_betas(1000))[499]
    assert half == pytest.approx(0.5, abs=0.02)
