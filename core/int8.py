"""Linear layers in int8 for processors with integer dot products, and how far that is from fp32.

Weights are rounded once, a scale an output; inputs as they come, a scale a row. What is between the
layers stays fp32.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

_LARGEST = 127.0


class Int8Linear(nn.Module):
    """y = x W^T + b with x and W rounded to 255 levels."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(1).clamp(min=1e-12) / _LARGEST
        # kept as rows of outputs: the product reads its transpose in the order it lies in
        self.register_buffer("weight", torch.round(weight / scale[:, None]).to(torch.int8))
        self.register_buffer("scale", scale)
        bias = torch.zeros_like(scale) if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., C_in) -> (..., C_out)."""
        rows = x.reshape(-1, x.shape[-1])
        level = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / _LARGEST
        whole = torch._int_mm(torch.round(rows / level).to(torch.int8), self.weight.t())
        made = torch.addcmul(self.bias, whole.to(x.dtype), level * self.scale)
        return made.view(*x.shape[:-1], -1)


def quantise(module: M, but_for: Collection[str] = ()) -> M:
    """A copy of the module with its linear layers in int8, those of the names `but_for` left."""
    quantised = copy.deepcopy(module)
    for parent in [*quantised.modules()]:
        for name, child in [*parent.named_children()]:
            if type(child) is nn.Linear and name not in but_for:
                setattr(parent, name, Int8Linear(child))
    return quantised


def snr_db(wanted: Tensor, got: Tensor) -> float:
    """Power of what is wanted over power of the difference, in dB; inf where they are equal."""
    apart = float((got.double() - wanted.double()).square().sum())
    power = float(wanted.double().square().sum())
    return math.inf if apart == 0 else 10 * math.log10(max(power, 1e-300) / apart)
