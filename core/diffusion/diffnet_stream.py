"""DiffNetStream: a DiffNet block by block, of which no frame is computed twice.

The network hears as far ahead as behind. Here each layer keeps what its next outputs need of the
frames that are committed; of those to come it hears the ones that are there, and silence after
them. A sampler that asks the network K times is K networks in a row, each with a memory of its own.
On a card what a layer launches takes as long as what it computes: all that can be done for all
layers at once is.
"""

from __future__ import annotations

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
        self._steps: dict[float, list[Tensor]] = {}
        self._told: Tensor | None = None
        self._call = self._commit = 0

    def forget(self) -> None:
        """What was heard: the next frames are the first, or come at other noise levels."""
        self._memories, self._steps = [], {}

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
        assert self._told is not None, "begin comes first"
        net, n = self.net, x.shape[2]
        h, z = net.enter(x), self._told.clone()
        around = [layer.dilation for layer in net.layers]
        if self._call == len(self._memories):
            self._memories.append([z.new_zeros(far, net.channels) for far in around])
        if step not in self._steps:
            self._steps[step] = net.steps(step)
        memory, shifts, gated = self._memories[self._call], self._steps[step], []
        lengths = [n + 2 * far for far in around]
        heard = torch.split(z.new_zeros(sum(lengths), net.channels), lengths)
        torch._foreach_copy_([part[:far] for part, far in zip(heard, around, strict=True)], memory)
        for i, layer in enumerate(net.layers):
            torch.add(h, shifts[i], out=heard[i][around[i] : around[i] + n])
            gated.append(net.gate(layer, heard[i], z[i]))
            net.onward(layer, h, gated[i])
        ends = [part[self._commit :][:far] for part, far in zip(heard, around, strict=True)]
        torch._foreach_copy_(memory, ends)
        self._call += 1
        return net.leave(torch.cat(gated, 1))
