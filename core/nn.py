"""The layers of every streaming network here. Modules hold weights, state is passed through.

Inside a network the layout is (B, T, C): a causal convolution is then one matrix product over its
concatenated taps, which for blocks of a few frames is several times cheaper than `nn.Conv1d`.
`state=None` is the start of the signal (zeros before it); feed the returned state with the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from core.packed import PackedLinear, PackedStack

ConvState = Tensor
"""What a causal convolution remembers: its last (kernel - 1) * dilation inputs, (B, past, C)."""


_FEW_ROWS = 4


class Linear(nn.Linear):
    """nn.Linear, two to three times as fast for the few frames of a live block.

    W x^T instead of x W^T: the matrix product then reads the weights in the order they lie in. Or,
    faster still, the form that `core.packed` has made of it.
    """

    packed: PackedLinear | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., C_in) -> (..., C_out)."""
        if self.packed is not None and self.packed.serves(x):
            return self.packed(x)
        rows, weight = x.shape[:-1], self.weight.to(self.bias.dtype)
        if rows.numel() > _FEW_ROWS or torch.is_grad_enabled():
            return F.linear(x, weight, self.bias)
        flat = x.reshape(-1, weight.shape[1]).contiguous()
        return torch.addmm(self.bias[:, None], weight, flat.t()).t().view(*rows, len(weight))


class HalvedLinear(Linear):
    """A Linear whose weight may stay in half precision, as files have it, for half the memory.

    For a layer that runs once a block; the results are those of the same weight in full.
    """

    def halve(self) -> None:
        """Makes room for a weight of half precision, to be filled; not for training."""
        self.weight = nn.Parameter(torch.empty_like(self.weight, dtype=torch.half), False)


class CausalConv1d(nn.Module):
    """A dilated convolution that sees its own frame and the past only."""

    def __init__(self, c_in: int, c_out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.past = (kernel - 1) * dilation
        self.linear = Linear(kernel * c_in, c_out)

    def forward(self, x: Tensor, state: ConvState | None = None) -> tuple[Tensor, ConvState]:
        """x: (B, T, C_in) -> (B, T, C_out) and the state for the frames after x."""
        n = x.shape[1]
        padded = F.pad(x, (0, 0, self.past, 0)) if state is None else torch.cat([state, x], 1)
        taps = [padded[:, k * self.dilation : k * self.dilation + n] for k in range(self.kernel)]
        return self.linear(torch.cat(taps, -1)), padded[:, n:]


class CentredConv1d(nn.Module):
    """A dilated convolution of odd kernel that looks `reach` frames ahead, as far as back."""

    def __init__(self, c_in: int, c_out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.reach = kernel // 2 * dilation
        self.linear = Linear(kernel * c_in, c_out)

    def forward(
        self, x: Tensor, state: ConvState | None = None, ready: int | None = None
    ) -> tuple[Tensor, ConvState]:
        """x: (B, T, C_in), zeros around it -> (B, T, C_out).

        ready: frames that will not come again, None for all: the state is for those after them, the
        last `reach` inputs.
        """
        n = x.shape[1]
        before = x.new_zeros(len(x), self.reach, x.shape[2]) if state is None else state
        padded = F.pad(torch.cat([before, x], 1), (0, 0, 0, self.reach))
        taps = [padded[:, k * self.dilation : k * self.dilation + n] for k in range(self.kernel)]
        ready = n if ready is None else ready
        return self.linear(torch.cat(taps, -1)), padded[:, ready : ready + self.reach]


class ResidualStack(nn.Module):
    """Pre-norm residual causal convolutions: x + W gelu(conv(norm(x))), one per dilation."""

    packed: PackedStack | None = None

    def __init__(
        self, channels: int, kernel: int, dilations: tuple[int, ...], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in dilations)
        self.convs = nn.ModuleList(CausalConv1d(channels, channels, kernel, d) for d in dilations)
        self.mixes = nn.ModuleList(Linear(channels, channels) for _ in dilations)
        self.dropout = nn.Dropout(dropout)
        for mix in self.mixes:
            assert isinstance(mix, nn.Linear)
            nn.init.normal_(mix.weight, std=channels**-0.5 / len(dilations) ** 0.5)

    def forward(
        self, x: Tensor, state: list[ConvState] | None = None
    ) -> tuple[Tensor, list[ConvState]]:
        """x: (B, T, C) -> (B, T, C) and one state a layer."""
        packed = None if self.training else self.packed
        if packed is not None and state is not None and packed.serves(x):
            return packed(x, state)
        states: list[ConvState] = []
        for i, (norm, conv, mix) in enumerate(zip(self.norms, self.convs, self.mixes, strict=True)):
            y, kept = conv(norm(x), None if state is None else state[i])
            x = x + mix(self.dropout(F.gelu(y)))
            states.append(kept)
        return x, states
