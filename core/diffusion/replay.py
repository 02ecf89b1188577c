"""Replayed: on a card, thousands of small launches recorded once and replayed as one.

CUDA graphs: Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs". What is recorded reads its
inputs from fixed memory and leaves its result in fixed memory; state is kept by writing in place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from core.errors import first_line

Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""A function of fixed memory -> the same, recorded. May run it or not; raises RuntimeError."""

_log = logging.getLogger(__name__)


def recorder(device: torch.device) -> Record | None:
    """What records on a device; None where launches cost too little to bother."""
    return record_cuda if device.type == "cuda" else None


def record_cuda(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """As a CUDA graph. The function itself does not take effect here."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = function()

    def replay() -> Tensor:
        graph.replay()
        return made

    return replay


class Replayed:
    """A function of tensors, recorded when it is called alike for the third time in a row.

    The first two calls run as they are, so that libraries have made their own memory. One that
    cannot be recorded goes on as it is.
    """

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self.forget()

    def forget(self) -> None:
        """What is recorded: the memory it kept state in is no more."""
        self._key: Hashable = None
        self._alike = 0
        self._fixed: tuple[Tensor, ...] = ()
        self._recorded: Callable[[], Tensor] | None = None

    def __call__(
        self, function: Callable[..., Tensor], *inputs: Tensor, key: Hashable = ()
    ) -> Tensor:
        """function: the same every time; it is not kept, so whoever owns both ends with them.

        key: all else that the function goes by. The result is the caller's own.
        """
        if self._record is None:
            return function(*inputs)
        now = key, *(part.shape for part in inputs)
        if now != self._key:
            self.forget()
            self._key = now
        self._alike += 1
        if self._alike == 3:
            self._begin(self._record, function, inputs)
        if self._recorded is None:
            return function(*inputs)
        for fixed, part in zip(self._fixed, inputs, strict=True):
            fixed.copy_(part)
        return self._recorded().clone()

    def _begin(
        self, record: Record, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> None:
        fixed = self._fixed = tuple(part.clone() for part in inputs)
        try:
            self._recorded = record(lambda: function(*fixed))
        except RuntimeError as error:
            _log.warning("this card records no networks, they run slower: %s", first_line(error))
            self._record = None
