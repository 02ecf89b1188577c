"""How many frames fit into memory at once, and what to do when they did not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from offline.memory import free_bytes
from offline.studio.batches import Batch
from offline.studio.network import Adapting

_SHARE = 0.5  # of the free memory
_MOST = {"cpu": 4096, "cuda": 65_536}  # more is no faster
_LEAST = 128
_COPIES = 3  # an activation, its gradient, and what lies between


def bytes_per_frame(network: Adapting, batch: Batch) -> float:
    """What one frame's activations take in a training step, counted at the layers' outputs."""
    counted = 0

    def count(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal counted
        if isinstance(output, Tensor):
            counted += output.numel() * output.element_size()

    layers = [m for m in network.modules() if not list(m.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return counted * _COPIES / batch.mask.numel()


def frames_that_fit(network: Adapting, batch: Batch, device: torch.device) -> int:
    """A budget of frames for free memory."""
    fit = free_bytes(device) * _SHARE / bytes_per_frame(network, batch)
    return int(max(_LEAST, min(fit, _MOST.get(device.type, _MOST["cpu"]))))
