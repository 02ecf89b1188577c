"""The worker: the thread of a session that turns input blocks into output blocks.

It sleeps until the transport rouses it, reads one block from `ring_in`, sends it through the chain,
writes the outlets, publishes stats. Only `start`, `finish`, `stats` and the recordings belong to
the caller.

The output's ring starts with block + resampling + slack of silence, so a block may be late by the
cushion before anyone hears it. A longer stall is an xrun: silence, counted. It leaves the output
late by as much; once that reaches a block (on two clocks, and a device block for their jitter),
whole blocks are dropped, counted, and what follows fades in. So no queue grows. What is left of
lateness, and what two clocks drift apart, is worked off by stretching, unheard. Where the input
loses samples the cushion shrinks; the next dropout restores it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import VoiceChangerError
from core.resampler import Resampler
from realtime.backend import AudioBackend
from realtime.chain import Chain
from realtime.outlet import Monitor, Outlet
from realtime.overload import Overload
from realtime.plan import FADE_SECONDS, BlockProcessor, SessionPlan
from realtime.recorder import Recordings
from realtime.ring import RingBuffer
from realtime.sound import Mode, SoundParams, Splice
from realtime.stats import LiveStats, Timings, peak_db
from realtime.transport import Transport

STALL_BLOCKS = 32  # blocks of input the ring keeps for a worker that is late
STALL_SECONDS = 2.0


class Listener(Protocol):
    """Whom a worker works for. Called from its threads; must return soon."""

    params: VoiceParams  # both read once per block
    sound: SoundParams

    def block_made(self, heard: NDArray[np.float32], made: NDArray[np.float32]) -> None:
        """A block in and out, to look at; it changes afterwards."""

    def worker_failed(self, error: BaseException) -> None:
        """The worker has died."""

    def recording_failed(self, error: VoiceChangerError) -> None:
        """A recorder has died; the sound goes on."""

    def switched(self, processor: BlockProcessor) -> None:
        """Another processor has taken over."""

    def input_ended(self, error: BaseException | None) -> None:
        """The backend's last word, see AudioCallback.ended (its thread)."""


