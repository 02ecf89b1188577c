"""Layers made ready for a live block: what they compute for a few frames, in little time.

There two things cost: to read the weights, so they are kept in half precision, too, and widened on
the way into the product; and to call torch at all, so a stack does without what its modules ask.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.nn import CausalConv1d, ConvState, Linear, ResidualStack

_FEW_ROWS = 32
_ENGINES = ("x86", "fbgemm")  # of torch, for processors with AVX2
_PRODUCT = "fbgemm_linear_fp16_weight_fp32_activation"  # of torch, which may drop it


def pack(module: nn.Module) -> None:
    """Packs the layers of a module in place, where torch can and only rounding changes."""
    if torch.backends.quantized.engine not in _ENGINES or not hasattr(torch, _PRODUCT):
        return
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that torch may drop it, which it says at the first call
        for part in module.modules():
            if isinstance(part, Linear) and (part.packed is None or not part.packed.fresh):
                part.packed = _packed(part)
                part(torch.zeros(1, part.in_features))
    for part in module.modules():
        if isinstance(part, ResidualStack):
            part.packed = _packed_stack(part)


class _Uncopied:
    """None in a copy and in a file: torch cannot copy a packed weight."""

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


@dataclass(frozen=True)
class PackedLinear(_Uncopied):
    """A Linear for few rows. version: the weight's when it was packed."""

    weight: Tensor
    version: int
    half: Tensor
    bias: Tensor

    @property
    def fresh(self) -> bool:
        """Whether the weight is what it was."""
        return self.weight._version == self.version

    def serves(self, x: Tensor) -> bool:
        """Whether x (..., C_in) is for it."""
        few = x.numel() <= _FEW_ROWS * self.weight.shape[1]
        return few and not torch.is_grad_enabled() and self.fresh

    def __call__(self, x: Tensor) -> Tensor:
        """x: (..., C_in) -> (..., C_out)."""
        return torch.fbgemm_linear_fp16_weight_fp32_activation(x, self.half, self.bias)


@dataclass(frozen=True)
class _Layer:
    """One of a stack. taps: where in what it hears those before the last begin."""

    norm: tuple[Tensor, Tensor, float]
    taps: range
    conv: PackedLinear
    mix: PackedLinear


@dataclass(frozen=True)
class PackedStack(_Uncopied):
    """A ResidualStack for few rows."""

    layers: tuple[_Layer, ...]

    def serves(self, x: Tensor) -> bool:
        """Whether x (B, T, C) is for it."""
        few = x.numel() <= _FEW_ROWS * x.shape[2]
        fresh = all(layer.conv.fresh and layer.mix.fresh for layer in self.layers)
        return few and fresh and not torch.is_grad_enabled()

    def __call__(self, x: Tensor, state: list[ConvState]) -> tuple[Tensor, list[ConvState]]:
        """As `ResidualStack.forward`."""
        n, channels = x.shape[1:]
        states: list[ConvState] = []
        for layer, past in zip(self.layers, state, strict=True):
            weight, bias, eps = layer.norm
            y = torch.layer_norm(x, (channels,), weight, bias, eps)
            heard = torch.cat([past, y], 1)
            states.append(heard[:, n:])
            y = layer.conv(torch.cat([*[heard[:, at : at + n] for at in layer.taps], y], -1))
            x = x + layer.mix(F.gelu(y.mT).mT)  # as it lies, oneDNN would take more time to begin
        return x, states


def _packed(linear: Linear) -> PackedLinear | None:
    """None where the weight is finer than half precision, which a voice file's is not."""
    weight = linear.weight.detach()
    if weight.device.type != "cpu" or weight.is_inference():
        return None
    if not torch.equal(weight.half().to(weight), weight):
        return None
    half = torch.fbgemm_pack_gemm_matrix_fp16(weight.float())
    return PackedLinear(weight, weight._version, half, linear.bias.detach())


def _packed_stack(stack: ResidualStack) -> PackedStack | None:
    """None where one of its products is not packed."""
    layers: list[_Layer] = []
    for norm, conv, mix in zip(stack.norms, stack.convs, stack.mixes, strict=True):
        assert isinstance(norm, nn.LayerNorm)
        assert isinstance(conv, CausalConv1d)
        assert isinstance(mix, Linear)
        if conv.linear.packed is None or mix.packed is None:
            return None
        norms = norm.weight.detach(), norm.bias.detach(), norm.eps
        taps = range(0, conv.past, conv.dilation)
        layers.append(_Layer(norms, taps, conv.linear.packed, mix.packed))
    return PackedStack(tuple(layers))
