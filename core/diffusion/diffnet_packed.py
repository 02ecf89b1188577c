"""A DiffNet's weights as matrices for frames in rows, (T, C): what its convolutions do, in fewer
and larger products. On a processor a third to a half faster than the convolutions.

Skips are not summed layer by layer: all layers' gated values side by side meet one matrix, into
which the projection that follows the sum is folded. Nor are the biases of what goes from layer to
layer: what a layer is told of the step holds all those before it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.diffusion.diffnet import DiffNet, ResidualLayer
from core.winograd import WinogradConv

_LONG = 256  # frames from which short products gain


class PackedLayer(NamedTuple):
    """taps (3C, 2C): of the frames `dilation` before, at and after; to the filter, then the gate.
    on_bias (C,) in fp32 and on (C, C): to the next layer.
    """

    dilation: int
    step: nn.Linear
    taps: Tensor
    on: Tensor
    on_bias: Tensor


class PackedDiffNet:
    """Computes in the precision of the network's convolutions; in and out it is fp32."""

    def __init__(self, net: DiffNet) -> None:
        layers = [layer for layer in net.residual_layers if isinstance(layer, ResidualLayer)]
        self._net = net
        self.channels = net.size.channels
        self.dtype = layers[0].dilated_conv.weight.dtype
        with torch.no_grad():
            self.layers = [self._packed(layer) for layer in layers]
            told = [_matrix(layer.conditioner_projection) for layer in layers]
            self._cond = torch.cat([_swapped(weight) for weight, _ in told]).to(self.dtype)
            added = [
                _swapped(bias + _matrix(layer.dilated_conv)[1])
                for layer, (_, bias) in zip(layers, told, strict=True)
            ]
            self._cond_bias = torch.cat(added).to(self.dtype)
            self._skip, self._skip_bias = self._folded(layers)
        self._short: dict[int, WinogradConv] = {}

    def condition(self, cond: Tensor) -> Tensor:
        """cond (1, H, n) -> what each layer's convolution is added to, (layers, n, 2C)."""
        told = F.linear(cond[0].T.to(self.dtype), self._cond, self._cond_bias)
        return told.view(len(told), len(self.layers), -1).transpose(0, 1).contiguous()

    def steps(self, step: float) -> list[Tensor]:
        """A step, whole or broken -> what each layer is told of it, and of biases before, (C,)."""
        like = self._net.input_projection.weight
        here = torch.full((1,), step, dtype=like.dtype, device=like.device)
        embedded = self._net.mlp(self._net.embed(here))
        told, before = [], torch.zeros_like(embedded[0])
        for layer in self.layers:
            told.append(layer.step(embedded)[0] + before)
            before = math.sqrt(0.5) * before + layer.on_bias
        return told

    def enter(self, x: Tensor) -> Tensor:
        """x (1, M, n) -> the first layer's input (n, C)."""
        return F.linear(x[0].T, *_matrix(self._net.input_projection)).relu_()

    def leave(self, gated: Tensor) -> Tensor:
        """All layers' gated values (n, layers * C) -> the noise (1, M, n)."""
        skips = torch.addmm(self._skip_bias, gated, self._skip).float().relu_()
        return F.linear(skips, *_matrix(self._net.output_projection)).T[None]

    def gate(self, layer: PackedLayer, heard: Tensor, z: Tensor) -> Tensor:
        """heard (n + 2 * dilation, C): the layer's input and what is around -> (n, C).

        z (n, 2C): what its convolution is added to, in place.
        """
        n, far = len(z), layer.dilation
        if n >= _LONG and heard.dtype == torch.float32 and heard.device.type == "cpu":
            z.add_(self._shortened(layer)(heard))
        else:
            z.addmm_(torch.cat([heard[:n], heard[far : far + n], heard[2 * far :]], 1), layer.taps)
        z[:, : self.channels].tanh_()
        return F.glu(z, 1)

    def onward(self, layer: PackedLayer, h: Tensor, gated: Tensor) -> None:
        """h (n, C), a layer's input in fp32, becomes the next one's, in place."""
        if h.dtype == gated.dtype:
            h.addmm_(gated, layer.on, beta=math.sqrt(0.5))
        else:
            torch.add(gated @ layer.on, h, alpha=math.sqrt(0.5), out=h)

    def _shortened(self, layer: PackedLayer) -> WinogradConv:
        """Its convolution for many frames, made when it is first wanted: it is twice as large."""
        made = self._short.get(id(layer))
        if made is None:
            taps = layer.taps.view(3, self.channels, -1)
            made = self._short[id(layer)] = WinogradConv(taps, layer.dilation)
        return made

    def _packed(self, layer: ResidualLayer) -> PackedLayer:
        taps = _swapped(layer.dilated_conv.weight).permute(2, 1, 0).reshape(3 * self.channels, -1)
        weight, bias = _matrix(layer.output_projection)
        on, on_bias = weight[: self.channels].T, bias[: self.channels]
        return PackedLayer(
            layer.dilation,
            layer.diffusion_projection,
            taps.contiguous(),
            (on * math.sqrt(0.5)).to(self.dtype).contiguous(),
            on_bias * math.sqrt(0.5),
        )

    def _folded(self, layers: list[ResidualLayer]) -> tuple[Tensor, Tensor]:
        """(layers * C, C) and (C,)."""
        weight, bias = (part.double() for part in _matrix(self._net.skip_projection))
        weight, folded = weight / math.sqrt(len(layers)), []
        for layer in layers:
            skip, skip_bias = (part.double() for part in _matrix(layer.output_projection))
            folded.append((weight @ skip[self.channels :]).T)
            bias = bias + weight @ skip_bias[self.channels :]
        return torch.cat(folded).to(self.dtype).contiguous(), bias.to(self.dtype)


def _swapped(weight: Tensor) -> Tensor:
    """(2C, ...): its halves in the other order, as `F.glu` has them."""
    return weight.roll(len(weight) // 2, 0)


def _matrix(conv: nn.Conv1d) -> tuple[Tensor, Tensor]:
    """The weight at its first tap (O, I) and the bias (O,), in fp32."""
    assert conv.bias is not None
    return conv.weight[..., 0].float(), conv.bias.float()
