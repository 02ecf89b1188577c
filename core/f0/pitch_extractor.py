"""PitchExtractor: the f0 that 24 kHz diff-svc voices read off the mel they generated.

Architecture: the pitch extractor of Liu et al. 2022, "DiffSinger" (convolutions over log10 mel).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ConfigError
from core.state_dict import count, expect, load_weights, weights_under

_GROUP = 16  # channels a group of the GroupNorm
_PRENET = "mel_prenet.layers.{}.0.weight"
_STACK = "mel_encoder.conv.{}.conv.conv.weight"
_PREDICTOR = "pitch_predictor.conv.{}.1.weight"
_MOST_TURNS = 10_000.0  # of the sinusoidal positions


class Prenet(nn.Module):
    """Three times convolution, ReLU, BatchNorm; padded frames stay zero."""

    def __init__(self, n_mels: int, width: int, kernel: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width if i else n_mels, width, kernel, padding=kernel // 2),
                nn.ReLU(),
                nn.BatchNorm1d(width),
            )
            for i in range(layers)
        )
        self.out_proj = nn.Linear(width, width)

    def forward(self, mel: Tensor, real: Tensor) -> Tensor:
        """mel (B, T, M), real (B, T) 1 or 0 -> (B, T, C)."""
        x = mel.transpose(1, 2)
        for layer in self.layers:
            x = layer(x) * real[:, None]
        y: Tensor = self.out_proj(x.transpose(1, 2)) * real[..., None]
        return y


class NormedConv(nn.Module):
    """Convolution, GroupNorm, ReLU, added to the input."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"conv": nn.Conv1d(width, width, kernel, padding=kernel // 2)})
        self.norm = nn.GroupNorm(width // _GROUP, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return x + F.relu(self.norm(self.conv["conv"](x)))


class ConvStack(nn.Module):
    """Residual convolutions between two linear layers."""

    def __init__(self, width: int, kernel: int, layers: int) -> None:
        super().__init__()
        self.in_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.conv = nn.ModuleList(NormedConv(width, kernel) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = self.in_proj(x).transpose(1, 2)
        for conv in self.conv:
            x = conv(x)
        y: Tensor = self.out_proj(x.transpose(1, 2))
        return y


class PitchPredictor(nn.Module):
    """Positions added, then convolution, ReLU and LayerNorm a layer, and a linear end."""

    def __init__(self, width: int, inner: int, kernel: int, layers: int) -> None:
        super().__init__()
        self.pos_embed_alpha = nn.Parameter(torch.ones(1))
        self.conv = nn.ModuleList(
            nn.ModuleDict(
                {
                    "1": nn.Conv1d(inner if i else width, inner, kernel, padding=(kernel - 1) // 2),
                    "3": nn.LayerNorm(inner, eps=1e-12),
                }
            )
            for i in range(layers)
        )
        self.linear = nn.Linear(inner, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> log2 f0 and the logit of unvoiced, (B, T, 2)."""
        frames = x.shape[1]
        x = (x + self.pos_embed_alpha * _positions(x)).transpose(1, 2)
        for layer in self.conv:
            assert isinstance(layer, nn.ModuleDict)
            y = F.relu(layer["1"](x)).transpose(1, 2)
            x = layer["3"](y).transpose(1, 2)
        assert x.shape[2] == frames, "kernels are odd"
        out: Tensor = self.linear(x.transpose(1, 2))
        return out


class PitchExtractor(nn.Module):
    """mel in log10 -> f0 in Hz. Every frame hears the whole input, as GroupNorm spans time."""

    def __init__(
        self,
        prenet: tuple[int, int, int, int],
        stack: tuple[int, int],
        predictor: tuple[int, int, int],
    ) -> None:
        """prenet: n_mels, width, kernel, layers; stack: kernel, layers; predictor: inner width,
        kernel, layers."""
        super().__init__()
        self.n_mels, width = prenet[:2]
        self.mel_prenet = Prenet(*prenet)
        self.mel_encoder = ConvStack(width, *stack)
        self.pitch_predictor = PitchPredictor(width, *predictor)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> PitchExtractor:
        """The extractor of a checkpoint, sizes read from the weights, ready to run.

        state: bare, or nested under "state_dict", with or without the prefix `model.`.
        Raises VoiceFileError.
        """
        weights = weights_under(state, "state_dict", prefixes=("model.",))
        width, n_mels, kernel = expect(weights, _PRENET.format(0), None, None, None).shape
        stack_kernel = expect(weights, _STACK.format(0), width, width, None).shape[2]
        inner, _, last_kernel = expect(weights, _PREDICTOR.format(0), None, width, None).shape
        extractor = cls(
            (n_mels, width, kernel, count(weights, _PRENET)),
            (stack_kernel, count(weights, _STACK)),
            (inner, last_kernel, count(weights, _PREDICTOR)),
        )
        load_weights(extractor, weights, "pitch extractor")
        return extractor

    def forward(self, mel: Tensor, use_uv: bool = False) -> Tensor:
        """mel (B, T, M) in log10, padded frames all zero -> f0 in Hz (B, T), 0 where padded.

        use_uv: whether f0 is also 0 where the network takes a frame for unvoiced.
        """
        if mel.ndim != 3 or mel.shape[2] != self.n_mels:
            raise ConfigError(
                f"the pitch extractor expects a mel (B, T, {self.n_mels}), got "
                f"{tuple(mel.shape)}; it belongs to another mel front end"
            )
        real = (mel != 0).any(2)
        out = self.pitch_predictor(self.mel_encoder(self.mel_prenet(mel, real.to(mel))))
        sounding = real & (out[..., 1] <= 0) if use_uv else real
        f0: Tensor = torch.exp2(out[..., 0]) * sounding
        return f0


def _positions(x: Tensor) -> Tensor:
    """Sinusoids (B, T, C) of the running count of frames whose first channel is not 0, else 0."""
    real = x[..., 0] != 0
    half = x.shape[2] // 2
    place = torch.cumsum(real, 1).to(x)[..., None]
    k = torch.arange(half, device=x.device, dtype=x.dtype)
    angles = place * torch.exp(k * (-math.log(_MOST_TURNS) / (half - 1)))
    table = torch.cat([angles.sin(), angles.cos()], 2) * real[..., None]
    return F.pad(table, (0, x.shape[2] - 2 * half))
