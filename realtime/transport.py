"""The callback side of a session: rings, a mono mix, counters. It copies, counts and returns.

Threads: the input half runs in the backend's input thread, the output half in its output thread
(often the same one), the monitor in a third. `ring_in` is written here and read by the worker; the
players' rings the other way round. Every counter has one writer. No lock is waited for: `wake` is
released only, which returns at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from realtime.backend import AudioBackend, AudioBlock
from realtime.player import Player
from realtime.ring import RingBuffer


class Transport:
    """The AudioCallback of a LiveSession."""

    def __init__(
        self,
        ring_in: RingBuffer,
        player: Player,
        monitor: Player | None,
        backend: AudioBackend,
        latency: int,
        on_ended: Callable[[BaseException | None], None],
    ) -> None:
        self.ring_in, self.player = ring_in, player
        self.latency = latency
        self.calls = 0  # input half's: callbacks so far
        self.input_errors = 0
        self.output_errors = 0  # output half's
        self._captured = 0  # input half's: samples offered
        self._heard_at = (0, 0.0)  # so many, at that time
        self._played_at = (0, 0.0)
        self._monitor = monitor
        self._now = backend.now
        self._rate, self._input_rate = backend.sample_rate, backend.input_rate
        self._failed = False
        self._on_ended = on_ended
        self._input_seen = False
        self._output_seen = False
        self._scratch = np.zeros(max(backend.input_block, 1), np.float32)
        self._wake = threading.Lock()  # locked: nothing to do
        self._wake.acquire()
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
                self.player.play(outdata)
                self._played_at = (self.player.played, self._now())
            else:
                outdata[:] = 0
        if indata is not None:  # last, so that a virtual clock's worker starts after both halves
            self.calls += 1
            self.rouse()

    def monitor(self, outdata: AudioBlock) -> None:
        """See AudioCallback."""
        if self._monitor is None or not self._input_seen:
            outdata[:] = 0
        else:
            self._monitor.play(outdata)

    @property
    def failed(self) -> bool:
        """See AudioCallback."""
        return self._failed

    def fail(self) -> None:
        """From now on silence is played (the session's)."""
        self._failed = self.player.muted = True
        if self._monitor is not None:
            self._monitor.muted = True

    def rouse(self) -> None:
        """Wakes the worker; at once, and harmless when it is awake."""
        if self._wake.locked():
            try:
                self._wake.release()
            except RuntimeError:  # `finish` has just done so
                return

    def doze(self, seconds: float) -> None:
        """The worker's: until roused, or for so long."""
        self._wake.acquire(timeout=seconds)

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

    def gap(self) -> float:
        """Output samples that the input's clock is ahead of the output's, between callbacks, too.

        Nothing is known before both halves have been called: 0.
        """
        (captured, heard), (played, spoken) = self._heard_at, self._played_at
        if not captured or not played:
            return 0.0
        return captured * self._rate / self._input_rate - played + (spoken - heard) * self._rate

    def _take(self, indata: AudioBlock) -> None:
        for at in range(0, len(indata), len(self._scratch)):
            part = indata[at : at + len(self._scratch)]
            mono = self._scratch[: len(part)]
            if part.shape[1] == 1:
                mono[:] = part[:, 0]
            else:
                np.mean(part, axis=1, out=mono)
            self.ring_in.write(mono)
        self._captured += len(indata)
        self._heard_at = (self._captured, self._now())
