"""Replayed: on a card, thousands of small launches recorded once and replayed as one.

CUDA graphs: Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs". What is recorded reads its
inputs from fixed memory and leaves its result in fixed memory. State is kept by writing in place,
or is an input and part of the result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import first_line

Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""A function of fixed memory -> the same, recorded. May run it or not; raises RuntimeError."""

_KEPT = 4  # recordings: windows that waver by a step have a few lengths

_log = logging.getLogger(__name__)


def recorder(device: torch.device) -> Record | None:
    """What records on a device; None where launches cost too little to bother."""
    return record_cuda if device.type == "cuda" else None


def record_cuda(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """As a CUDA graph. The function itself does not take effect here."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            made = function()
    finally:
        torch.cuda.set_stream(stream)  # one that failed to record leaves its own behind

    def replay() -> Tensor:
        graph.replay()
        return made

    return replay


@dataclass
class _Recording:
    """calls: how often it was called alike. fixed: the memory that `replay` reads."""

    calls: int = 0
    fixed: tuple[Tensor, ...] = ()
    replay: Callable[[], Tensor] | None = None


class Replayed:
    """A function of tensors, recorded when it is called alike for the third time.

    The first two calls run as they are, so that libraries have made their own memory. One that
    cannot be recorded goes on as it is. What was not called for longest is forgotten beyond a few.
    """

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self.forget()

    @property
    def records(self) -> bool:
        """Whether anything is recorded at all."""
        return self._record is not None

    def forget(self) -> None:
        """What is recorded: the memory it kept state in is no more."""
        self._recordings: dict[Hashable, _Recording] = {}  # the latest last

    def __call__(
        self, function: Callable[..., Tensor], *inputs: Tensor, key: Hashable = ()
    ) -> Tensor:
        """function: the same every time; it is not kept, so whoever owns both ends with them.

        key: all else that the function goes by. The result is the caller's own.
        """
        if self._record is None:
            return function(*inputs)
        now = key, *(part.shape for part in inputs)
        here = self._recordings.pop(now, _Recording())
        self._recordings[now] = here
        if len(self._recordings) > _KEPT:
            del self._recordings[next(iter(self._recordings))]
        here.calls += 1
        if here.calls == 3:
            self._begin(self._record, here, function, inputs)
        if here.replay is None:
            return function(*inputs)
        for fixed, part in zip(here.fixed, inputs, strict=True):
            fixed.copy_(part)
        return here.replay().clone()

    def _begin(
        self,
        record: Record,
        here: _Recording,
        function: Callable[..., Tensor],
        inputs: tuple[Tensor, ...],
    ) -> None:
        fixed = here.fixed = tuple(part.clone() for part in inputs)
        try:
            here.replay = record(lambda: function(*fixed))
        except RuntimeError as error:
            _log.warning("this card records no networks, they run slower: %s", first_line(error))
            self._record = None
            self.forget()
