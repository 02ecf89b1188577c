"""Samplers fitted to a network: exact where all it says is one thing, near where paths bend."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.diffusion.fitted import CALLS, fit, levels, sample_fitted, small_steps
from core.diffusion.fitted_steps import FittedSteps
from core.diffusion.samplers import sample_ddim, sample_unipc
from core.diffusion.schedules import leap_sigmas, log_uniform_sigmas
from core.errors import ConfigError
from docs.figures.samplers import DEVIATION, MEANS, WEIGHTS, denoise

LOW, TOP = 0.01, 157.0
FINE = log_uniform_sigmas(1000, LOW, TOP)


def noisy(seed: int, count: int = 2000) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(WEIGHTS, count, replacement=True, generator=generator)
    noise = torch.randn(2, count, dtype=torch.float64, generator=generator)
    return (MEANS[chosen] + DEVIATION * noise[0] + TOP * noise[1])[None, None]


@pytest.mark.parametrize("calls", CALLS)
def test_nearer_than_what_suits_any_path(calls: int) -> None:
    sigmas = levels(calls, LOW, TOP)
    assert len(sigmas) == calls + 1
    learned = noisy(0)
    steps = fit(denoise, learned, sigmas, small_steps(denoise, learned, FINE, sigmas[1:]))
    heard = noisy(1)
    wanted = sample_ddim(denoise, heard, FINE)
    away = (sample_fitted(denoise, heard, steps) - wanted).abs().mean()
    plain = sample_unipc(denoise, heard, leap_sigmas(calls, LOW, TOP), order=3)
    assert away < 0.7 * (plain - wanted).abs().mean()


def test_small_steps_are_those_of_ddim() -> None:
    x = noisy(2)
    calls = 0

    def counted(x: Tensor, sigma: float) -> Tensor:
        nonlocal calls
        calls += 1
        return denoise(x, sigma)

    wanted = [3.0, 0.5, 0.0]
    made = small_steps(counted, x, FINE, wanted)
    assert calls < 200
    for sigma, found in zip(wanted, made, strict=True):
        walked = [*(s for s in FINE if s > sigma), sigma]
        assert float((found - sample_ddim(denoise, x, walked)).abs().mean()) < 2e-3


def test_a_walk_through_one_constant_is_exact() -> None:
    def constant(x: Tensor, sigma: float) -> Tensor:
        return torch.full_like(x, 0.25)

    x = 0.25 + TOP * torch.randn(1, 3, 50, generator=torch.Generator().manual_seed(0))
    sigmas = (TOP, 2.0, 0.1, 0.0)
    path = [0.25 + (x - 0.25) * (sigma / TOP) for sigma in sigmas[1:]]
    made = sample_fitted(constant, x, fit(constant, x, sigmas, path))
    assert torch.allclose(made, torch.full_like(x, 0.25), atol=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    assert levels(8, LOW, 5.0) == leap_sigmas(8, LOW, 5.0)  # begins below where the known ones lie
    with pytest.raises(ConfigError, match="rows of 1 to 2 weights, got rows of"):
        FittedSteps((1.0, 0.5, 0.0), ((1.0,), (1.0,)))
    assert FittedSteps((1.0, 0.0), ((1.0,),)).calls == 1
