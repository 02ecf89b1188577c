"""Samplers on denoisers whose ODE has a known solution."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from core.diffusion.samplers import (
    SAMPLERS,
    Denoise,
    evaluations,
    get_sampler,
    sample_ddim,
    sample_dpmpp_2m,
    sample_plms,
    sample_unipc,
    shallow_start,
)
from core.diffusion.schedules import karras_sigmas, log_uniform_sigmas
from core.errors import ConfigError

MEAN, DEVIATION = 0.7, 0.5
SIGMA_MIN, SIGMA_MAX = 0.05, 20.0
FIRST_CALL_STEPS = ["ddim", "euler", "dpmpp_2m", "unipc"]


def denoise_gaussian(x: Tensor, sigma: float) -> Tensor:
    """E[x0 | x] for x0 of that mean and deviation."""
    return MEAN + DEVIATION**2 / (DEVIATION**2 + sigma**2) * (x - MEAN)


def exact_solution(x: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """The probability-flow ODE of the Gaussian only rescales the distance to the mean."""
    ratio = (DEVIATION**2 + sigma_next**2) / (DEVIATION**2 + sigma**2)
    return MEAN + (x - MEAN) * math.sqrt(ratio)


def start(frames: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return SIGMA_MAX * torch.randn(1, 2, frames, dtype=dtype, generator=generator)


@pytest.mark.parametrize(
    ("name", "order"),
    [("ddim", 1), ("euler", 1), ("heun", 2), ("dpmpp_2m", 2), ("plms", 2), ("unipc", 3)],
)
def test_convergence_order(name: str, order: int) -> None:
    x = start()
    errors = []
    for steps in (100, 200):
        sigmas = karras_sigmas(steps, SIGMA_MIN, SIGMA_MAX)[:-1]
        result = SAMPLERS[name](denoise_gaussian, x, sigmas)
        errors.append(float((result - exact_solution(x, SIGMA_MAX, SIGMA_MIN)).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_correction_of_unipc_raises_its_order(order: int) -> None:
    x, errors = start(), []
    for steps in (100, 200):
        sigmas = log_uniform_sigmas(steps, SIGMA_MIN, SIGMA_MAX)[:-1]
        result = sample_unipc(denoise_gaussian, x, sigmas, order)
        errors.append(float((result - exact_solution(x, SIGMA_MAX, SIGMA_MIN)).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order + 1, abs=0.15)


@pytest.mark.parametrize(
    ("name", "bound"),
    [("euler", 1e-2), ("heun", 5e-4), ("dpmpp_2m", 5e-4), ("plms", 5e-4), ("unipc", 5e-4)],
)
def test_reaches_the_data(name: str, bound: float) -> None:
    """The step to 0 adds (sigma_min / deviation)^2 / 2 = 2e-4 of the distance to the mean."""
    x = start()
    result = SAMPLERS[name](denoise_gaussian, x, karras_sigmas(400, 0.01, SIGMA_MAX))
    assert float((result - exact_solution(x, SIGMA_MAX, 0.0)).abs().max()) < bound


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_is_the_denoiser(name: str) -> None:
    x = start()
    result = SAMPLERS[name](denoise_gaussian, x, karras_sigmas(1, SIGMA_MIN, SIGMA_MAX))
    torch.testing.assert_close(result, denoise_gaussian(x, SIGMA_MAX))


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_ddim_is_euler(steps: int) -> None:
    x, sigmas = start(), karras_sigmas(steps, SIGMA_MIN, SIGMA_MAX)
    ddim = SAMPLERS["ddim"](denoise_gaussian, x, sigmas)
    torch.testing.assert_close(ddim, SAMPLERS["euler"](denoise_gaussian, x, sigmas))


@pytest.mark.parametrize("name", SAMPLERS)
def test_constant_data_is_found_at_once(name: str) -> None:
    sigmas = karras_sigmas(3, SIGMA_MIN, SIGMA_MAX)
    result = SAMPLERS[name](lambda x, sigma: torch.full_like(x, MEAN), start(), sigmas)
    torch.testing.assert_close(result, torch.full_like(result, MEAN))


class CausalDouble:
    """A causal denoiser (each frame hears the one before), with one state a call in a block."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.call = 0

    def begin(self) -> CausalDouble:
        self.call = 0
        return self

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        last = self.states.get(self.call, torch.zeros_like(x[..., :1]))
        self.states[self.call] = x[..., -1:]
        self.call += 1
        past = torch.cat([last, x[..., :-1]], -1)
        return torch.tanh(0.8 * x + 0.5 * past) / (1.0 + sigma)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("blocks", [[1] * 41, [5] * 8 + [1], [37, 4], [2, 7, 1, 30, 1]], ids=str)
