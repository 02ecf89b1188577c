"""The samplers that foreign programs offer, by their names, over one discrete diffusion."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from core.diff_svc.config import FAST_SAMPLER
from core.diffusion.fitted import sample_fitted
from core.diffusion.gaussian import GaussianDiffusion
from core.diffusion.log_snr import sample_dpm_solver, sample_unipc
from core.diffusion.original import Predict, sample_ddim, sample_ddpm, sample_plms
from core.diffusion.samplers import Sampler, get_sampler
from core.diffusion.samplers import sample_unipc as unipc
from core.diffusion.schedules import leap_sigmas, log_uniform_sigmas
from core.errors import ConfigError, unknown_name

Spacing = Callable[[int, float, float], tuple[float, ...]]
"""steps, lowest and highest level -> levels to walk down."""

Fresh = Callable[[int], Tensor]
"""Number of an executed step -> standard normal (B, M, T)."""


LOG_METHODS: dict[str, tuple[Sampler, Spacing]] = {
    "plms-log": (get_sampler("plms"), log_uniform_sigmas),
    "dpmpp-log": (get_sampler("dpmpp_2m"), log_uniform_sigmas),
    "unipc-log": (get_sampler("unipc"), log_uniform_sigmas),
    "unipc-leap": (partial(unipc, order=3), leap_sigmas),
}
"""Ways through levels even, or nearly, in log sigma: a sampler and where it stops."""


def begin(
    diffusion: GaussianDiffusion, noise: Tensor, start: int, start_mel: Tensor | None = None
) -> Tensor:
    """Where a walk sets out: noise (B, M, T), or a mel (B, M, T) under that of step start - 1."""
    if not 1 <= start <= diffusion.timesteps:
        raise ConfigError(f"start must lie between 1 and {diffusion.timesteps}, got {start}")
    noise = noise.to(diffusion.device)
    if start_mel is None:
        return noise
    step = torch.full((len(noise),), start - 1, dtype=torch.long)
    step, start_mel = step.to(noise.device), start_mel.to(noise)
    return diffusion.diffuse(diffusion.normalise(start_mel), step, noise)


def walk(
    diffusion: GaussianDiffusion,
    predict: Predict,
    x: Tensor,
    method: str,
    start: int,
    speedup: int,
    fresh: Fresh | None = None,
) -> Tensor:
    """x (B, M, T) at step start - 1 -> the clean normalised mel, one step in `speedup` taken.

    method: pndm (the original's PLMS), ddim, dpm-solver or unipc; of LOG_METHODS, over levels of
    its own; or fitted, which is unipc-leap where none was fitted for as many calls.
    speedup 1: DDPM, whatever the method, with `fresh` noise.
    x and the noise may lie anywhere; the mel is where the diffusion is.
    """
    x = x.to(diffusion.device)
    if speedup <= 1:
        if fresh is None:
            raise ConfigError("speed-up 1 is DDPM and needs fresh noise for each step")
        return sample_ddpm(diffusion, predict, x, start, lambda n: fresh(n).to(x))
    if method == FAST_SAMPLER or method in LOG_METHODS:
        return _over_levels(diffusion, predict, x, method, start, speedup)
    betas, steps = diffusion.betas[:start], start // speedup
    walks: dict[str, Callable[[], Tensor]] = {
        "pndm": lambda: sample_plms(diffusion, predict, x, start, speedup),
        "ddim": lambda: sample_ddim(diffusion, predict, x, start, speedup),
        "dpm-solver": lambda: sample_dpm_solver(predict, x, betas, steps),
        "unipc": lambda: sample_unipc(predict, x, betas, steps),
    }
    if method not in walks:
        raise unknown_name(
            "sampler of imported voices", method, [*walks, *LOG_METHODS, FAST_SAMPLER]
        )
    return walks[method]()


def _over_levels(
    diffusion: GaussianDiffusion, predict: Predict, x: Tensor, name: str, start: int, speedup: int
) -> Tensor:
    schedule, calls = diffusion.levels, max(round(start / speedup), 1)
    top = schedule.sigma(start - 1)
    # the mel that a voice has learned lies within +-1, as the original's DDPM reckons, too
    network, x = schedule.denoise(predict, clamp=1.0), x / schedule.alpha(top)
    if name == FAST_SAMPLER:
        for steps in diffusion.fitted:
            if steps.calls == calls and math.isclose(steps.sigmas[0], top, rel_tol=1e-6):
                return sample_fitted(network, x, steps)
        name = "unipc-leap"
    sampler, spacing = LOG_METHODS[name]
    return sampler(network, x, spacing(calls, schedule.sigma(0), top))
