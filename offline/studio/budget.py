"""How many frames fit into memory at once, and what to do when they did not."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from offline.studio.batches import Batch
from offline.studio.network import Adapting

_SHARE = 0.5  # of the free memory
_MOST = {"cpu": 4096, "cuda": 65_536}  # more is no faster
_LEAST = 128
_COPIES = 3  # an activation, its gradient, and what lies between


def free_bytes(device: torch.device) -> int:
    """Free memory of the device, or of the machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as handle:
            table = dict(line.split(":", 1) for line in handle)
        return int(table["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # not Linux
        names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
        if "SC_PHYS_PAGES" in names:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
        return 2 << 30


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text or "out of memory" in text
    )
