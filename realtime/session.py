"""LiveSession: runs a BlockProcessor between the input and the output of an AudioBackend.

Threads. Backend: runs the Transport, which never waits. Worker (one, ours): see `worker.py`.
Caller: start, stop, reads `stats`, assigns `params`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.config import VoiceParams
from core.errors import VoiceChangerError
from realtime.backend import AudioBackend
from realtime.plan import BlockProcessor, plan_session
from realtime.stats import LiveStats, SessionState
from realtime.worker import Worker

PATIENCE = 5.0  # seconds an event waits for its predecessor

EventKind = Literal["started", "finished", "failed", "recording_failed", "stopped"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SessionEvent:
    """finished: a finite input is over and has been played. The others speak for themselves."""

    kind: EventKind
    error: BaseException | None = None


class LiveSession:
    """A live run: IDLE -> STARTING -> RUNNING -> STOPPING -> IDLE; FAILED from anywhere.

    params: assign a VoiceParams at any time; the next block hears it.
    slack_seconds: the output cushion for compute and jitter; None is one block.
    on_event: called from the thread where it happens; must return soon and must not call `stop`.
    record, record_input: files for the processor's output and input, complete after `stop`.
    """

    def __init__(
        self,
        processor: BlockProcessor,
        backend: AudioBackend,
        *,
        params: VoiceParams | None = None,
        slack_seconds: float | None = None,
        on_event: Callable[[SessionEvent], None] | None = None,
        record: str | Path | None = None,
        record_input: str | Path | None = None,
        warm_up_blocks: int = 3,
    ) -> None:
        self.processor = processor
        self.backend = backend
        self.params = params or getattr(processor, "params", None) or VoiceParams()
        self.error: BaseException | None = None
        self.recording_error: BaseException | None = None
        self._on_event = on_event
        self._record, self._record_input = record, record_input
        self._warm_up_blocks = warm_up_blocks
        self._plan = plan_session(processor, backend, slack_seconds)
        self._state = SessionState.IDLE
        self._lock = threading.Lock()  # guards state changes only
        self._over = threading.Event()
        self._announced = threading.Event()  # `start` has said how it went; then others may speak
        self._running = False  # between `start` and `stop`
        self._worker: Worker | None = None

    @property
    def state(self) -> SessionState:
        """Where the session is in its life."""
        return self._state

    @property
    def latency(self) -> int:
        """Samples at the device's rate from input to output, without the device's own latency."""
        return self._plan.latency

    @property
    def stats(self) -> LiveStats:
        """The latest snapshot; cheap, from any thread. Stays after `stop`."""
        if self._worker is None:
            latency = self._plan.declared(self.backend.latency)
            return LiveStats(state=self._state, latency=latency)
        return replace(self._worker.stats, state=self._state)

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, timeout: float = 120.0) -> None:
        """Warms up, opens the device, runs. Raises what hindered it, and is FAILED then."""
        with self._lock:
            if self._state not in (SessionState.IDLE, SessionState.FAILED) or self._running:
                raise VoiceChangerError(f"the session is {self._state.value}; stop it first")
            self._state = SessionState.STARTING
            self._running = True
        self.error = self.recording_error = None
        self._over.clear()
        self._announced.clear()
        launched = False
        try:
            worker = self._worker = Worker(
                self.processor, self.backend, self._plan, self, self._warm_up_blocks
            )
            worker.open_recorders(self._record, self._record_input)
            worker.start()
            if not worker.warm.wait(timeout):
                raise VoiceChangerError(f"the voice was not ready after {timeout:.0f} s")
            if self._state is SessionState.STARTING:
                self.backend.start(worker.transport)
                launched = True
        except BaseException as caught:
            self._fail(caught, quiet=True)
        with self._lock:
            stopped = self._state in (SessionState.STOPPING, SessionState.IDLE)
            if self._state is SessionState.STARTING:
                self._state = SessionState.RUNNING
        if launched and not stopped:
            self._emit("started")
            self._announced.set()
            return
        self._announced.set()
        self._close(5.0)
        error = self.error or VoiceChangerError("the session was stopped while it started")
        self._emit("failed", error)
        raise error

    def stop(self, timeout: float = 5.0) -> None:
        """Ends device, worker and recordings, in this order. FAILED stays FAILED; never hangs."""
        with self._lock:
            if not self._running:
                return
            if self._state is not SessionState.FAILED:
                self._state = SessionState.STOPPING
        self._close(timeout)
        with self._lock:
            if self._state is SessionState.STOPPING:
                self._state = SessionState.IDLE
        self._emit("stopped", self.error)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until a finite input has been played or the session failed. False on timeout."""
        return self._over.wait(timeout)

    def _close(self, timeout: float) -> None:
        try:
            self.backend.stop()
        except Exception as error:  # a device may refuse to close; the rest must still end
            self._fail(error)
        self._running = False
        if self._worker is None:
            return
        if not self._worker.finish(timeout):
            message = f"the worker did not return within {timeout:.0f} s; its thread is left behind"
            self._fail(VoiceChangerError(message))
        self._worker.close_recorders()

    def worker_failed(self, error: BaseException) -> None:
        """The worker has died (its thread)."""
        self._fail(error, quiet=self._worker is None or not self._worker.warm.is_set())

    def recording_failed(self, error: VoiceChangerError) -> None:
        """A recording has ended before its time (the worker's thread); the sound goes on."""
        self.recording_error = error
        self._emit("recording_failed", error)

    def input_ended(self, error: BaseException | None) -> None:
        """The backend's last word (its thread)."""
        if error is not None:
            self._fail(error)
        else:
            self._announced.wait(PATIENCE)
            self._emit("finished")
        self._over.set()

    def _fail(self, error: BaseException, quiet: bool = False) -> None:
        """The first failure counts; later ones are only logged."""
        with self._lock:
            first = self.error is None
            if first:
                self.error = error
            self._state = SessionState.FAILED
        if self._worker is not None:
            self._worker.transport.failed = True
        if not first:
            logger.warning("after the session had failed: %s", error)
        elif not quiet:
            self._announced.wait(PATIENCE)
            self._emit("failed", error)
        self._over.set()

    def _emit(self, kind: EventKind, error: BaseException | None = None) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(SessionEvent(kind, error))
        except Exception:  # a listener's fault must not end the sound
            logger.exception("on_event failed on %s", kind)
