"""HubertSoft: the soft speech units that diff-svc voices are trained on, read from public weights.

Architecture: van Niekerk et al. 2022, "A Comparison of Discrete and Soft Speech Units for Improved
Voice Conversion"; HuBERT base (Hsu et al. 2021) with a linear head. The first normalisation and the
attention span the whole input, so the units of a wave are defined for the whole wave only.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ConfigError, VoiceFileError, first_line
from core.int8 import quantise
from core.state_dict import count, expect, fold_weight_norm, load_weights, weights_under

SAMPLE_RATE, HOP_LENGTH = 16_000, 320
_KERNELS = (10, 3, 3, 3, 3, 2, 2)
_STRIDES = (5, 2, 2, 2, 2, 2, 2)
_PAD = 40  # half of what a unit sees beyond its hop
_HEADS, _POSITION_GROUPS = 12, 16

_FILE_KEYS = (  # ours -> the file's
    (r"^features\.convs\.(\d)\.", r"feature_extractor.conv\1."),
    (r"^features\.norm\.", "feature_extractor.norm0."),
    (r"^feature_norm\.", "feature_projection.norm."),
    (r"^project\.", "feature_projection.projection."),
    (r"^position\.", "positional_embedding.conv."),
    (r"^layers\.(\d+)\.qkv\.", r"encoder.layers.\1.self_attn.in_proj_"),
    (r"^layers\.(\d+)\.out\.", r"encoder.layers.\1.self_attn.out_proj."),
    (r"^layers\.", "encoder.layers."),
    (r"^head\.", "proj."),
)


class FeatureExtractor(nn.Module):
    """Seven convolutions from samples to 50 frames a second; one GroupNorm over all of time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inputs = (1, *[channels] * (len(_KERNELS) - 1))
        self.convs = nn.ModuleList(
            nn.Conv1d(c, channels, kernel, stride, bias=False)
            for c, kernel, stride in zip(inputs, _KERNELS, _STRIDES, strict=True)
        )
        self.norm = nn.GroupNorm(channels, channels)

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """wave (B, n), lengths (B,) of them in samples -> (B, C, frames)."""
        x = self.convs[0](wave[:, None])
        x = F.gelu(self.norm(x) if lengths is None else self._masked_norm(x, lengths))
        for conv in self.convs[1:]:
            x = F.gelu(conv(x))
        return x

    def _masked_norm(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The norm with the statistics of each item's own frames."""
        frames = (lengths - _KERNELS[0]) // _STRIDES[0] + 1
        mask = (torch.arange(x.shape[2], device=x.device) < frames[:, None])[:, None].to(x)
        n = frames[:, None, None]
        mean = (x * mask).sum(2, keepdim=True) / n
        variance = ((x - mean).square() * mask).sum(2, keepdim=True) / n
        y = (x - mean) * torch.rsqrt(variance + self.norm.eps)
        return y * self.norm.weight[:, None] + self.norm.bias[:, None]


class TransformerLayer(nn.Module):
    """Post-norm: x = norm1(x + attention(x)); x = norm2(x + linear2(gelu(linear1(x))))."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.linear1, self.linear2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, N, C), mask (B, 1, 1, N) true where a frame is real -> (B, N, C)."""
        batch, frames, width = x.shape
        split = self.qkv(x).view(batch, frames, 3, _HEADS, width // _HEADS)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each (B, heads, N, C / heads)
        heard = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.out(heard.transpose(1, 2).reshape(batch, frames, width)))
        y: Tensor = self.norm2(x + self.linear2(F.gelu(self.linear1(x))))
        return y


class HubertSoft(nn.Module):
    """wave at 16 kHz -> units, 50 a second. Unit i is centred on sample 320 i + 160."""

    sample_rate, hop_length = SAMPLE_RATE, HOP_LENGTH

    def __init__(
        self, channels: int, width: int, inner: int, layers: int, dim: int, position: int
    ) -> None:
        """position: kernel of the positional convolution, frames."""
        super().__init__()
        self.dim = dim
        self.features = FeatureExtractor(channels)
        self.feature_norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width)
        self.position = nn.Conv1d(
            width, width, position, padding=position // 2, groups=_POSITION_GROUPS
        )
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(TransformerLayer(width, inner) for _ in range(layers))
        self.head = nn.Linear(width, dim)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> HubertSoft:
        """The encoder of a `hubert_soft.pt`, sizes read from the weights, ready to run.

        state: bare, with the prefix `module.`, or nested under "hubert"; weight norm of the
        positional convolution under its old or its newer names. Raises VoiceFileError.
        """
        weights = fold_weight_norm(weights_under(state, "hubert", prefixes=("module.",)))
        width, channels = expect(weights, "feature_projection.projection.weight", None, None).shape
        inner, _ = expect(weights, "encoder.layers.0.linear1.weight", None, width).shape
        position = expect(weights, "positional_embedding.conv.weight", width, None, None).shape[2]
        dim, _ = expect(weights, "proj.weight", None, width).shape
        if width % _HEADS or width % _POSITION_GROUPS:
            raise VoiceFileError(
                "HuBERT-soft: feature_projection.projection.weight gives a width of "
                f"{width}, which {_HEADS} heads and {_POSITION_GROUPS} groups do not share evenly; "
                "the file is of another kind of model"
            )
        layers = count(weights, "encoder.layers.{}.linear1.weight")
        encoder = cls(channels, width, inner, layers, dim, position)
        load_weights(encoder, weights, "HuBERT-soft", _file_key)
        return encoder

    @classmethod
    def load(cls, path: str | Path, int8: bool = False) -> HubertSoft:
        """Reads a `hubert_soft.pt`; nothing in the file is run. int8: see `core/int8.py`.

        Raises VoiceFileError.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise VoiceFileError(
                f"cannot read {path} as the weights of HuBERT-soft (hubert_soft.pt): "
                f"{first_line(error)}"
            ) from None
        if not isinstance(state, Mapping):
            raise VoiceFileError(
                f"{path} should hold the named weights of HuBERT-soft, but holds a "
                f"{type(state).__name__}"
            )
        encoder = cls.from_state_dict(state)
        return quantise(encoder) if int8 else encoder

    def forward(self, wave16: Tensor, lengths: Tensor | None = None) -> Tensor:
        """wave16: (B, n) in [-1, 1] at 16 kHz -> units (B, N, D), N = n // 320.

        lengths: (B,) samples that are real in each item, zeros after them; its units are then
        those of the item alone, and the units past lengths // 320 mean nothing.
        Raises ConfigError where an item is shorter than one unit.
        """
        shortest = wave16.shape[1] if lengths is None else int(lengths.min())
        if shortest < HOP_LENGTH:
            raise ConfigError(
                f"HuBERT-soft needs at least {HOP_LENGTH} samples at 16 kHz, got {shortest}; "
                "pad the wave with zeros"
            )
        padded = F.pad(wave16, (_PAD, _PAD))
        x = self.features(padded, None if lengths is None else lengths + 2 * _PAD)
        x = self.project(self.feature_norm(x.transpose(1, 2)))  # (B, N, C)
        mask = None
        if lengths is not None:
            mask = torch.arange(x.shape[1], device=x.device) < (lengths // HOP_LENGTH)[:, None]
            x = x * mask[..., None]
        placed = self.position(x.transpose(1, 2))[..., : x.shape[1]]
        x = self.norm(x + F.gelu(placed).transpose(1, 2))
        for layer in self.layers:
            x = layer(x, None if mask is None else mask[:, None, None])
        units: Tensor = self.head(x)
        return units


def _file_key(key: str) -> str:
    """The name that a weight of ours has in the file."""
    for pattern, name in _FILE_KEYS:
        key = re.sub(pattern, name, key)
    return key