class Worker:
    """What lives from start to stop, or until a device is lost: rings, chain, counters, one thread.

    transport: the AudioCallback to hand to the backend once `warm` is set.
    """

    def __init__(
        self,
        processor: BlockProcessor,
        backend: AudioBackend,
        plan: SessionPlan,
        listener: Listener,
        recordings: Recordings,
        *,
        warm_up_blocks: int,
        steps: int,
        bypass: Mode,
    ) -> None:
        self._backend, self._plan, self._listener = backend, plan, listener
        self._recordings = recordings
        self._warm_up_blocks = warm_up_blocks
        self._own_rate, self._own_block = processor.sample_rate, processor.block
        self._seconds = processor.block / processor.sample_rate
        self._input_block = ceil(self._seconds * backend.input_rate)
        self._chain = Chain(processor, bypass, listener.sound)
        self._overload = Overload(self._seconds, steps, backend.now())
        rate = backend.sample_rate
        capacity = plan.prefill + 8 * plan.block + 8 * backend.block
        resample_out = Resampler(self._own_rate, rate, "live", plan.phase)
        self._outlet = Outlet(
            resample_out, backend.block, plan.prefill, capacity, plan.fade, not backend.one_clock
        )
        self._monitor = None
        if backend.monitor_rate:
            self._monitor = Monitor(
                self._own_rate, self._own_block, backend.monitor_rate, FADE_SECONDS
            )
        self.transport = Transport(
            self._make_ring_in(),
            self._outlet.player,
            self._monitor.outlet.player if self._monitor else None,
            backend,
            plan.latency,
            listener.input_ended,
        )
        self.warm = threading.Event()
        self._resample_in = Resampler(backend.input_rate, self._own_rate, "live")
        self._splice_in = Splice(max(1, round(FADE_SECONDS * backend.input_rate)))
        self._surplus = np.zeros(0, np.float32)  # resampled input beyond the last whole block
        self._read = 0  # device samples pushed into the incoming resampler
        self._blocks = self._bypassed = 0
        self._skipped = 0  # samples of input
        self._xruns = 0  # dropouts dealt with
        self._timings = Timings()
        self._stats = LiveStats()
        self._stop = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._work, name="moksori-worker", daemon=True)

    def _make_ring_in(self) -> RingBuffer:
        rate = self._backend.input_rate
        stall = max(STALL_BLOCKS * self._input_block, ceil(STALL_SECONDS * rate))
        return RingBuffer(stall + 2 * self._backend.input_block)

    @property
    def stats(self) -> LiveStats:
        """The latest snapshot with what the callback has counted since. Any thread."""
        transport, player = self.transport, self._outlet.player
        follower = self._outlet.follower
        return replace(
            self._stats,
            xruns=player.xruns,
            silent_samples=player.silent + self._outlet.padded,
            device_xruns=transport.input_errors + transport.output_errors,
            dropped_samples=round(self._lost_input) + self._outlet.dropped,
            late_samples=round(self._late),
            late_ms=1000 * self._late / self._backend.sample_rate,
            drift_ppm=follower.ppm if follower else 0.0,
            latency=self._plan.declared(self._backend.latency),
        )

    def start(self) -> None:
        """Warms up, sets `warm`, then takes what the transport brings."""
        self._thread.start()

    def switch_to(self, processor: BlockProcessor) -> None:
        """See `Chain.switch_to`; any thread."""
        self._chain.switch_to(processor)

    def finish(self, timeout: float) -> bool:
        """Takes the blocks that are there for half of `timeout`, then ends. False: it hangs."""
        if self._thread.ident is None or self._thread is threading.current_thread():
            return True
        self._deadline = time.monotonic() + timeout / 2
        self._stop.set()
        self.transport.rouse()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self._chain.warm_up(self._warm_up_blocks, self._listener.params)
            self.warm.set()
            while not self._stop.is_set() and not self.transport.failed:
                self.transport.doze(0.1)
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
    def _lost_input(self) -> float:
        """In samples of the output."""
        lost = self._skipped + self.transport.ring_in.dropped
        return lost * self._backend.sample_rate / self._backend.input_rate

    @property
    def _events(self) -> float:
        """What has made the output late, or less late, beside the clocks."""
        return self._outlet.player.silent + self._outlet.surplus - self._lost_input

    @property
    def _late(self) -> float:
        """Samples the output lags beyond the declared latency; negative: the cushion is eaten."""
        return self.transport.gap() + self._events

    def _drain(self) -> None:
        """Takes every whole block there is; after `finish` only until the deadline."""
        ring = self.transport.ring_in
        while not self.transport.failed:
            needed = self._resample_in.needed((self._blocks + 1) * self._own_block) - self._read
            if ring.available < needed:
                return
            if self._stop.is_set() and time.monotonic() > self._deadline:
                return
            self._refill()
            if self._late >= self._plan.late_limit:
                self._skip()
            else:
                self._step(needed)

    def _skip(self) -> None:
        """Leaves a block of input out, which would come too late."""
        ring = self.transport.ring_in
        head = np.empty(min(self._splice_in.fade, self._input_block), np.float32)
        ring.read(head)
        self._splice_in.cut(head)
        self._skipped += len(head) + ring.skip(self._input_block - len(head))

    def _catch_up(self) -> bool:
        """What has become late while a block was made is left out; False: the block is, too.

        Rather the input that waits than the block that is there, lest the next be late as well; but
        one that is late by another block is old.
        """
        limit, ring = self._plan.late_limit, self.transport.ring_in
        old = self._late >= 2 * limit
        while self._late >= limit + old * self._plan.block and ring.available >= self._input_block:
            self._skip()
        return not old and self._late < limit

    def _refill(self) -> None:
        """Makes a dropout long enough to give the cushion back, if the input had lost samples.

        Else, after an input that stalled or whose clock is slower, every jitter would be a dropout.
        """
        if self._outlet.player.xruns == self._xruns:
            return
        self._xruns = self._outlet.player.xruns
        if self._late < -self._backend.block:  # less is the jitter of two streams
            self._outlet.pad(round(-self._late))

    def _step(self, needed: int) -> None:
        started, began = time.perf_counter(), self._backend.now()
        taken = self._take(needed)
        block = self._gather(taken)
        processor, effort = self._chain.processor, self._overload.effort
        out = self._chain.push(block, self._listener.params, self._listener.sound, effort)
        self._hand_out(out)
        self._blocks += 1
        self._bypassed += effort == 0
        self._timings.add(time.perf_counter() - started)
        now = self._backend.now()
        self._overload.note(now - began, now)
        self._recordings.put(block, out)
        self._listener.block_made(block, out)
        if (error := self._recordings.news()) is not None:
            self._listener.recording_failed(error)
        if self._chain.processor is not processor:
            self._listener.switched(self._chain.processor)
        self._publish(peak_db(taken), peak_db(out))

    def _take(self, needed: int) -> NDArray[np.float32]:
        """The next samples of the device, finite."""
        taken = np.empty(needed, np.float32)
        self.transport.ring_in.read(taken)
        self._read += needed
        if not np.isfinite(taken).all():  # a device gone wrong; one NaN would stay in every state
            taken = np.nan_to_num(taken, nan=0.0, posinf=0.0, neginf=0.0)
        return self._splice_in.join(taken)

    def _gather(self, taken: NDArray[np.float32]) -> NDArray[np.float32]:
        """A whole block at the processor's rate."""
        resampled = np.concatenate([self._surplus, self._resample_in.push(taken)])
        self._surplus = resampled[self._own_block :]
        return resampled[: self._own_block]

    def _hand_out(self, out: NDArray[np.float32]) -> None:
        late = self._events
        if self._outlet.follower is not None:
            late += self._outlet.follower.smooth(self.transport.gap(), self._seconds)
        played = self._outlet.convert(out, late, self._seconds)
        if self._catch_up():
            self._outlet.write(played)
        else:
            self._outlet.drop(played)
        if self._monitor is not None:
            self._monitor.write(out)

    def _publish(self, input_db: float | None = None, output_db: float | None = None) -> None:
        p50, p95, p99 = self._timings.quantiles(0.50, 0.95, 0.99)
        old = self._stats
        self._stats = replace(
            old,
            blocks=self._blocks,
            bypassed_blocks=self._bypassed,
            effort=self._overload.effort,
            bad_blocks=self._chain.bad_blocks,
            p50_ms=1e3 * p50,
            p95_ms=1e3 * p95,
            p99_ms=1e3 * p99,
            max_ms=1e3 * self._timings.worst,
            rtf=self._timings.mean() / self._seconds,
            input_db=old.input_db if input_db is None else input_db,
            output_db=old.output_db if output_db is None else output_db,
        )
