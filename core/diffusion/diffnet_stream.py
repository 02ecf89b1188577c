"""DiffNetStream: a DiffNet block by block, of which no frame is computed twice.

The network hears as far ahead as behind. Here each layer keeps what its next outputs need of the
frames that are committed; of those to come it hears the ones that are there, and silence after
them. A sampler that asks the network K times is K networks in a row, each with a memory of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.diffusion.diffnet import DiffNet, ResidualLayer, convolved

Kept = list[Tensor]
"""Of each layer the last inputs of its convolution, (1, C, dilation)."""


class DiffNetStream:
    """Predicts the noise of the next frames, call after call; see `original.Predict`."""

    def __init__(self, net: DiffNet) -> None:
        self.net = net
        self._memories: list[Kept] = []
        self._prepared: list[Tensor] = []
        self._call = self._commit = 0

    def forget(self) -> None:
        """What was heard: the next frames are the first, or come at other noise levels."""
        self._memories = []

    def begin(self, cond: Tensor, commit: int) -> None:
        """The next frames' condition (1, H, n), of which the first `commit` will not come again."""
        self._prepared = self.net.condition(cond)
        self._call, self._commit = 0, commit

    def __call__(self, x: Tensor, step: float) -> Tensor:
        """x (1, M, n) at a step, whole or broken -> the noise in it (1, M, n)."""
        if self._call == len(self._memories):
            self._memories.append([])
        memory, kept = self._memories[self._call], []
        embedded = self.net.mlp(self.net.embed(torch.full((1,), step, dtype=x.dtype)))
        h = F.relu(self.net.input_projection(x))
        skips = torch.zeros(())
        for i, (layer, bias) in enumerate(
            zip(self.net.residual_layers, self._prepared, strict=True)
        ):
            assert isinstance(layer, ResidualLayer)
            reach = layer.dilation
            y = h + layer.diffusion_projection(embedded)[..., None]
            before = memory[i] if memory else y.new_zeros(1, y.shape[1], reach)
            heard = torch.cat([before, y], 2)
            kept.append(heard[:, :, self._commit : self._commit + reach])
            z = convolved(layer.dilated_conv, F.pad(heard, (0, reach))) + bias
            h, skip = layer.joined(h, z)
            skips = skips + skip
        self._memories[self._call] = kept
        self._call += 1
        return self.net.ended(skips)
