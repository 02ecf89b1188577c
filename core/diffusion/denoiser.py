"""The door from networks to samplers: Preconditioned (scalings, loss), StreamingDenoise (states).

Source of the scalings, the loss weight and the noise distribution: Karras et al. 2022, "Elucidating
the Design Space of Diffusion-Based Generative Models", table 1 (EDM column).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from core.diffusion.wavenet import ConditionState
from core.features import Conditions
from core.nn import ConvState

if TYPE_CHECKING:
    from core.diffusion.networks import Network


class Prepared(NamedTuple):
    """What is known of frames before any noise. prior (B, M, T): the expected normalised mel.

    mask (B, T), 1 where a frame is real, None for all. ready: frames that will not come again, None
    for all. Both matter to networks that look ahead.
    """

    prior: Tensor
    biases: Tensor
    mask: Tensor | None = None
    ready: int | None = None


class NoiseLevel(NamedTuple):
    """What a noise level is to the network, `embedded`, and around it: factors (B, 1, 1)."""

    c_in: Tensor
    c_skip: Tensor
    c_out: Tensor
    embedded: Tensor


class Preconditioned(nn.Module):
    """D(x, sigma) = m + c_skip (x - m) + c_out F(c_in (x - m), ln(sigma) / 4).

    m is the prior, what the conditions alone let expect; the network F adds what they leave open.
    sigma_data is the deviation of the data around m, so F's in- and output have unit size.
    Works on the normalised mel; `normalise` and `denormalise` lead there and back.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, network: Network, n_mels: int, sigma_data: float) -> None:
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
    ) -> tuple[Prepared, ConditionState]:
        """What is known of these frames, whatever the noise."""
        prior, biases, state = self.network.condition(conditions, state)
        return Prepared(prior.transpose(1, 2), biases), state

    def level(self, sigma: float | Tensor, like: Tensor) -> NoiseLevel:
        """sigma: a noise level, or (B,) of them. like: of the wanted type, where it is wanted."""
        s = torch.as_tensor(sigma, dtype=like.dtype, device=like.device).reshape(-1, 1, 1)
        total = s.square() + self.sigma_data**2
        return NoiseLevel(
            total.rsqrt(),
            self.sigma_data**2 / total,
            s * self.sigma_data * total.rsqrt(),
            self.network.embed(torch.log(s[:, 0]) / 4),
        )

    def denoise(
        self,
        x: Tensor,
        sigma: float | Tensor | NoiseLevel,
        prepared: Prepared,
        state: list[ConvState] | None = None,
    ) -> tuple[Tensor, list[ConvState]]:
        """x (B, M, T) at noise level sigma, or (B,) of them -> x0 (B, M, T) and the states."""
        level = sigma if isinstance(sigma, NoiseLevel) else self.level(sigma, x)
        away = x - prepared.prior
        scaled = (away * level.c_in).transpose(1, 2)
        _, biases, mask, ready = prepared
        y, state = self.network(scaled, level.embedded, biases, state, mask, ready)
        return prepared.prior + level.c_skip * away + level.c_out * y.transpose(1, 2), state

    def loss(
        self, x0: Tensor, conditions: Conditions, sigma: Tensor, noise: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """EDM loss around the prior, and the prior's own squared error: means over real frames.

        x0, noise (B, M, T); sigma (B,); mask (B, T), true where a frame is real.
        """
        prepared, _ = self.condition(conditions)
        return self.errors(x0, prepared, sigma, noise, mask)

    def errors(
        self, x0: Tensor, prepared: Prepared, sigma: Tensor, noise: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `loss`, of what `condition` made."""
        prior_error = (prepared.prior - x0).square().mean(1)  # (B, T)
        s = sigma[:, None, None]
        total = s.square() + self.sigma_data**2
        # the prior learns from its own error alone
        fixed = Prepared(prepared.prior.detach(), prepared.biases, mask)
        guess, _ = self.denoise(x0 + s * noise, sigma, fixed)
        # weighted by 1 / c_out^2: the network's own error, and all noise levels count alike
        weight = total / (s * self.sigma_data).square()
        error = ((guess - x0).square() * weight).mean(1)  # (B, T)
        frames = mask.sum()
        return (error * mask).sum() / frames, (prior_error * mask).sum() / frames


class StreamingDenoise:
    """`denoise(x, sigma)` for samplers, with one state per call of a block.

    A sampler that calls the denoiser K times a block is K causal networks in series: call k of
    every block carries state k. `begin` takes the next block's conditions and rewinds. What the
    noise levels are to the network is made once: its weights stay as they are.

    A network that looks ahead is exact where all calls together have heard their future. So of each
    block the last `lookahead` frames are not `ready`: they are heard, and come again in front of
    the next one.
    """

    def __init__(self, denoiser: Preconditioned, lookahead: int = 0) -> None:
        """lookahead: in frames; the network's own times the calls of the sampler, or more."""
        self.denoiser, self.lookahead = denoiser, lookahead
        self.frames = self.ready = 0
        self._states: list[list[ConvState]] = []
        self._levels: dict[float, NoiseLevel] = {}
        self._condition_state: ConditionState | None = None
        self._prepared: Prepared | None = None
        self._waiting: Prepared | None = None
        self._call = 0

    def begin(self, conditions: Conditions) -> StreamingDenoise:
        """Starts the next block; returns itself, ready for a sampler."""
        prepared, self._condition_state = self.denoiser.condition(conditions, self._condition_state)
        if self._waiting is not None:
            prior = torch.cat([self._waiting.prior, prepared.prior], 2)
            prepared = Prepared(prior, torch.cat([self._waiting.biases, prepared.biases], 1))
        self.frames = prepared.prior.shape[2]
        self.ready = max(self.frames - self.lookahead, 0)
        self._prepared, self._call = prepared._replace(ready=self.ready), 0
        if self.lookahead:
            prior, biases = prepared.prior[..., self.ready :], prepared.biases[:, self.ready :]
            self._waiting = Prepared(prior, biases)
        return self

    def forget_calls(self, first: int) -> None:
        """The states of this call and of those after it begin anew."""
        del self._states[first:]

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        """Where a sampler sets out: the block's prior with noise (B, M, T) of level sigma on it."""
        assert self._prepared is not None, "begin(conditions) comes first"
        return self._prepared.prior + sigma * noise

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """x (B, M, T) of this block at noise level sigma -> x0."""
        assert self._prepared is not None, "begin(conditions) comes first"
        state = self._states[self._call] if self._call < len(self._states) else None
        if sigma not in self._levels:
            self._levels[sigma] = self.denoiser.level(sigma, x)
        x0, state = self.denoiser.denoise(x, self._levels[sigma], self._prepared, state)
        if self._call < len(self._states):
            self._states[self._call] = state
        else:
            self._states.append(state)
        self._call += 1
        return x0
