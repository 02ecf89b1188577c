"""The layers of every streaming network here. Modules hold weights, state is passed through.

Inside a network the layout is (B, T, C): a causal convolution is then one matrix product over its
concatenated taps, which for blocks of a few frames is several times cheaper than `nn.Conv1d`.
`state=None` is the start of the signal (zeros before it); feed the returned state with the rest.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ConvState = Tensor
"""What a causal convolution remembers: its last (kernel - 1) * dilation inputs, (B, past, C)."""


_FEW_ROWS, _FEW_ROWS_PACKED = 4, 32
_PACKING_ENGINES = ("x86", "fbgemm")  # of torch, for processors with AVX2
_PACKED_PRODUCT = "fbgemm_linear_fp16_weight_fp32_activation"  # of torch, which may drop it


class Linear(nn.Linear):
    """nn.Linear, two to three times as fast for the few frames of a live block.

    There it costs to read the weights. W x^T instead of x W^T reads them in the order they lie in;
    after `pack`, half as many bytes are read, and widened on the way into the product.
    """

    _packed: tuple[Tensor, int] | None = None  # and the version of the weight it was made of

    def pack(self) -> None:
        """Prepares for products of few rows, where that changes nothing but rounding.

        So not if the weight is finer than half precision, which a voice file's is not.
        """
        weight = self.weight.detach()
        if weight.is_inference() or not torch.equal(weight.half().to(weight), weight):
            return
        if self._packed is None or self._packed[1] != weight._version:
            self._packed = torch.fbgemm_pack_gemm_matrix_fp16(weight.float()), weight._version

    def __getstate__(self) -> dict[str, object]:
        """Without what is packed: torch cannot copy it."""
        return {key: value for key, value in self.__dict__.items() if key != "_packed"}

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., C_in) -> (..., C_out)."""
        weight, packed = self.weight, self._packed
        few = x.numel() <= _FEW_ROWS_PACKED * self.in_features and not torch.is_grad_enabled()
        if few and packed is not None and packed[1] == weight._version:
            return torch.fbgemm_linear_fp16_weight_fp32_activation(x, packed[0], self.bias)
        return _linear(x, weight.to(self.bias.dtype), self.bias)


def pack_linears(module: nn.Module) -> None:
    """Packs every Linear of the module for a live run, where torch has such products."""
    known = torch.backends.quantized.engine in _PACKING_ENGINES and hasattr(torch, _PACKED_PRODUCT)
    if not known:
        return
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that torch may drop them, which it says at the first
        for part in module.modules():
            if isinstance(part, Linear) and part.weight.device.type == "cpu":
                part.pack()
                part(torch.zeros(1, part.in_features))


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    rows = x.shape[:-1]
    if rows.numel() > _FEW_ROWS or torch.is_grad_enabled():
        return F.linear(x, weight, bias)
    flat = x.reshape(-1, weight.shape[1]).contiguous()
    return torch.addmm(bias[:, None], weight, flat.t()).t().view(*rows, len(weight))


def _gelu(x: Tensor) -> Tensor:
    """gelu of (..., T, C). Few rows go past oneDNN, where preparing costs more than computing."""
    aside = x.is_contiguous() and x.numel() <= _FEW_ROWS_PACKED * x.shape[-1]
    return F.gelu(x.mT).mT if aside else F.gelu(x)


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
        n, step = x.shape[1], self.dilation
        padded = F.pad(x, (0, 0, self.past, 0)) if state is None else torch.cat([state, x], 1)
        earlier = [padded[:, at : at + n] for at in range(0, self.past, step)]
        return self.linear(torch.cat([*earlier, x], -1)), padded[:, n:]


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
        states: list[ConvState] = []
        for i, (norm, conv, mix) in enumerate(zip(self.norms, self.convs, self.mixes, strict=True)):
            y, kept = conv(norm(x), None if state is None else state[i])
            y = _gelu(y)
            x = x + mix(self.dropout(y) if self.training else y)
            states.append(kept)
        return x, states
