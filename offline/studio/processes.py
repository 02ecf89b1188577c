"""The processes of one training: alone, or as `torchrun` started them, on one machine or many."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from offline.train import has_bfloat16


@dataclass(frozen=True)
class Processes:
    """rank: which of `count` this is."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this one saves, checks and tells."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over all processes."""
        if self.count == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, devices, broadcast_buffers=False)

    def quiet(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """Backward passes in it add up here; the first one after it sums over processes."""
        if isinstance(wrapped, DistributedDataParallel):
            silence: AbstractContextManager[None] = wrapped.no_sync()
            return silence
        return nullcontext()

    def agree(self, numbers: list[float]) -> list[float]:
        """The leader's numbers, everywhere."""
        if self.count == 1:
            return numbers
        told = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return [float(x) for x in told.tolist()]

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        if self.count == 1:
            return flag
        told = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return bool(told.item())

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Joins the others that `torchrun` started; device: auto takes a GPU where there is one."""
    count, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    local = int(os.environ.get("LOCAL_RANK", 0))
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    chosen = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Processes(rank, count, chosen)
    finally:
        # what the training leaves in cycles may hold on to the group, whose threads must not
        # live on into the interpreter's end: one process in ten aborted there
        gc.collect()
        distributed.destroy_process_group()


def precision(name: str, device: torch.device) -> torch.dtype:
    """What products are computed in; auto: half precision where the device multiplies it itself."""
    if name == "auto" and device.type == "cuda":
        own = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if own else torch.float16
    if name == "auto":
        return torch.bfloat16 if has_bfloat16() else torch.float32
    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[name]
