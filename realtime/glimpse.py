"""Sound as a window in another process sees it: a ring in shared memory, written by the worker.

Nobody waits. A reader that comes too late misses sound; one that reads while the ring laps it may
see a torn block: good for a picture, not for a recording.
"""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

CAPACITY = 1 << 17  # samples: some 3 s
_HEAD_BYTES = 64  # written; sample rate, pitch shift


class Glimpse:
    """name: of one that another process has made; None makes one. Its maker's `close` ends it."""

    def __init__(self, name: str | None = None) -> None:
        size = _HEAD_BYTES + 2 * CAPACITY * 4
        self._memory = SharedMemory(name, create=name is None, size=size if name is None else 0)
        self._ours = name is None
        self._written = np.ndarray(1, np.int64, self._memory.buf)
        self._figures = np.ndarray(2, np.float64, self._memory.buf, offset=8)
        self._samples = np.ndarray((2, CAPACITY), np.float32, self._memory.buf, _HEAD_BYTES)
        self._taken = int(self._written[0])
        if self._ours:
            self._figures[0] = 1.0

    @property
    def name(self) -> str:
        """For the other process."""
        return self._memory.name

    @property
    def sample_rate(self) -> int:
        """Of what is written now, Hz."""
        return int(self._figures[0])

    @property
    def pitch_shift(self) -> float:
        """Semitones, whoever chose them."""
        return float(self._figures[1])

    def describe(self, sample_rate: int, pitch_shift: float) -> None:
        """The writer's."""
        self._figures[:] = sample_rate, pitch_shift

    def write(self, heard: Wave, said: Wave) -> None:
        """The next block in and out, both (T,); the writer's."""
        at = int(self._written[0])
        places = np.arange(at, at + len(heard)) % CAPACITY
        self._samples[0, places] = heard
        self._samples[1, places] = said
        self._written[0] = at + len(heard)  # last, so that a reader finds the samples

    def read(self) -> tuple[Wave, Wave]:
        """(T,) in and out since the last time, half the ring at most; the reader's."""
        end = int(self._written[0])
        start = max(self._taken, end - CAPACITY // 2)
        self._taken = end
        places = np.arange(start, end) % CAPACITY
        return self._samples[0, places], self._samples[1, places]

    def close(self) -> None:
        """Nothing may be written or read any more."""
        del self._written, self._figures, self._samples
        self._memory.close()
        if self._ours:
            self._memory.unlink()
