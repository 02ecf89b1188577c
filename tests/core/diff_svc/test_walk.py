"""Ways through the steps of an imported voice: few over levels, and the default among them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.diff_svc.config import FAST_SAMPLER, LIVE_STEPS, SAMPLERS
from core.diff_svc.walk import LOG_METHODS, walk
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.gaussian import GaussianDiffusion, schedule_betas, schedule_buffers
from core.errors import ConfigError


@pytest.fixture
def diffusion() -> GaussianDiffusion:
    made = GaussianDiffusion(DiffNet(DiffNetSize(8, 4, 8, 2, 2)), 1000, 1)
    for name, values in schedule_buffers(schedule_betas("linear", 1000, 0.02)).items():
        made.get_buffer(name).copy_(values)
    return made


class Gaussian:
    """Predicts the noise in data normal around `mean`, exactly; notes the steps it was asked."""

    mean, spread = 0.1, 0.2

    def __init__(self, diffusion: GaussianDiffusion) -> None:
        self.logs = diffusion.alphas_cumprod.double().log()
        self.asked: list[float] = []

    def scales(self, step: float) -> tuple[Tensor, Tensor]:
        """Of the signal and of the noise."""
        low = int(step)
        here, above = self.logs[low], self.logs[min(low + 1, len(self.logs) - 1)]
        power = torch.exp(here + (step - low) * (above - here))
        return power.sqrt(), (1 - power).sqrt()

    def __call__(self, x: Tensor, step: float) -> Tensor:
        self.asked.append(step)
        signal, noise = self.scales(step)
        variance = (signal * self.spread) ** 2 + noise**2
        return (noise * (x - signal * self.mean) / variance).to(x)

    def end(self, x: Tensor, step: float) -> Tensor:
        """Where x at that step comes out at the end of an endless walk."""
        signal, noise = self.scales(step)
        variance = (signal * self.spread) ** 2 + noise**2
        return (self.mean + self.spread * (x - signal * self.mean) / variance.sqrt()).to(x)


@pytest.mark.parametrize("start", [1000, 200])
@pytest.mark.parametrize("method", LOG_METHODS)
def test_a_few_levels_are_enough(diffusion: GaussianDiffusion, method: str, start: int) -> None:
    data = Gaussian(diffusion)
    x = torch.randn(1, 8, 400, generator=torch.Generator().manual_seed(0))
    made = walk(diffusion, data, x, method, start, round(start / LIVE_STEPS))
    assert len(data.asked) in (LIVE_STEPS, LIVE_STEPS + 1)
    assert data.asked[0] == start - 1
    wanted = data.end(x, start - 1)
    assert float((made - wanted).square().mean().sqrt()) < 0.1 * data.spread


def test_the_default_is_one_of_the_known(diffusion: GaussianDiffusion) -> None:
    assert FAST_SAMPLER in SAMPLERS
    assert set(LOG_METHODS) < set(SAMPLERS)
    x = torch.randn(1, 8, 4)
    with pytest.raises(ConfigError, match="known: ddim, dpm-solver, dpmpp-log, fitted, plms-log"):
        walk(diffusion, Gaussian(diffusion), x, "other", 1000, 100)
