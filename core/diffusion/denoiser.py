"""The door from networks to samplers: Preconditioned (scalings, loss), StreamingDenoise (states).

Source of the scalings, the loss weight and the noise distribution: Karras et al. 2022, "Elucidating
the Design Space of Diffusion-Based Generative Models", table 1 (EDM column).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.diffusion.wavenet import ConditionState, WaveNet
from core.features import Conditions
from core.nn import ConvState


class Preconditioned(nn.Module):
    """D(x, sigma) = c_skip x + c_out F(c_in x, ln(sigma) / 4): F's in- and output have unit size.

    Works on the normalised mel; `normalise` and `denormalise` lead there and back.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, network: WaveNet, n_mels: int, sigma_data: float) -> None:
        super().__init__()
        self.network, self.sigma_data = network, sigma_data
        self.register_buffer("mel_mean", torch.zeros(n_mels))
        self.register_buffer("mel_std", torch.ones(n_mels))

    def normalise(self, mel: Tensor) -> Tensor:
        """(B, M, T), log mel -> mean 0, deviation 1 a bin."""
        return (mel - self.mel_mean[:, None]) / self.mel_std[:, None]

    def denormalise(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return x * self.mel_std[:, None] + self.mel_mean[:, None]

    def condition(
        self, conditions: Conditions, state: ConditionState | None = None
    ) -> tuple[Tensor, ConditionState]:
        """What the network needs to know of these frames, whatever the noise."""
        prepared, state = self.network.condition(conditions, state)
        return prepared, state

    def denoise(
        self, x: Tensor, sigma: float, prepared: Tensor, state: list[ConvState] | None = None
    ) -> tuple[Tensor, list[ConvState]]:
        """x (B, M, T) at noise level sigma, what `condition` prepared -> x0 (B, M, T), states."""
        total = sigma**2 + self.sigma_data**2
        level = torch.full((1, 1), math.log(sigma) / 4, dtype=x.dtype, device=x.device)
        y, state = self.network(x.transpose(1, 2) / math.sqrt(total), level, prepared, state)
        c_skip = self.sigma_data**2 / total
        c_out = sigma * self.sigma_data / math.sqrt(total)
        return c_skip * x + c_out * y.transpose(1, 2), state

    def loss(
        self, x0: Tensor, conditions: Conditions, sigma: Tensor, noise: Tensor, mask: Tensor
    ) -> Tensor:
        """EDM loss, a mean over the frames that count.

        x0, noise (B, M, T); sigma (B,); mask (B, T), true where a frame is real.
        """
        s = sigma[:, None, None]
        total = s.square() + self.sigma_data**2
        prepared, _ = self.condition(conditions)
        x = x0 + s * noise
        y, _ = self.network(
            (x * total.rsqrt()).transpose(1, 2), torch.log(sigma)[:, None] / 4, prepared
        )
        # F must predict (x0 - c_skip x) / c_out; weighted so, every noise level counts alike.
        wanted = (x0 - x * self.sigma_data**2 / total) * total.sqrt() / (s * self.sigma_data)
        error = (y.transpose(1, 2) - wanted).square().mean(1)  # (B, T)
        loss: Tensor = (error * mask).sum() / mask.sum()
        return loss


class StreamingDenoise:
    """`denoise(x, sigma)` for samplers, with one state per call of a block.

    A sampler that calls the denoiser K times a block is K causal networks in series: call k of
    every block carries state k. `begin` takes the next block's conditions and rewinds.
    """

    def __init__(self, denoiser: Preconditioned) -> None:
        self.denoiser = denoiser
        self._states: list[list[ConvState]] = []
        self._condition_state: ConditionState | None = None
        self._prepared: Tensor | None = None
        self._call = 0

    def begin(self, conditions: Conditions) -> StreamingDenoise:
        """Starts the next block; returns itself, ready for a sampler."""
        self._prepared, self._condition_state = self.denoiser.condition(
            conditions, self._condition_state
        )
        self._call = 0
        return self

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """x (B, M, T) of this block at noise level sigma -> x0."""
        assert self._prepared is not None, "begin(conditions) comes first"
        state = self._states[self._call] if self._call < len(self._states) else None
        x0, state = self.denoiser.denoise(x, sigma, self._prepared, state)
        if self._call < len(self._states):
            self._states[self._call] = state
        else:
            self._states.append(state)
        self._call += 1
        return x0
