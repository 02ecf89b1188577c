"""LiveSession: runs a BlockProcessor between the input and the output of an AudioBackend.

Threads. Backend: runs the Transport, which never waits. Worker (one, ours): see `worker.py`.
Caller: start, stop, switch, reads `stats`, assigns `params` and `sound`. Rescuer (ours, while a
device is lost): opens it again; the processor stays as it is, warm.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import ConfigError, DeviceError, MisfitError, VoiceChangerError
from realtime.backend import AudioBackend
from realtime.chain import Chain
from realtime.plan import BlockProcessor, plan_session
from realtime.priority import calm_collector, real_time
from realtime.recorder import Recordings
from realtime.sound import Mode, SoundParams
from realtime.stats import LiveStats, SessionState
from realtime.worker import Worker

Wave = NDArray[np.float32]

PATIENCE = 5.0  # seconds an event waits for its predecessor
FIRST_RETRY, LAST_RETRY = 0.1, 0.8  # seconds between attempts to open a lost device, doubling

EventKind = Literal[
    "started", "lost", "resumed", "finished", "failed", "recording_failed", "switched", "stopped"
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SessionEvent:
    """finished: a finite input is over and has been played. lost: a device has gone, the session
    waits for it; resumed: it is back. switched: another voice is heard. The others speak for
    themselves.
    """

    kind: EventKind
    error: BaseException | None = None


class LiveSession:
    """A live run: IDLE -> STARTING -> RUNNING -> STOPPING -> IDLE; FAILED from anywhere.

    params: assign a VoiceParams at any time; the next block hears it. sound: the same with gains,
    limiter, pass-through and mute.
    slack_seconds: the output cushion for compute and jitter; None is one block.
    bypass: what is heard while the machine is too slow for the voice: "mute", or the input, "dry".
    on_event: called from the thread where it happens; must return soon and must not call `stop`.
    on_block: called by the worker with every block in and out, (T,) each at the processor's rate;
    must return at once, and copy what it keeps.
    record, record_input: files for the processor's output and input from the first block on,
    complete after `stop`; see also `start_recording`.
    """

    def __init__(
        self,
        processor: BlockProcessor,
        backend: AudioBackend,
        *,
        params: VoiceParams | None = None,
        sound: SoundParams | None = None,
        slack_seconds: float | None = None,
        bypass: Mode = "mute",
        on_event: Callable[[SessionEvent], None] | None = None,
        on_block: Callable[[Wave, Wave], None] | None = None,
        record: str | Path | None = None,
        record_input: str | Path | None = None,
        warm_up_blocks: int = 3,
    ) -> None:
        if bypass not in ("dry", "mute"):
            raise ConfigError(f'bypass must be "dry" or "mute", got "{bypass}"')
        self.processor = processor
        self.backend = backend
        self.params = params or getattr(processor, "params", None) or VoiceParams()
        self.sound = sound or SoundParams()
        self.error: BaseException | None = None
        self.recording_error: BaseException | None = None
        self._bypass, self._slack_seconds = bypass, slack_seconds
        self._steps: int = getattr(processor, "steps", 1)  # wanted; the worker may lower them
        self._on_event, self._on_block = on_event, on_block
        self._calmed = False  # the collector, by us
        self._record, self._record_input = record, record_input
        self._warm_up_blocks = warm_up_blocks
        self._plan = plan_session(processor, backend, slack_seconds)
        self._state = SessionState.IDLE
        self._lock = threading.Lock()  # guards state changes only
        self._over = threading.Event()
        self._announced = threading.Event()  # `start` has said how it went; then others may speak
        self._running = False  # between `start` and `stop`
        self._ending = threading.Event()  # `stop` has been called
        self._rescuer: threading.Thread | None = None
        self._lost_again = False  # while it was opened
        self._recordings: Recordings | None = None
        self._worker: Worker | None = None
        self._past = LiveStats()  # counts of workers before this one

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
        return replace(self._worker.stats.after(self._past), state=self._state)

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
        self._past = LiveStats()
        for flag in (self._over, self._announced, self._ending):
            flag.clear()
        launched = False
        try:
            rate = self.processor.sample_rate
            self._recordings = Recordings(self._record, self._record_input, rate)
            self._worker = self._make_worker(self._recordings, self._warm_up_blocks)
            launched = self._launch(self._worker, timeout, SessionState.STARTING)
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
        self._ending.set()
        if self._rescuer is not None:
            self._rescuer.join(2 * timeout)
        self._close(timeout)
        with self._lock:
            if self._state is SessionState.STOPPING:
                self._state = SessionState.IDLE
        self._emit("stopped", self.error)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until a finite input has been played or the session failed. False on timeout."""
        return self._over.wait(timeout)

    def switch(self, load: Callable[[], BlockProcessor]) -> None:
        """Another voice takes over while sound runs: `load` makes it and it is warmed up, both in
        the caller's thread, which should not be the GUI's.

        It has to have the same rate, block and latency, else a MisfitError tells. It fades in
        without a gap ("switched"). An error of `load` is raised here, and the old voice goes on.
        """
        following = load()
        for name in ("sample_rate", "block", "latency"):
            now, then = getattr(self.processor, name), getattr(following, name)
            if now != then:
                raise MisfitError(
                    f"the other voice has a {name} of {then}, this one {now}; stop the session and"
                    " start it with the other"
                )
        own = getattr(following, "params", self.params)
        Chain(following, "mute", self.sound).warm_up(self._warm_up_blocks, own)
        worker = self._worker
        if worker is None or self._state is not SessionState.RUNNING:
            raise VoiceChangerError(f"the session is {self._state.value}; start it first")
        worker.switch_to(following)

    def start_recording(
        self, output: str | Path | None = None, source: str | Path | None = None
    ) -> None:
        """From the next block on the processor's output or input, or both, go to new files.

        Raises where one cannot be made, one is being written, or the session does not run.
        """
        if self._recordings is None or self._state not in (SessionState.RUNNING, SessionState.LOST):
            raise VoiceChangerError(f"the session is {self._state.value}; start it first")
        self._recordings.start(output, source)

    def stop_recording(self) -> None:
        """Completes the files, while sound goes on; waits for the disk. Harmless without any."""
        if self._recordings is not None and (trouble := self._recordings.stop()) is not None:
            self.recording_failed(trouble)

    def _make_worker(self, recordings: Recordings, warm_up_blocks: int) -> Worker:
        return Worker(
            self.processor,
            self.backend,
            self._plan,
            self,
            recordings,
            warm_up_blocks=warm_up_blocks,
            steps=self._steps,
            bypass=self._bypass,
        )

    def _launch(self, worker: Worker, timeout: float, expected: SessionState) -> bool:
        """The backend runs on a worker. False if the state is no longer as expected."""
        with real_time() if self.backend.reopens else nullcontext():  # a file has time
            worker.start()
            if not worker.warm.wait(timeout):
                raise VoiceChangerError(f"the voice was not ready after {timeout:.0f} s")
            if self._state is not expected:
                return False
            if self.backend.reopens:
                calm_collector()
                self._calmed = True
            self.backend.start(worker.transport)
        return True

    def _close(self, timeout: float) -> None:
        try:
            self.backend.stop()
        except Exception as error:  # a device may refuse to close; the rest must still end
            self._fail(error)
        self._running = False
        if self._calmed:
            gc.unfreeze()
            self._calmed = False
        if self._worker is not None and not self._worker.finish(timeout):
            message = f"the worker did not return within {timeout:.0f} s; its thread is left behind"
            self._fail(VoiceChangerError(message))
        if hasattr(self.processor, "steps"):
            self.processor.steps = self._steps
        self.stop_recording()

    def block_made(self, heard: Wave, made: Wave) -> None:
        """A block is done (the worker's thread)."""
        if self._on_block is not None:
            self._on_block(heard, made)

    def worker_failed(self, error: BaseException) -> None:
        """The worker has died (its thread)."""
        self._fail(error, quiet=self._worker is None or not self._worker.warm.is_set())

    def recording_failed(self, error: VoiceChangerError) -> None:
        """A recording has ended before its time (the worker's thread); the sound goes on."""
        self.recording_error = error
        self._emit("recording_failed", error)

    def switched(self, processor: BlockProcessor) -> None:
        """Another voice is heard (the worker's thread)."""
        self.processor = processor
        self.params = getattr(processor, "params", self.params)
        self._emit("switched")

    def input_ended(self, error: BaseException | None) -> None:
        """The backend's last word (its thread)."""
        if isinstance(error, DeviceError) and self.backend.reopens:
            self._lose(error)
            return
        if error is not None:
            self._fail(error)
        else:
            self._announced.wait(PATIENCE)
            self._emit("finished")
        self._over.set()

    def _lose(self, error: DeviceError) -> None:
        with self._lock:
            lost = self._state in (SessionState.RUNNING, SessionState.STARTING)
            self._lost_again = not lost
            if lost:
                self._state = SessionState.LOST
        if lost:
            self._rescuer = threading.Thread(
                target=self._rescue, args=(error,), name="moksori-rescuer", daemon=True
            )
            self._rescuer.start()

    def _rescue(self, error: DeviceError) -> None:
        """Until the device is back, or `stop` (the rescuer's thread)."""
        self._announced.wait(PATIENCE)
        self._emit("lost", error)
        try:
            assert self._worker is not None
            self._put_down(self._worker)
            delay = FIRST_RETRY
            while not self._ending.is_set():
                if self._reopen():
                    self._emit("resumed")
                    return
                self._ending.wait(delay)
                delay = min(2 * delay, LAST_RETRY)
        except Exception as caught:  # what a driver can do: the session reports it
            self._fail(caught)

    def _put_down(self, worker: Worker) -> None:
        try:
            self.backend.stop()
        except DeviceError as error:  # a lost device may never close
            logger.warning("%s; going on beside it", error)
        if not worker.finish(PATIENCE):
            raise VoiceChangerError("the worker did not return after its device was lost")

    def _reopen(self) -> bool:
        """One attempt. The processor goes on where it is, having forgotten the sound before."""
        assert self._worker is not None
        assert self._recordings is not None
        self._lost_again = False
        try:
            self.backend.refresh()
            self._plan = plan_session(self.processor, self.backend, self._slack_seconds)
            worker = self._make_worker(self._recordings, 0)
        except DeviceError as error:
            logger.debug("not yet: %s", error)
            return False
        past = self._worker.stats.after(self._past)
        try:
            self._launch(worker, PATIENCE, SessionState.LOST)
        except DeviceError as error:
            logger.debug("not yet: %s", error)
            self._put_down(worker)
            return False
        self._worker, self._past = worker, replace(past, reopened=past.reopened + 1)
        with self._lock:
            back = self._state is SessionState.LOST and not self._lost_again
            if back:
                self._state = SessionState.RUNNING
        if not back:
            self._put_down(worker)
        return back

    def _fail(self, error: BaseException, quiet: bool = False) -> None:
        """The first failure counts; later ones are only logged."""
        with self._lock:
            first = self.error is None
            if first:
                self.error = error
            self._state = SessionState.FAILED
        if self._worker is not None:
            self._worker.transport.fail()
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
