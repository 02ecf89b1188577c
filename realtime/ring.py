"""A ring of samples between two threads: one writes, one reads, nobody waits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class RingBuffer:
    """Mono float32 samples in a fixed store. One writer thread, one reader thread, no lock.

    `written` and `taken` only grow, and each is assigned by one side alone after the samples were
    copied; so the other side may see an old index, never a wrong sample. What does not fit is
    dropped and counted by the writer.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs room for at least one sample, got {capacity}")
        self.capacity = capacity
        self._store = np.zeros(capacity, np.float32)
        self.written = 0  # writer's: samples stored since the start
        self.dropped = 0  # writer's: samples that found no room
        self.taken = 0  # reader's: samples taken or skipped since the start

    @property
    def available(self) -> int:
        """Samples that can be read now."""
        return self.written - self.taken

    @property
    def free(self) -> int:
        """Samples that can be written now."""
        return self.capacity - self.available

    def write(self, samples: NDArray[np.float32]) -> int:
        """Stores the leading samples that fit, returns how many; drops and counts the rest."""
        count = min(len(samples), self.free)
        at = self.written % self.capacity
        head = min(count, self.capacity - at)
        self._store[at : at + head] = samples[:head]
        self._store[: count - head] = samples[head:count]
        self.written += count
        self.dropped += len(samples) - count
        return count

    def read(self, out: NDArray[np.float32]) -> int:
        """Fills the front of `out` with what there is and returns how many; leaves its rest."""
        count = min(len(out), self.available)
        at = self.taken % self.capacity
        head = min(count, self.capacity - at)
        out[:head] = self._store[at : at + head]
        out[head:count] = self._store[: count - head]
        self.taken += count
        return count

    def skip(self, count: int) -> int:
        """Throws away up to `count` samples unread and returns how many it were."""
        count = min(count, self.available)
        self.taken += count
        return count
