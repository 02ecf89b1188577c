"""LiveSession: runs a BlockProcessor between the input and the output of an AudioBackend.

Threads. Backend: runs the Transport, which never waits. Worker (one, ours): waits on a semaphore,
reads one block from `ring_in`, pushes it, writes `ring_out`, publishes stats; owns processor,
resamplers and counters. Caller: start, stop, reads `stats`, assigns `params`.

The latency, in time: | block | processor | resampling | slack: device block + cushion | device |

`ring_out` starts with block + resampling + slack of silence, so a block may be late by the cushion
before anyone hears it. A longer stall is an xrun: silence, counted. It leaves the output late by as
much; once that reaches a block plus a device block (the jitter of two streams), whole input blocks
are dropped, counted. So the output never lags by more than that beyond what is declared. Where
the input loses samples or its clock is slower, the cushion shrinks; the next dropout restores it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, gcd
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.audio import Resampler
from core.config import VoiceParams
from core.errors import ConfigError, VoiceChangerError
from realtime.backend import AudioBackend
from realtime.recorder import Recorder
from realtime.ring import RingBuffer
from realtime.stats import Latency, LiveStats, SessionState, Timings, peak_db
from realtime.transport import FADE, Transport

BAD_BLOCKS_TO_FAIL = 3  # in a row, each after a reset: then the processor is beyond mending
STALL_BLOCKS = 32  # blocks of input the ring keeps for a worker that is late
STALL_SECONDS = 2.0
PATIENCE = 5.0  # seconds an event waits for its predecessor

EventKind = Literal["started", "finished", "failed", "recording_failed", "stopped"]

logger = logging.getLogger(__name__)


class BlockProcessor(Protocol):
    """What turns sound into sound, block by block. An attribute `params`, if any, is set live."""

    sample_rate: int  # Hz
    block: int  # samples per push
    latency: int  # samples the output lags the input

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(block,) -> (block,), always."""

    def reset(self) -> None:
        """Forgets all sound heard; the next push is the first."""


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
        if processor.block < 1:
            raise ConfigError(
                f"a processor's block must be at least 1 sample, got {processor.block}"
            )
        if slack_seconds is not None and slack_seconds < 0:
            raise ConfigError(f"slack_seconds must not be negative, got {slack_seconds}")
        self.processor = processor
        self.backend = backend
        self.params = params or getattr(processor, "params", None) or VoiceParams()
        self.error: BaseException | None = None
        self.recording_error: BaseException | None = None
        self._on_event = on_event
        self._record, self._record_input = record, record_input
        self._warm_up_blocks = warm_up_blocks
        self._plan = _plan(processor, backend, slack_seconds)
        self._state = SessionState.IDLE
        self._stats = LiveStats(latency=self._latency())
        self._lock = threading.Lock()  # guards state changes only
        self._over = threading.Event()
        self._announced = threading.Event()  # `start` has said how it went; then others may speak
        self._thread: threading.Thread | None = None
        self._run: _Run | None = None

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
        if self._run is None:
            return replace(self._stats, state=self._state)
        return self._run.with_counters(self._stats, self._state)

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, timeout: float = 120.0) -> None:
        """Warms up, opens the device, runs. Raises what hindered it, and is FAILED then."""
        with self._lock:
            if self._state not in (SessionState.IDLE, SessionState.FAILED) or self._thread:
                raise VoiceChangerError(f"the session is {self._state.value}; stop it first")
            self._state = SessionState.STARTING
        self.error = self.recording_error = None
        self._stats = LiveStats(latency=self._latency())
        self._over.clear()
        self._announced.clear()
        launched = False
        try:
            run = self._run = _Run(self, self._plan)
            run.open_recorders(self._record, self._record_input)
            self._thread = threading.Thread(target=run.work, name="moksori-worker", daemon=True)
            self._thread.start()
            if not run.warm.wait(timeout):
                raise VoiceChangerError(f"the voice was not ready after {timeout:.0f} s")
            if self._state is SessionState.STARTING:
                self.backend.start(run.transport)
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
            if self._thread is None:
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
        thread, self._thread = self._thread, None
        if self._run is None:
            return
        if thread is not None and thread is not threading.current_thread():
            self._run.finish(time.monotonic() + timeout / 2)
            thread.join(timeout)
            if thread.is_alive():
                message = (
                    f"the worker did not return within {timeout:.0f} s; its thread is left behind"
                )
                self._fail(VoiceChangerError(message))
        self._run.close_recorders()

    def _latency(self) -> Latency:
        """The declared parts, with the device's own as far as it is known."""
        return replace(self._plan.parts, device_ms=1e3 * self.backend.latency)

    def _ended(self, error: BaseException | None) -> None:
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
        if self._run is not None:
            self._run.transport.failed = True
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


