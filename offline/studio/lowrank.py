"""Low-rank adaptation: a layer learns W + B A in place of W (Hu et al. 2021, "LoRA")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """W (out, in) -> W + B A; A is (rank, in), B (out, rank) starts at 0."""

    def __init__(self, outputs: int, inputs: int, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, inputs) * inputs**-0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as the layer uses it."""
        return weight + self.b @ self.a


def make_low_rank(module: nn.Module, rank: int) -> None:
    """Freezes everything and gives each linear layer larger than that a low-rank change."""
    module.requires_grad_(False)
    for layer in [m for m in module.modules() if isinstance(m, nn.Linear)]:
        if min(layer.weight.shape) > rank:
            change = LowRank(layer.weight.shape[0], layer.weight.shape[1], rank)
            parametrize.register_parametrization(layer, "weight", change)
            layer.parametrizations.weight.original.requires_grad_(False)  # type: ignore[union-attr]


def merge_low_rank(module: nn.Module) -> None:
    """Adds the changes to the weights, so that the layers are what they were."""
    for layer in list(module.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer.weight.requires_grad_(True)
