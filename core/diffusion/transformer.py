"""AttentionNet: a causal denoising network of attention and convolution, in the WaveNet's place.

Each layer: attention over the last `attention_frames` frames, a causal convolution, a gated
feed-forward, all pre-norm and residual (a small Conformer, Gulati et al. 2020). How far back a key
lies enters as a bias that falls with the distance (ALiBi, Press et al. 2022), so no position is
absolute and a live block needs the keys and values of the frames before it, nothing else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import DenoiserConfig
from core.diffusion.wavenet import ConditionEncoder
from core.nn import CausalConv1d, ConvState, Linear


class WindowedAttention(nn.Module):
    """Every frame attends to itself and the frames up to `window - 1` before it."""

    slopes: Tensor

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = Linear(channels, 3 * channels)
        self.out = Linear(channels, channels)
        slopes = 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)
        self.register_buffer("slopes", slopes, persistent=False)

    def forward(self, x: Tensor, state: ConvState | None = None) -> tuple[Tensor, ConvState]:
        """x (B, T, C) -> (B, T, C); state: keys and values of at most window - 1 frames before."""
        batch, n, channels = x.shape
        q, kv = self.qkv(x).split((channels, 2 * channels), -1)
        if state is not None:
            kv = torch.cat([state, kv], 1)
        past = kv.shape[1] - n
        k, v = kv.chunk(2, -1)
        behind = torch.arange(past, past + n, device=x.device)[:, None] - torch.arange(
            past + n, device=x.device
        )
        bias = -self.slopes[:, None, None] * behind.to(x)
        bias = bias.masked_fill((behind < 0) | (behind >= self.window), -math.inf)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        made = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, H, T, C / H)
        out = self.out(made.transpose(1, 2).reshape(batch, n, channels))
        return out, kv[:, max(kv.shape[1] - self.window + 1, 0) :]


class AttentionNet(nn.Module):
    """The same protocol as `WaveNet`, with attention where that one has dilations."""

    lookahead = 0
    frequencies: Tensor

    def __init__(self, n_mels: int, units: int, speakers: int, config: DenoiserConfig) -> None:
        """config.dilations: one layer each, its convolution's dilation."""
        super().__init__()
        self.config = config
        channels, layers = config.channels, len(config.dilations)
        self.condition = ConditionEncoder(n_mels, units, speakers, layers * channels, config)
        self.level = nn.Sequential(
            Linear(64, channels), nn.SiLU(), Linear(channels, layers * channels)
        )
        self.entry = Linear(n_mels, channels)
        self.layers = nn.ModuleList(_Layer(config, dilation) for dilation in config.dilations)
        self.norm = nn.LayerNorm(channels)
        self.out = nn.Sequential(Linear(channels, channels), nn.SiLU(), Linear(channels, n_mels))
        last = self.out[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        frequencies = torch.exp(torch.linspace(math.log(0.5), math.log(60.0), 32))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def embed(self, level: Tensor) -> Tensor:
        """A noise level as ln(sigma) / 4, (B, 1) -> what each layer adds for it, (B, 1, -1)."""
        angles = level * self.frequencies
        made: Tensor = self.level(torch.cat([angles.sin(), angles.cos()], -1))
        return made[:, None]

    def forward(
        self,
        x: Tensor,
        embedded: Tensor,
        biases: Tensor,
        state: list[ConvState] | None = None,
        mask: Tensor | None = None,
        ready: int | None = None,
    ) -> tuple[Tensor, list[ConvState]]:
        """x (B, T, M), a noise level of `embed`, biases of `condition` -> (B, T, M), states.

        mask, ready: for networks that look ahead.
        """
        levels = embedded.chunk(len(self.layers), -1)  # each (B, 1, C)
        shifts = biases.chunk(len(self.layers), -1)  # each (B, T, C)
        x = self.entry(x)
        states: list[ConvState] = []
        for i, layer in enumerate(self.layers):
            kept = None if state is None else (state[2 * i], state[2 * i + 1])
            x, attended, convolved = layer(x + levels[i] + shifts[i], kept)
            states += [attended, convolved]
        return self.out(self.norm(x)), states


class _Layer(nn.Module):
    def __init__(self, config: DenoiserConfig, dilation: int) -> None:
        super().__init__()
        channels = config.channels
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.attention = WindowedAttention(channels, config.heads, config.attention_frames)
        self.conv = CausalConv1d(channels, channels, config.kernel, dilation)
        self.gate = Linear(channels, 4 * channels)
        self.back = Linear(2 * channels, channels)

    def forward(
        self, x: Tensor, state: tuple[ConvState, ConvState] | None
    ) -> tuple[Tensor, ConvState, ConvState]:
        attended, keys = self.attention(self.norms[0](x), None if state is None else state[0])
        x = x + attended
        convolved, past = self.conv(self.norms[1](x), None if state is None else state[1])
        x = x + F.gelu(convolved)
        opened, shaped = self.gate(self.norms[2](x)).chunk(2, -1)
        return x + self.back(F.silu(opened) * shaped), keys, past