@dataclass(frozen=True)
class _Plan:
    """Every length of a session, in device samples, computed once."""

    block: int  # one processor block, rounded up
    prefill: int  # silence ring_out starts with
    latency: int  # input to output, exactly
    late_limit: int  # lateness at which input blocks are dropped
    phase: int  # of the outgoing resampler, so that `latency` is whole
    parts: Latency


def _plan(processor: BlockProcessor, backend: AudioBackend, slack_seconds: float | None) -> _Plan:
    rate, device_block = backend.sample_rate, backend.block
    back = Resampler(processor.sample_rate, rate, "live")
    there = Resampler(rate, processor.sample_rate, "live")
    up, down = back.up, back.down  # device samples = processor samples * up / down
    block = -(-processor.block * up // down)
    cushion = block if slack_seconds is None else ceil(slack_seconds * rate)
    # The last sample of a block is played when the block is complete, back from the processor.
    phase = processor.latency * up % down
    if up == down:
        waiting = block - gcd(block, device_block)
    else:
        delays = there.delay * down + back.delay * up + phase
        waiting = ((processor.block - 1) * up + delays) // down
    prefill = waiting + device_block + cushion
    lag = processor.latency * up // down
    latency = prefill + lag
    resampling = there.delay + back.delay * up / down
    ms = 1e3 / rate
    parts = Latency(
        block_ms=1e3 * processor.block / processor.sample_rate,
        processor_ms=1e3 * processor.latency / processor.sample_rate,
        resampling_ms=resampling * ms,
    )
    parts = replace(parts, slack_ms=latency * ms - parts.total_ms)
    return _Plan(block, prefill, latency, block + device_block, phase, parts)


class _Run:
    """What lives from start to stop: rings, resamplers, recorders, counters. The worker's own."""

    def __init__(self, session: LiveSession, plan: _Plan) -> None:
        self._session = session
        self._plan = plan
        self._processor = session.processor
        backend = session.backend
        rate, own_rate = backend.sample_rate, self._processor.sample_rate
        stall = max(STALL_BLOCKS * plan.block, ceil(STALL_SECONDS * rate)) + 2 * backend.block
        ring_in = RingBuffer(stall)
        ring_out = RingBuffer(plan.prefill + 8 * plan.block + 8 * backend.block)
        ring_out.write(np.zeros(plan.prefill, np.float32))
        self.transport = Transport(ring_in, ring_out, backend.block, plan.latency, session._ended)
        self.warm = threading.Event()
        self._resample_in = Resampler(rate, own_rate, "live")
        self._resample_out = Resampler(own_rate, rate, "live", plan.phase)
        self._surplus = np.zeros(0, np.float32)  # resampled input beyond the last whole block
        self._read = 0  # device samples pushed into the incoming resampler
        self._blocks = 0
        self._skipped = 0
        self._padded = 0  # silence written to give the cushion back
        self._xruns = 0  # dropouts dealt with
        self._resuming = False  # the next block follows such silence: fade in
        self._bad_blocks = 0
        self._bad_in_a_row = 0
        self._timings = Timings()
        self._recorder: Recorder | None = None
        self._input_recorder: Recorder | None = None
        self._stop = threading.Event()
        self._deadline = 0.0

    def open_recorders(self, output: str | Path | None, source: str | Path | None) -> None:
        if output is not None:
            self._recorder = Recorder(output, self._processor.sample_rate)
        if source is not None:
            self._input_recorder = Recorder(source, self._processor.sample_rate)

    def close_recorders(self) -> None:
        for recorder in (self._recorder, self._input_recorder):
            if recorder is not None:
                recorder.close()
        self._report_recording()

    def finish(self, deadline: float) -> None:
        """Asks the worker to take the blocks that are there and return, by `deadline` at most."""
        self._deadline = deadline
        self._stop.set()
        self.transport.wake.release()

    def work(self) -> None:
        """The worker thread."""
        try:
            self._warm_up()
            self.warm.set()
            while not self._stop.is_set() and not self.transport.failed:
                self.transport.wake.acquire(timeout=0.1)
                calls = self.transport.calls
                self._drain()
                self.transport.mark_settled(calls)
            self._drain()
        except BaseException as error:
            self._session._fail(error, quiet=not self.warm.is_set())
            self._publish()
        finally:
            self.warm.set()
            self.transport.mark_settled(self.transport.calls)

    def with_counters(self, stats: LiveStats, state: SessionState) -> LiveStats:
        """`stats` with what the callback has counted since. Any thread."""
        transport = self.transport
        return replace(
            stats,
            state=state,
            xruns=transport.xruns,
            silent_samples=transport.silent + self._padded,
            device_xruns=transport.input_errors + transport.output_errors,
            dropped_samples=self._dropped,
            late_samples=self._late,
        )

    @property
    def _dropped(self) -> int:
        return self._skipped + self.transport.ring_in.dropped + self.transport.ring_out.dropped

    @property
    def _late(self) -> int:
        """Samples the output lags beyond the declared latency; negative: the cushion is eaten."""
        return self.transport.late + self._padded - self._dropped

    def _warm_up(self) -> None:
        self._hand_over_params()
        self._processor.reset()
        for _ in range(self._session._warm_up_blocks):
            self._push(np.zeros(self._processor.block, np.float32))
        self._processor.reset()
        self._bad_blocks = self._bad_in_a_row = 0

    def _drain(self) -> None:
        """Takes every whole block there is; after `finish` only until the deadline."""
        ring = self.transport.ring_in
        while not self.transport.failed:
            needed = (
                self._resample_in.needed((self._blocks + 1) * self._processor.block) - self._read
            )
            if ring.available < needed:
                return
            if self._stop.is_set() and time.monotonic() > self._deadline:
                return
            self._refill()
            if self._late >= self._plan.late_limit:
                self._skipped += ring.skip(self._plan.block)
            else:
                self._step(needed)

    def _refill(self) -> None:
        """Makes a dropout long enough to give the cushion back, if the input had lost samples.

        Else, after an input that stalled or whose clock is slower, every jitter would be a dropout.
        """
        if self.transport.xruns == self._xruns:
            return
        self._xruns = self.transport.xruns
        if self._late < -self._session.backend.block:  # less is the jitter of two streams
            silence = np.zeros(-self._late, np.float32)
            self._padded += self.transport.ring_out.write(silence)
            self._resuming = True

    def _step(self, needed: int) -> None:
        started = time.perf_counter()
        taken = np.empty(needed, np.float32)
        self.transport.ring_in.read(taken)
        self._read += needed
        if not np.isfinite(taken).all():  # a device gone wrong; one NaN would stay in every state
            taken = np.nan_to_num(taken, nan=0.0, posinf=0.0, neginf=0.0)
        resampled = self._resample_in.push(taken)
        if len(self._surplus):
            resampled = np.concatenate([self._surplus, resampled])
        block, self._surplus = (
            resampled[: self._processor.block],
            resampled[self._processor.block :],
        )
        if self._input_recorder is not None:
            self._input_recorder.put(block.copy())
        self._hand_over_params()
        out = self._push(block)
        played = self._resample_out.push(out)
        if self._resuming and len(played):
            self._resuming = False
            fade = min(FADE, len(played))
            played[:fade] *= np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        self.transport.ring_out.write(played)
        self._blocks += 1
        self._timings.add(time.perf_counter() - started)
        if self._recorder is not None:
            self._recorder.put(out.copy())
        self._report_recording()
        self._publish(peak_db(taken), peak_db(out))

    def _hand_over_params(self) -> None:
        if hasattr(self._processor, "params"):
            self._processor.params = self._session.params

    def _push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The processor's block, checked. NaN: silence and a reset; three in a row: an error."""
        out = self._processor.push(block)
        if out.shape != block.shape:
            raise VoiceChangerError(
                f"{type(self._processor).__name__}.push gave shape {out.shape} for a block of "
                f"{len(block)} samples; it must give as many as it gets"
            )
        if np.isfinite(out).all():
            self._bad_in_a_row = 0
            return out.astype(np.float32, copy=False)
        self._bad_blocks += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= BAD_BLOCKS_TO_FAIL:
            raise VoiceChangerError(
                f"{type(self._processor).__name__} gave NaN or infinite samples in "
                f"{self._bad_in_a_row} blocks in a row, in spite of resets; use another voice"
            )
        self._processor.reset()
        return np.zeros_like(block)

    def _report_recording(self) -> None:
        if self._session.recording_error is not None:
            return
        for recorder in (self._recorder, self._input_recorder):
            if recorder is not None and recorder.error is not None:
                self._session.recording_error = recorder.error
                self._session._emit("recording_failed", recorder.error)

    def _publish(self, input_db: float | None = None, output_db: float | None = None) -> None:
        p50, p95, p99 = self._timings.quantiles(0.50, 0.95, 0.99)
        old = self._session._stats
        self._session._stats = replace(
            old,
            blocks=self._blocks,
            bad_blocks=self._bad_blocks,
            p50_ms=1e3 * p50,
            p95_ms=1e3 * p95,
            p99_ms=1e3 * p99,
            max_ms=1e3 * self._timings.worst,
            rtf=self._timings.mean() * self._processor.sample_rate / self._processor.block,
            input_db=old.input_db if input_db is None else input_db,
            output_db=old.output_db if output_db is None else output_db,
            latency=self._session._latency(),
        )
