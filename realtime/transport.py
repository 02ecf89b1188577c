"""The callback side of a session: two rings, a mono mix, counters. It copies, counts and returns.

Threads: the input half runs in the backend's input thread, the output half in its output thread
(often the same one). `ring_in` is written here and read by the worker; `ring_out` the other way
round. Every counter has one writer. The only lock touched is the semaphore that wakes the worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from realtime.backend import AudioBlock
from realtime.ring import RingBuffer

FADE = 64  # samples from sound to silence and back: 1.3 ms at 48 kHz


class Transport:
    """The AudioCallback of a LiveSession."""

    def __init__(
        self,
        ring_in: RingBuffer,
        ring_out: RingBuffer,
        block: int,
        latency: int,
        on_ended: Callable[[BaseException | None], None],
    ) -> None:
        self.ring_in, self.ring_out = ring_in, ring_out
        self.latency = latency
        self.failed = False  # session's: from now on play silence
        self.wake = threading.Semaphore(0)
        self.calls = 0  # input half's: callbacks so far
        self.captured = 0  # input half's: samples offered
        self.input_errors = 0
        self.played = 0  # output half's: samples asked for
        self.silent = 0  # output half's: of these, how many were silence for want of a block
        self.xruns = 0  # output half's: stretches of such silence
        self.output_errors = 0
        self._on_ended = on_ended
        self._input_seen = False
        self._output_seen = False
        self._starving = False
        self._last = 0.0  # the last sample played, where a fade to silence begins
        self._scratch_in = np.zeros(max(block, 1), np.float32)
        self._scratch_out = np.zeros(max(block, 1), np.float32)
        self._settled_calls = 0  # worker's: callbacks whose input it has dealt with
        self._settled = threading.Event()

    def __call__(
        self, indata: AudioBlock | None, outdata: AudioBlock | None, status: str | None
    ) -> None:
        """See AudioCallback. Nothing is kept or played until both halves have been called once."""
        if outdata is not None:
            self._output_seen = True
        if indata is not None:
            self._input_seen = True
            if status:
                self.input_errors += 1
            if self._output_seen:
                self._take(indata)
        if outdata is not None:
            if status and indata is None:
                self.output_errors += 1
            if self._input_seen:
                self._play(outdata)
            else:
                outdata[:] = 0
        if indata is not None:  # last, so that a virtual clock's worker starts after both halves
            self.calls += 1
            self.wake.release()

    def settle(self, timeout: float) -> bool:
        """See AudioCallback."""
        while not self.failed and self._settled_calls != self.calls:
            self._settled.clear()
            if self.failed or self._settled_calls == self.calls:
                return True
            if not self._settled.wait(timeout):
                return False
        return True

    def ended(self, error: BaseException | None) -> None:
        """See AudioCallback."""
        self._on_ended(error)

    def mark_settled(self, calls: int) -> None:
        """The worker has taken all it could of the first `calls` callbacks (or died)."""
        self._settled_calls = calls
        self._settled.set()

    @property
    def late(self) -> int:
        """Samples the output lags beyond the declared latency, not counting dropped input."""
        return self.silent + self.captured - self.played

    def _take(self, indata: AudioBlock) -> None:
        for at in range(0, len(indata), len(self._scratch_in)):
            part = indata[at : at + len(self._scratch_in)]
            mono = self._scratch_in[: len(part)]
            if part.shape[1] == 1:
                mono[:] = part[:, 0]
            else:
                np.mean(part, axis=1, out=mono)
            self.ring_in.write(mono)
        self.captured += len(indata)

    def _play(self, outdata: AudioBlock) -> None:
        for at in range(0, len(outdata), len(self._scratch_out)):
            part = outdata[at : at + len(self._scratch_out)]
            mono = self._scratch_out[: len(part)]
            self._fill(mono)
            part[:] = mono[:, None]
        self.played += len(outdata)

    def _fill(self, mono: NDArray[np.float32]) -> None:
        """Takes from ring_out what there is; the rest fades from the last sample to silence."""
        got = 0 if self.failed else self.ring_out.read(mono)
        if got and self._starving:
            self._starving = False
            fade = min(FADE, got)
            mono[:fade] *= np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        if got:
            self._last = float(mono[got - 1])
        missing = len(mono) - got
        if missing:
            mono[got:] = 0
            fade = min(FADE, missing)
            mono[got : got + fade] = np.linspace(self._last, 0, fade + 1)[1:]
            self._last = 0.0
            if not self.failed:
                self.silent += missing
                self.xruns += not self._starving
            self._starving = True
