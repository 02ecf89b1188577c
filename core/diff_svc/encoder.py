"""The FFT encoder of older diff-svc voices: a small transformer over the content units.

Pre-norm blocks as in FastSpeech 2 (Ren et al. 2021). Two oddities that trained voices depend on:
the units enter twice, and the positions run backwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import VoiceFileError, unknown_name
from core.state_dict import count, expect, load_weights

_SHORTEST_TABLE = 5000
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "swish": F.silu,
}


class FftEncoder(nn.Module):
    """Units (B, N, H) become units of the same shape; rows of zeros are padding."""

    def __init__(self, width: int, layers: int, kernel: int, heads: int, activation: str) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise unknown_name("ffn_act", activation, _ACTIVATIONS)
        self.width = width
        self.layers = nn.ModuleList(_Layer(width, kernel, heads, activation) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width)

    @staticmethod
    def from_state_dict(
        state: Mapping[str, Tensor], heads: int = 2, activation: str = "gelu"
    ) -> FftEncoder:
        """The encoder these weights are of (`layers.i.op.*`, `layer_norm.*`)."""
        key = "layers.0.op.ffn.ffn_1.weight"
        _, width, kernel = expect(state, key, None, None, None).shape
        if width % heads:
            raise VoiceFileError(
                f"fs2.encoder.{key} has {width} channels, not a multiple of num_heads {heads}"
            )
        layers = count(state, "layers.{}.op.ffn.ffn_1.weight")
        encoder = FftEncoder(width, layers, kernel, heads, activation)
        load_weights(encoder, state, "fs2.encoder")
        return encoder

    def forward(self, units: Tensor) -> Tensor:
        """units (B, N, H) -> (B, N, H)."""
        real = (units.abs().sum(-1) != 0)[..., None]  # (B, N, 1)
        x = 2 * math.sqrt(self.width) * units + self._positions(units.shape[1]).to(units)
        x = x * real
        for layer in self.layers:
            x = layer(x, real)
        made: Tensor = self.layer_norm(x) * real
        return made

    def _positions(self, units: int) -> Tensor:
        """(N, H): row j of a table of P rows encodes position P - 1 - j."""
        length = max(_SHORTEST_TABLE, units)
        places = torch.arange(length - 1, length - 1 - units, -1.0)[:, None]
        decay = -math.log(10_000.0) / self.width
        angles = places * torch.exp(torch.arange(0, self.width, 2.0) * decay)
        return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class _Layer(nn.Module):
    """A block under the name `op`, as the weights have it."""

    def __init__(self, width: int, kernel: int, heads: int, activation: str) -> None:
        super().__init__()
        self.op = _Block(width, kernel, heads, activation)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        made: Tensor = self.op(x, real)
        return made


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, heads: int, activation: str) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(width)
        self.self_attn = _Attention(width, heads)
        self.layer_norm2 = nn.LayerNorm(width)
        self.ffn = _FeedForward(width, kernel, activation)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = (x + self.self_attn(self.layer_norm1(x), real)) * real
        made: Tensor = (x + self.ffn(self.layer_norm2(x))) * real
        return made


class _Attention(nn.Module):
    """Multi-head self-attention without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        batch, units, width = x.shape
        mixed = F.linear(x, self.in_proj_weight).view(batch, units, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)  # each (B, heads, N, H / heads)
        heard = real[:, None, None, :, 0]  # (B, 1, 1, N)
        made = F.scaled_dot_product_attention(query, key, value, heard)
        out: Tensor = self.out_proj(made.transpose(1, 2).reshape(batch, units, width))
        return out


class _FeedForward(nn.Module):
    """A convolution over time, scaled down by the root of its kernel, and a linear layer."""

    def __init__(self, width: int, kernel: int, activation: str) -> None:
        super().__init__()
        self.kernel, self.activation = kernel, _ACTIVATIONS[activation]
        self.ffn_1 = nn.Conv1d(width, 4 * width, kernel, padding=kernel // 2)
        self.ffn_2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.ffn_1(x.transpose(1, 2)).transpose(1, 2) * self.kernel**-0.5
        made: Tensor = self.ffn_2(self.activation(x))
        return made
