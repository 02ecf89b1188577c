"""The discrete diffusion of diff-svc voices: schedule buffers, mel range, forward process, loss.

Arithmetic of Ho et al. 2020 ("Denoising Diffusion Probabilistic Models"), float64 stored as float32
under the names of public checkpoints. A checkpoint's own buffers always win over a config.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.diffusion.diffnet import DiffNet
from core.diffusion.discrete import DiscreteSchedule
from core.diffusion.fitted_steps import FittedSteps
from core.diffusion.schedules import alphas_cumprod, linear_betas
from core.errors import VoiceFileError, unknown_name
from core.state_dict import expect, load_weights

Array = NDArray[np.float64]

BUFFERS = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)
_SMALLEST_VARIANCE = 1e-20


class GaussianDiffusion(nn.Module):
    """A DiffNet with its schedule and the range its mels are normalised from.

    spec_min, spec_max: (1, 1, 1) or (1, 1, M), the mel that becomes -1 and 1. fitted: samplers of
    few calls, made for this very network.
    """

    betas: Tensor
    alphas_cumprod: Tensor
    alphas_cumprod_prev: Tensor
    sqrt_alphas_cumprod: Tensor
    sqrt_one_minus_alphas_cumprod: Tensor
    log_one_minus_alphas_cumprod: Tensor
    sqrt_recip_alphas_cumprod: Tensor
    sqrt_recipm1_alphas_cumprod: Tensor
    posterior_variance: Tensor
    posterior_log_variance_clipped: Tensor
    posterior_mean_coef1: Tensor
    posterior_mean_coef2: Tensor
    spec_min: Tensor
    spec_max: Tensor

    def __init__(self, denoise_fn: DiffNet, timesteps: int, range_bins: int) -> None:
        super().__init__()
        self.denoise_fn = denoise_fn
        for name in BUFFERS:
            self.register_buffer(name, torch.zeros(timesteps))
        self.register_buffer("spec_min", torch.zeros(1, 1, range_bins))
        self.register_buffer("spec_max", torch.zeros(1, 1, range_bins))
        self.fitted: tuple[FittedSteps, ...] = ()

    @staticmethod
    def from_state_dict(state: Mapping[str, Tensor], cycle: int) -> GaussianDiffusion:
        """From `denoise_fn.*`, the twelve buffers, spec_min and spec_max."""
        prefix = "denoise_fn."
        inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        net = DiffNet.from_state_dict(inner, cycle)
        bins = int(expect(state, "spec_min", 1, 1, None).shape[2])
        if bins not in (1, net.size.n_mels):
            raise VoiceFileError(
                f"spec_min has shape {tuple(state['spec_min'].shape)}, expected 1 value or one for"
                f" each of {net.size.n_mels} mel bins"
            )
        diffusion = GaussianDiffusion(net, len(expect(state, "betas", None)), bins)
        load_weights(diffusion, state, "diffusion")
        return diffusion

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.betas.device

    @cached_property
    def levels(self) -> DiscreteSchedule:
        """Of a trained diffusion, whose schedule no longer changes."""
        return DiscreteSchedule(self.alphas_cumprod.double().cpu().numpy())

    @property
    def timesteps(self) -> int:
        return len(self.betas)

    def normalise(self, mel: Tensor) -> Tensor:
        """(B, M, T) mel -> [-1, 1] within the range; nothing is clipped."""
        low, high = self.spec_min.transpose(1, 2), self.spec_max.transpose(1, 2)
        return (mel - low) / (high - low) * 2 - 1

    def denormalise(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        low, high = self.spec_min.transpose(1, 2), self.spec_max.transpose(1, 2)
        return (x + 1) / 2 * (high - low) + low

    def diffuse(self, x0: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """Normalised mel (B, M, T) -> the same with the noise of steps (B,) on it."""
        signal = self.sqrt_alphas_cumprod[step][:, None, None]
        spread = self.sqrt_one_minus_alphas_cumprod[step][:, None, None]
        return signal * x0 + spread * noise

    def loss(
        self,
        mel: Tensor,
        cond: Tensor,
        step: Tensor,
        noise: Tensor,
        kind: Literal["l1", "l2"] = "l2",
    ) -> Tensor:
        """Mean error of the predicted noise, over padded frames too, as the voices were trained.

        mel, noise (B, M, T); cond (B, H, T); step (B,).
        """
        noisy = self.diffuse(self.normalise(mel), step, noise)
        guess = self.denoise_fn(noisy, step, self.denoise_fn.condition(cond))
        return F.mse_loss(guess, noise) if kind == "l2" else F.l1_loss(guess, noise)


def schedule_betas(kind: str, timesteps: int, max_beta: float) -> Array:
    """The betas a config asks for: `linear` up to max_beta, or `cosine`."""
    if kind == "linear":
        return linear_betas(timesteps, end=max_beta)
    if kind == "cosine":
        return _stretched_cosine(timesteps)
    raise unknown_name("schedule_type", kind, ("linear", "cosine"))


def schedule_buffers(betas: Array) -> dict[str, Tensor]:
    """The twelve buffers of a checkpoint, each (timesteps,), made from its betas."""
    signal = alphas_cumprod(betas)
    before = np.append(1.0, signal[:-1])
    variance = betas * (1.0 - before) / (1.0 - signal)
    made = {
        "betas": betas,
        "alphas_cumprod": signal,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": np.sqrt(signal),
        "sqrt_one_minus_alphas_cumprod": np.sqrt(1.0 - signal),
        "log_one_minus_alphas_cumprod": np.log(1.0 - signal),
        "sqrt_recip_alphas_cumprod": np.sqrt(1.0 / signal),
        "sqrt_recipm1_alphas_cumprod": np.sqrt(1.0 / signal - 1.0),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": np.log(np.maximum(variance, _SMALLEST_VARIANCE)),
        "posterior_mean_coef1": betas * np.sqrt(before) / (1.0 - signal),
        "posterior_mean_coef2": (1.0 - before) * np.sqrt(1.0 - betas) / (1.0 - signal),
    }
    return {name: torch.tensor(made[name], dtype=torch.float32) for name in BUFFERS}


def _stretched_cosine(timesteps: int, offset: float = 0.008, largest: float = 0.999) -> Array:
    """Squared cosine over timesteps + 1 points that end one step late, as the voices have it."""
    points = timesteps + 1
    t = np.linspace(0.0, points, points) / points
    curve = np.cos((t + offset) / (1.0 + offset) * (math.pi / 2)) ** 2
    curve = curve / curve[0]
    betas: Array = np.clip(1.0 - curve[1:] / curve[:-1], 0.0, largest)
    return betas