def test_blocks_with_a_state_a_call_equal_the_whole(name: str, blocks: list[int]) -> None:
    x, sigmas = start(sum(blocks)), karras_sigmas(4, SIGMA_MIN, SIGMA_MAX)
    whole = SAMPLERS[name](CausalDouble(), x, sigmas)
    streaming = CausalDouble()
    parts = [SAMPLERS[name](streaming.begin(), block, sigmas) for block in x.split(blocks, -1)]
    torch.testing.assert_close(torch.cat(parts, -1), whole)
    assert len(streaming.states) == evaluations(name, 4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_keeps_dtype_and_leaves_the_start_alone(name: str) -> None:
    x = start(dtype=torch.float32)
    before = x.clone()
    result = SAMPLERS[name](denoise_gaussian, x, iter(karras_sigmas(3, SIGMA_MIN, SIGMA_MAX)))
    assert result.dtype == torch.float32
    assert torch.equal(x, before)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_evaluations(steps: int) -> None:
    for name in FIRST_CALL_STEPS:
        assert evaluations(name, steps) == steps
    assert evaluations("heun", steps) == 2 * steps - 1
    assert evaluations("plms", steps) == steps + (steps > 1)


def test_ancestral_noise_keeps_the_spread() -> None:
    generator = torch.Generator().manual_seed(1)
    shape = (1, 1, 20_000)
    noise = {i: torch.randn(shape, generator=generator) for i in range(64)}
    x = SIGMA_MAX * torch.randn(shape, generator=generator)
    sigmas = karras_sigmas(64, 0.01, SIGMA_MAX)
    result = sample_ddim(denoise_gaussian, x, sigmas, eta=1.0, noise=noise.__getitem__)
    again = sample_ddim(denoise_gaussian, x, sigmas, eta=1.0, noise=noise.__getitem__)
    assert torch.equal(result, again)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(result.std()) == pytest.approx(DEVIATION, rel=0.1)


@pytest.mark.parametrize("sample", [sample_ddim, sample_dpmpp_2m])
def test_ancestral_noise_must_be_given(sample: Callable[..., Tensor]) -> None:
    with pytest.raises(ConfigError, match="noise function"):
        sample(denoise_gaussian, start(), (1.0, 0.0), eta=0.5)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        sample(denoise_gaussian, start(), (1.0, 0.0), eta=2.0)


def curved(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that is no straight line in x."""
    return torch.tanh(x) / (1.0 + sigma)


def slope(denoise: Denoise, x: Tensor, sigma: float) -> Tensor:
    return (x - denoise(x, sigma)) / sigma


def test_plms_by_hand() -> None:
    """Four steps as the paper writes them, the first with the mean of both ends' slopes."""
    x, levels = start(), (9.0, 5.0, 3.0, 2.0, 1.5)
    hand, slopes = x, []
    for i, (now, then) in enumerate(pairwise(levels)):
        e = slope(curved, hand, now)
        if i == 0:
            mean = (e + slope(curved, hand + e * (then - now), then)) / 2
        elif i == 1:
            mean = (3 * e - slopes[-1]) / 2
        elif i == 2:
            mean = (23 * e - 16 * slopes[-1] + 5 * slopes[-2]) / 12
        else:
            mean = (55 * e - 59 * slopes[-1] + 37 * slopes[-2] - 9 * slopes[-3]) / 24
        slopes.append(e)
        hand = hand + mean * (then - now)
    torch.testing.assert_close(sample_plms(curved, x, levels), hand)


def test_unipc_adds_no_error_where_x0_is_a_straight_line() -> None:
    """In log sigma, that is: from the second step on the error of the first only shrinks along."""

    def line(x: Tensor, sigma: float) -> Tensor:
        return torch.full_like(x, 0.3 - 0.4 * math.log(sigma))

    def solved(x: Tensor, sigma: float, then: float) -> Tensor:
        # of dx/dsigma = (x - x0) / sigma: a particular solution is x0 - 0.4
        return (x - line(x, sigma) + 0.4) * (then / sigma) + line(x, then) - 0.4

    x, levels = start(), (9.0, 4.0, 2.5, 0.7, 0.6, 0.2)
    apart = [
        float((sample_unipc(line, x, levels[:n], order=3) - solved(x, 9.0, levels[n - 1])).mean())
        for n in (4, 5, 6)
    ]
    assert abs(apart[0]) > 1e-3
    assert apart[1] == pytest.approx(apart[0] * 0.6 / 0.7, rel=1e-6)
    assert apart[2] == pytest.approx(apart[0] * 0.2 / 0.7, rel=1e-6)


def test_two_steps_of_dpmpp_2m_by_hand() -> None:
    x, (a, b, c) = start(), (9.0, 4.0, 2.5)
    first = curved(x, a)
    middle = (b / a) * x + (1 - b / a) * first
    second = curved(middle, b)
    r = math.log(a / b) / math.log(b / c)
    bent = (1 + 1 / (2 * r)) * second - first / (2 * r)
    hand = (c / b) * middle + (1 - c / b) * bent
    torch.testing.assert_close(sample_dpmpp_2m(curved, x, (a, b, c)), hand)


def test_the_sde_form_keeps_the_spread_and_is_off_by_default() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = {i: torch.randn(1, 1, 20_000, generator=generator) for i in range(64)}
    x = SIGMA_MAX * torch.randn(1, 1, 20_000, generator=generator)
    sigmas = karras_sigmas(64, 0.01, SIGMA_MAX)
    result = sample_dpmpp_2m(denoise_gaussian, x, sigmas, eta=1.0, noise=noise.__getitem__)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(result.std()) == pytest.approx(DEVIATION, rel=0.05)
    calm = sample_dpmpp_2m(denoise_gaussian, x, sigmas, noise=noise.__getitem__)
    assert torch.equal(calm, sample_dpmpp_2m(denoise_gaussian, x, sigmas))
    assert float((calm - result).abs().mean()) > 0.1


@pytest.mark.parametrize("name", ["dpmpp_2m", "unipc", "heun", "plms"])
def test_shallow_start_keeps_what_the_guess_knew(name: str) -> None:
    """From the data itself under a little noise, the way back is short."""
    data, noise = torch.full((1, 2, 50), MEAN + DEVIATION), start(50)
    x = shallow_start(data, noise / SIGMA_MAX, 0.3)
    sigmas = karras_sigmas(8, 0.01, 0.3)
    result = SAMPLERS[name](denoise_gaussian, x, sigmas)
    torch.testing.assert_close(result, exact_solution(x, 0.3, 0.0), rtol=0, atol=5e-3)


@pytest.mark.parametrize("order", [0, 4])
def test_orders_of_unipc(order: int) -> None:
    with pytest.raises(ConfigError, match=f"between 1 and 3, got {order}"):
        sample_unipc(denoise_gaussian, start(), (1.0, 0.0), order)


@pytest.mark.parametrize("sigmas", [(), (1.0,), (1.0, 1.0), (0.0, 1.0), (1.0, -1.0), (math.nan, 0)])
def test_levels_must_fall(sigmas: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="falling levels"):
        SAMPLERS["euler"](denoise_gaussian, start(), sigmas)


def test_unknown_sampler_lists_the_known() -> None:
    with pytest.raises(ConfigError, match='unknown sampler "lms"; known: ddim, dpmpp_2m'):
        get_sampler("lms")
