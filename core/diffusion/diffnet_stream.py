"""DiffNetStream: a DiffNet block by block, of which no frame is computed twice.

The network hears as far ahead as behind. Here each layer keeps what its next outputs need of the
frames that are committed; of those to come it hears the ones that are there, and silence after
them. A sampler that asks the network K times is K networks in a row, each with a memory of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.diffusion.diffnet import DiffNet
from core.diffusion.diffnet_packed import PackedDiffNet

Kept = list[Tensor]
"""Of each layer the last inputs of its convolution, (dilation, C)."""


class DiffNetStream:
    """Predicts the noise of the next frames, call after call; see `original.Predict`."""

    def __init__(self, net: DiffNet) -> None:
        self.net = PackedDiffNet(net)
        self._memories: list[Kept] = []
        self._told: list[Tensor] = []
        self._call = self._commit = 0

    def forget(self) -> None:
        """What was heard: the next frames are the first, or come at other noise levels."""
        self._memories = []

    @property
    def remembers(self) -> bool:
        """Whether anything was heard. What is kept then stays in the same memory."""
        return bool(self._memories)

    def begin(self, cond: Tensor, commit: int) -> None:
        """The next frames' condition (1, H, n), of which the first `commit` will not come again."""
        self._told = self.net.condition(cond)
        self._call, self._commit = 0, commit

    def __call__(self, x: Tensor, step: float) -> Tensor:
        """x (1, M, n) at a step, whole or broken -> the noise in it (1, M, n)."""
        first = self._call == len(self._memories)
        memory: Kept = [] if first else self._memories[self._call]
        net, c, n = self.net, self.net.channels, x.shape[2]
        h = net.enter(x)
        gated = h.new_empty(n, len(net.layers) * c, dtype=net.dtype)
        for i, (layer, shift) in enumerate(zip(net.layers, net.steps(step), strict=True)):
            far = layer.dilation
            if first:
                memory.append(h.new_zeros(far, c, dtype=net.dtype))
            heard = h.new_empty(n + 2 * far, c, dtype=net.dtype)
            heard[:far] = memory[i]
            heard[far + n :] = 0.0
            torch.add(h, shift, out=heard[far : far + n])
            memory[i].copy_(heard[self._commit : self._commit + far])
            out = gated[:, i * c : (i + 1) * c]
            net.gate(layer, heard, self._told[i], out)
            h.mul_(math.sqrt(0.5)).add_(torch.addmm(layer.on_bias, out, layer.on))
        if first:
            self._memories.append(memory)
        self._call += 1
        return net.leave(gated)
