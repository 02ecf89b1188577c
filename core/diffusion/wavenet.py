"""WaveNet: the denoising network. What the noise does not touch is computed once a block.

Causal, lookahead sits in the content encoder alone: here every layer sees its own frame and the
past. With `causal = false` its layers look as far ahead as back, the condition encoder does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import DenoiserConfig
from core.features import Conditions
from core.nn import CausalConv1d, CentredConv1d, ConvState, HalvedLinear, Linear, ResidualStack

_F0_REFERENCE = 200.0  # Hz; about the middle of speech and singing on a log scale
_LOUDNESS_CENTRE, _LOUDNESS_SCALE = -45.0, 20.0  # dB


@dataclass
class ConditionState:
    """What the condition encoder remembers of the past."""

    entry: ConvState
    convs: list[ConvState]


class ConditionEncoder(nn.Module):
    """Conditions -> the expected mel, and a bias for each layer of the network that adds the rest.

    Runs once a block, however many steps the sampler takes.
    """

    def __init__(
        self, n_mels: int, units: int, speakers: int, outputs: int, config: DenoiserConfig
    ) -> None:
        super().__init__()
        channels = config.condition_channels
        self.entry = CausalConv1d(units + 3, channels, config.kernel)
        self.speaker = nn.Linear(speakers, channels, bias=False)
        self.stack = ResidualStack(channels, config.kernel, config.condition_dilations)
        self.norm = nn.LayerNorm(channels)
        self.prior = Linear(channels, n_mels)
        self.project = HalvedLinear(channels, outputs)

    def forward(
        self, conditions: Conditions, state: ConditionState | None = None
    ) -> tuple[Tensor, Tensor, ConditionState]:
        """-> prior (B, T, M), biases (B, T, outputs) and the state for the frames after these."""
        pitch = torch.log2(conditions.f0 / _F0_REFERENCE)
        level = (conditions.loudness - _LOUDNESS_CENTRE) / _LOUDNESS_SCALE
        scalars = torch.stack([pitch, conditions.voiced.to(pitch), level], -1)
        x = torch.cat([conditions.units.transpose(1, 2), scalars.to(conditions.units)], -1)
        x, entry = self.entry(x, None if state is None else state.entry)
        x = x + self.speaker(conditions.speaker.transpose(1, 2).to(x))
        x, convs = self.stack(x, None if state is None else state.convs)
        x = self.norm(x)
        return self.prior(x), self.project(x), ConditionState(entry, convs)


class WaveNet(nn.Module):
    """Gated dilated convolutions over noisy mel frames. lookahead: frames that they hear ahead."""

    def __init__(self, n_mels: int, units: int, speakers: int, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        channels, layers = config.channels, len(config.dilations)
        biases = layers * 2 * channels
        self.condition = ConditionEncoder(n_mels, units, speakers, biases, config)
        self.level = nn.Sequential(
            Linear(64, channels), nn.SiLU(), Linear(channels, layers * channels)
        )
        self.entry = Linear(n_mels, channels)
        conv = CausalConv1d if config.causal else CentredConv1d
        self.gates = nn.ModuleList(
            conv(channels, 2 * channels, config.kernel, d) for d in config.dilations
        )
        self.lookahead = 0 if config.causal else config.kernel // 2 * sum(config.dilations)
        self.mixes = nn.ModuleList(Linear(channels, 2 * channels) for _ in config.dilations)
        self.out = nn.Sequential(Linear(channels, channels), nn.SiLU(), Linear(channels, n_mels))
        last = self.out[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        frequencies = torch.exp(torch.linspace(math.log(0.5), math.log(60.0), 32))
        self.register_buffer("frequencies", frequencies, persistent=False)

    frequencies: Tensor

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

        For a network that looks ahead: mask (B, T), 1 where a frame is real, None for all. ready:
        frames that will not come again, None for all; the states are for those after them.
        """
        levels = embedded.chunk(len(self.gates), -1)  # each (B, 1, C)
        shifts = biases.chunk(len(self.gates), -1)  # each (B, T, 2C)
        x = self.entry(x)
        skips: Tensor | None = None
        states: list[ConvState] = []
        for i, (gate, mix) in enumerate(zip(self.gates, self.mixes, strict=True)):
            heard, before = x + levels[i], None if state is None else state[i]
            if self.lookahead:
                heard = heard if mask is None else heard * mask[..., None].to(heard)
                y, kept = gate(heard, before, ready)
            else:
                y, kept = gate(heard, before)
            opened, shaped = (y + shifts[i]).chunk(2, -1)
            residual, skip = mix(torch.sigmoid(opened) * torch.tanh(shaped)).chunk(2, -1)
            x = (x + residual) * math.sqrt(0.5)
            skips = skip if skips is None else skips + skip
            states.append(kept)
        assert skips is not None
        return self.out(F.silu(skips * len(self.gates) ** -0.5)), states
