"""DiffNet: the non-causal WaveNet of diff-svc voices, which predicts the noise in a mel.

Its weights carry the names they have in public checkpoints. What the noise does not touch is
computed once (`condition`), however many steps a sampler takes.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.state_dict import expect, load_weights

_LONGEST_PERIOD = 10_000.0


class DiffNetSize(NamedTuple):
    """Everything that fixes the shape of a DiffNet. cycle: layers until the dilation is 1 again."""

    n_mels: int
    condition: int
    channels: int
    layers: int
    cycle: int


class DiffNet(nn.Module):
    """Noisy mel, step and condition in, the noise out. Layer i is dilated by 2 ** (i mod cycle)."""

    frequencies: Tensor

    def __init__(self, size: DiffNetSize) -> None:
        super().__init__()
        self.size = size
        channels = size.channels
        self.input_projection = nn.Conv1d(size.n_mels, channels, 1)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.Mish(), nn.Linear(4 * channels, channels)
        )
        self.residual_layers = nn.ModuleList(
            ResidualLayer(size, 2 ** (i % size.cycle)) for i in range(size.layers)
        )
        self.skip_projection = nn.Conv1d(channels, channels, 1)
        self.output_projection = nn.Conv1d(channels, size.n_mels, 1)
        half = channels // 2
        decay = math.log(_LONGEST_PERIOD) / (half - 1)
        frequencies = torch.exp(torch.arange(half) * -decay)
        self.register_buffer("frequencies", frequencies, persistent=False)

    @staticmethod
    def from_state_dict(state: Mapping[str, Tensor], cycle: int) -> DiffNet:
        """The network these weights are of. A shape that does not fit is a VoiceFileError."""
        net = DiffNet(diffnet_size(state, cycle))
        load_weights(net, state, "denoise_fn")
        return net

    def lowered(self, precision: torch.dtype) -> DiffNet:
        """A copy whose two large convolutions a layer, nearly all of the work, are so precise.

        What runs from layer to layer and the first and last projections stay as they are.
        """
        net = copy.deepcopy(self)
        for layer in map(_residual, net.residual_layers):
            layer.dilated_conv.to(precision)
            layer.output_projection.to(precision)
        return net

    def condition(self, cond: Tensor) -> list[Tensor]:
        """cond (B, H, T) -> what each layer takes of it, (B, 2C, T)."""
        return [_residual(layer).conditioner_projection(cond) for layer in self.residual_layers]

    def embed(self, step: Tensor) -> Tensor:
        """Diffusion steps (B,) -> their sinusoids (B, C)."""
        angles = step[:, None].to(self.frequencies) * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], -1)

    def forward(
        self, x: Tensor, step: Tensor, prepared: list[Tensor], mask: Tensor | None = None
    ) -> Tensor:
        """x (B, M, T) at steps (B,), what `condition` made -> the noise in it (B, M, T).

        mask (B, 1, T): 1 where a frame is real. With it the rest of a padded batch is as the zeros
        beyond the end of a single one; without, as in the original, it reaches into its neighbours.
        """
        x = F.relu(self.input_projection(x))
        embedded = self.mlp(self.embed(step))
        skips: Tensor | None = None
        for layer, bias in zip(self.residual_layers, prepared, strict=True):
            x, skip = layer(x, embedded, bias, mask)
            skips = skip if skips is None else skips + skip
        assert skips is not None, "a DiffNet has at least one layer"
        return self.ended(skips)

    def ended(self, skips: Tensor) -> Tensor:
        """The sum of what the layers skip (B, C, T) -> the noise (B, M, T)."""
        skips = skips / math.sqrt(len(self.residual_layers))
        noise: Tensor = self.output_projection(F.relu(self.skip_projection(skips)))
        return noise


class ResidualLayer(nn.Module):
    """A gated dilated convolution with a residual and a skip output."""

    def __init__(self, size: DiffNetSize, dilation: int) -> None:
        super().__init__()
        channels = size.channels
        self.dilation = dilation
        self.dilated_conv = nn.Conv1d(
            channels, 2 * channels, 3, padding=dilation, dilation=dilation
        )
        self.diffusion_projection = nn.Linear(channels, channels)
        self.conditioner_projection = nn.Conv1d(size.condition, 2 * channels, 1)
        self.output_projection = nn.Conv1d(channels, 2 * channels, 1)

    def forward(
        self, x: Tensor, embedded: Tensor, bias: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        y = x + self.diffusion_projection(embedded)[..., None]
        if mask is not None:
            y = y * mask
        return self.joined(x, convolved(self.dilated_conv, y, self.dilation) + bias)

    def joined(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's input (B, C, T), what its convolution and condition say (B, 2C, T) -> the
        next layer's input and the skip, (B, C, T) each.
        """
        gate, filtered = z.chunk(2, 1)
        gated = torch.sigmoid(gate) * torch.tanh(filtered)
        residual, skip = convolved(self.output_projection, gated).chunk(2, 1)
        return (x + residual) / math.sqrt(2.0), skip


def convolved(conv: nn.Conv1d, x: Tensor, padding: int = 0) -> Tensor:
    """x (B, C, T) through a convolution in the precision of its weights, told in that of x."""
    heard = x.to(conv.weight.dtype)
    made = F.conv1d(heard, conv.weight, conv.bias, 1, padding, conv.dilation)
    return made.to(x.dtype)


def diffnet_size(state: Mapping[str, Tensor], cycle: int) -> DiffNetSize:
    """The sizes of a DiffNet, read off its weights; only the dilations' cycle cannot be."""
    channels, n_mels, _ = expect(state, "input_projection.weight", None, None, 1).shape
    key = "residual_layers.0.conditioner_projection.weight"
    condition = expect(state, key, 2 * channels, None, 1).shape[1]
    indices = (re.match(r"residual_layers\.(\d+)\.", key) for key in state)
    layers = 1 + max(int(found[1]) for found in indices if found)
    return DiffNetSize(n_mels, condition, channels, layers, cycle)


def _residual(layer: nn.Module) -> ResidualLayer:
    assert isinstance(layer, ResidualLayer)
    return layer
