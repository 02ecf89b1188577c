"""Writes a session's sound to a file from its own thread, so that a slow disk stops nothing.

The worker puts blocks into a bounded queue and never waits; the writer thread alone has the file.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio import AudioWriter
from core.errors import VoiceChangerError

QUEUE_BLOCKS = 2048  # at 46 ms a block: a disk may sleep for a minute and a half


class Recorder:
    """One growing file, mono, at the processor's rate. It gets its name when `close` succeeds.

    `error` tells why writing stopped, `dropped` how many samples a disk too slow has cost.
    """

    def __init__(self, path: str | Path, sample_rate: int) -> None:
        self.path = Path(path)
        self.error: VoiceChangerError | None = None
        self.dropped = 0
        self._writer = AudioWriter(path, sample_rate)
        self._queue: queue.Queue[NDArray[np.float32] | None] = queue.Queue(QUEUE_BLOCKS)
        self._thread = threading.Thread(target=self._run, name="moksori-recorder", daemon=True)
        self._thread.start()

    def put(self, block: NDArray[np.float32]) -> None:
        """Hands over a block (T,), which must not change afterwards. Never waits."""
        try:
            self._queue.put_nowait(block)
        except queue.Full:
            self.dropped += len(block)

    def close(self, timeout: float = 30.0) -> None:
        """Writes what is queued and completes the file; afterwards `error` is final."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(timeout)
        if self._thread.is_alive() and self.error is None:
            self.error = VoiceChangerError(
                f"{self.path}: the disk did not take the recording within {timeout:.0f} s"
            )

    def _run(self) -> None:
        try:
            written = 0
            while (block := self._queue.get()) is not None:
                self._writer.write(block)
                written += len(block)
            if written:
                self._writer.close()
            else:  # a session that never ran costs no older recording
                self._writer.abort()
        except VoiceChangerError as error:
            self.error = error
            while self._queue.get() is not None:  # keep emptying, so that `close` returns
                pass


class Recordings:
    """The processor's output and input on files, or on none."""

    def __init__(
        self, output: str | Path | None, source: str | Path | None, sample_rate: int
    ) -> None:
        self._output = self._source = None
        self._told = False
        if output is not None:
            self._output = Recorder(output, sample_rate)
        if source is not None:
            self._source = Recorder(source, sample_rate)

    def put(self, heard: NDArray[np.float32], made: NDArray[np.float32]) -> None:
        """The next blocks (T,); they may change afterwards."""
        if self._source is not None:
            self._source.put(heard.copy())
        if self._output is not None:
            self._output.put(made.copy())

    def news(self) -> VoiceChangerError | None:
        """The first error, once."""
        if self._told:
            return None
        for recorder in (self._output, self._source):
            if recorder is not None and recorder.error is not None:
                self._told = True
                return recorder.error
        return None

    def close(self) -> None:
        """Completes the files."""
        for recorder in (self._output, self._source):
            if recorder is not None:
                recorder.close()
