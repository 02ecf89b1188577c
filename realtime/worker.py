"""The worker: the thread of a session that turns input blocks into output blocks.

It waits on a semaphore, reads one block from `ring_in`, pushes it, writes `ring_out`, publishes
stats; owns the processor, the resamplers and the counters. Only `start`, `finish`, `stats` and the
recorders' opening and closing belong to the caller.

`ring_out` starts with block + resampling + slack of silence, so a block may be late by the cushion
before anyone hears it. A longer stall is an xrun: silence, counted. It leaves the output late by as
much; once that reaches a block plus a device block (the jitter of two streams), whole input blocks
are dropped, counted. So the output never lags by more than that beyond what is declared. Where
the input loses samples or its clock is slower, the cushion shrinks; the next dropout restores it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import VoiceChangerError
from core.resampler import Resampler
from realtime.backend import AudioBackend
from realtime.plan import BlockProcessor, SessionPlan
from realtime.recorder import Recorder
from realtime.ring import RingBuffer
from realtime.stats import LiveStats, Timings, peak_db
from realtime.transport import FADE, Transport

BAD_BLOCKS_TO_FAIL = 3  # in a row, each after a reset: then the processor is beyond mending
STALL_BLOCKS = 32  # blocks of input the ring keeps for a worker that is late
STALL_SECONDS = 2.0


class Listener(Protocol):
    """Whom a worker works for. Called from its threads; must return soon."""

    params: VoiceParams  # read once per block

    def worker_failed(self, error: BaseException) -> None:
        """The worker has died."""

    def recording_failed(self, error: VoiceChangerError) -> None:
        """A recorder has died; the sound goes on."""

    def input_ended(self, error: BaseException | None) -> None:
        """The backend's last word, see AudioCallback.ended (its thread)."""


class Worker:
    """What lives from start to stop: rings, resamplers, recorders, counters, one thread.

    transport: the AudioCallback to hand to the backend once `warm` is set.
    """

    def __init__(
        self,
        processor: BlockProcessor,
        backend: AudioBackend,
        plan: SessionPlan,
        listener: Listener,
        warm_up_blocks: int,
    ) -> None:
        self._processor, self._backend = processor, backend
        self._plan, self._listener = plan, listener
        self._warm_up_blocks = warm_up_blocks
        rate, own_rate = backend.sample_rate, processor.sample_rate
        stall = max(STALL_BLOCKS * plan.block, ceil(STALL_SECONDS * rate)) + 2 * backend.block
        ring_in = RingBuffer(stall)
        ring_out = RingBuffer(plan.prefill + 8 * plan.block + 8 * backend.block)
        ring_out.write(np.zeros(plan.prefill, np.float32))
        self.transport = Transport(
            ring_in, ring_out, backend.block, plan.latency, listener.input_ended
        )
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
        self._stats = LiveStats()
        self._recorder: Recorder | None = None
        self._input_recorder: Recorder | None = None
        self._stop = threading.Event()
        self._deadline = 0.0
        self._recording_failed = False
        self._thread = threading.Thread(target=self._work, name="moksori-worker", daemon=True)

    @property
    def stats(self) -> LiveStats:
        """The latest snapshot with what the callback has counted since. Any thread."""
        transport = self.transport
        return replace(
            self._stats,
            xruns=transport.xruns,
            silent_samples=transport.silent + self._padded,
            device_xruns=transport.input_errors + transport.output_errors,
            dropped_samples=self._dropped,
            late_samples=self._late,
            latency=self._plan.declared(self._backend.latency),
        )

    def open_recorders(self, output: str | Path | None, source: str | Path | None) -> None:
        """Files for the processor's output and input; before `start`."""
        if output is not None:
            self._recorder = Recorder(output, self._processor.sample_rate)
        if source is not None:
            self._input_recorder = Recorder(source, self._processor.sample_rate)

    def close_recorders(self) -> None:
        """Completes the recordings."""
        for recorder in (self._recorder, self._input_recorder):
            if recorder is not None:
                recorder.close()
        self._report_recording()

    def start(self) -> None:
        """Warms up, sets `warm`, then takes what the transport brings."""
        self._thread.start()

    def finish(self, timeout: float) -> bool:
        """Takes the blocks that are there for half of `timeout`, then ends. False: it hangs."""
        if self._thread.ident is None or self._thread is threading.current_thread():
            return True
        self._deadline = time.monotonic() + timeout / 2
        self._stop.set()
        self.transport.wake.release()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
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
            self._publish()
            self._listener.worker_failed(error)
        finally:
            self.warm.set()
            self.transport.mark_settled(self.transport.calls)

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
        for _ in range(self._warm_up_blocks):
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
        if self._late < -self._backend.block:  # less is the jitter of two streams
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
            self._processor.params = self._listener.params

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
        if self._recording_failed:
            return
        for recorder in (self._recorder, self._input_recorder):
            if recorder is not None and recorder.error is not None:
                self._recording_failed = True
                self._listener.recording_failed(recorder.error)
                return

    def _publish(self, input_db: float | None = None, output_db: float | None = None) -> None:
        p50, p95, p99 = self._timings.quantiles(0.50, 0.95, 0.99)
        old = self._stats
        self._stats = replace(
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
        )
