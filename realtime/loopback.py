"""A sound card made of arrays or files, for tests, demos and machines without one.

Its thread plays the device: every `block` samples it calls back with input and takes output. On the
"real" clock it keeps to the wall clock; on the "virtual" clock it runs as fast as the worker can
follow and waits for it after each call, so that a run is reproducible bit for bit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.audio import AudioReader, AudioWriter, check_writable
from core.errors import ConfigError, DeviceError
from realtime.backend import AudioCallback

Clock = Literal["virtual", "real"]

PATIENCE = 60.0  # seconds a virtual clock waits for a worker that neither rests nor sleeps


class VirtualClock:
    """Time that passes only when the backend says so. A test double may sleep on it."""

    def __init__(self) -> None:
        self.now = 0.0  # seconds
        self._wake_at: float | None = None
        self._open = True
        self._condition = threading.Condition()

    @property
    def asleep(self) -> bool:
        """True while someone sleeps beyond `now`."""
        return self._wake_at is not None

    def sleep(self, seconds: float) -> None:
        """Returns when `seconds` of virtual time have passed, or the clock was stopped."""
        with self._condition:
            if not self._open or seconds <= 0:
                return
            self._wake_at = self.now + seconds
            self._condition.wait_for(lambda: self._wake_at is None)

    def advance(self, now: float) -> None:
        """Sets the time and wakes the sleeper whose hour has come (to half a microsecond)."""
        with self._condition:
            self.now = now
            if self._wake_at is not None and self._wake_at <= now + 5e-7:
                self._wake_at = None
                self._condition.notify_all()

    def stop(self) -> None:
        """Wakes the sleeper; nobody sleeps any more."""
        with self._condition:
            self._open = False
            self._wake_at = None
            self._condition.notify_all()


class LoopbackBackend:
    """Plays `source` into a session and keeps what comes out.

    source: a wave (T,) or (C, T) with its `sample_rate`, or an audio file, streamed.
    sink: a file to write (mono), or None: then `output` holds the samples (T,).
    What comes out is the source's length plus the declared latency, as a listener hears it: the
    latency comes first, and silence follows the source until its last sample is out. With
    `trim=True` the latency is cut off and the length is exactly the source's.
    latency: seconds to declare for the pretended device; nothing is delayed by it.
    """

    def __init__(
        self,
        source: NDArray[np.float32] | str | Path,
        sink: str | Path | None = None,
        *,
        sample_rate: int | None = None,
        clock: Clock = "virtual",
        block: int | None = None,
        trim: bool = False,
        latency: float = 0.0,
        output_channels: int = 1,
    ) -> None:
        if clock not in ("virtual", "real"):
            raise ConfigError(f'unknown clock "{clock}"; known: real, virtual')
        self._reader: AudioReader | None = None
        self._wave = np.zeros((1, 0), np.float32)
        if sink is not None:
            check_writable(sink, [source] if isinstance(source, (str, Path)) else ())
        if isinstance(source, (str, Path)):
            self._reader = AudioReader(source)
            sample_rate = self._reader.sample_rate
        else:
            self._wave = np.atleast_2d(np.asarray(source, np.float32))
        if sample_rate is None:
            raise ConfigError("an array as source needs its sample_rate; got none")
        self.sample_rate = sample_rate
        self.block = block or max(1, sample_rate // 100)
        self.input_rate, self.input_block, self.monitor_rate = sample_rate, self.block, 0
        self.latency = latency
        self.one_clock, self.reopens = True, False
        self.virtual_clock = VirtualClock() if clock == "virtual" else None
        self._trim = trim
        self._output_channels = output_channels
        self._played = 0  # samples kept; a run that played none costs no older sink
        self._kept: list[NDArray[np.float32]] = []
        self._sink_path = sink
        self._sink: AudioWriter | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def output(self) -> NDArray[np.float32]:
        """What was played so far (T,), when there is no sink file."""
        return np.concatenate([np.zeros(0, np.float32), *self._kept])

    def now(self) -> float:
        """Seconds, virtual or real."""
        return self.virtual_clock.now if self.virtual_clock else time.monotonic()

    def refresh(self) -> None:
        """A file or an array is never lost."""

    def start(self, callback: AudioCallback) -> None:
        """Begins to play. A backend plays once."""
        if self._thread is not None:
            raise DeviceError("this loopback has already played; make a new one")
        if self._sink_path is not None:
            self._sink = AudioWriter(self._sink_path, self.sample_rate)
        self._thread = threading.Thread(
            target=self._run, args=(callback,), name="moksori-loopback", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends the run; a sink file holds what was played until now."""
        self._stop.set()
        if self.virtual_clock:
            self.virtual_clock.stop()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        if self._reader:
            self._reader.close()

    def _run(self, callback: AudioCallback) -> None:
        error: BaseException | None = None
        try:
            self._play(callback)
            if self._sink and self._played and not callback.failed:
                self._sink.close()
        except Exception as caught:  # whatever a file or a session can do: the session reports it
            error = caught
        if self._sink:
            self._sink.abort()
        if error is not None or not self._stop.is_set():
            callback.ended(error)

    def _play(self, callback: AudioCallback) -> None:
        skip = callback.latency if self._trim else 0
        started = time.monotonic()
        for calls, (indata, wanted) in enumerate(self._blocks(callback.latency), start=1):
            self._wait_until(started, calls * self.block / self.sample_rate, callback)
            if self._stop.is_set():
                return
            outdata = np.empty((self.block, self._output_channels), np.float32)
            callback(indata, outdata, None)
            self._keep(outdata[skip:wanted, 0])
            skip = max(0, skip - self.block)
            if self.virtual_clock:
                self._settle(callback, self.virtual_clock)

    def _wait_until(self, started: float, seconds: float, callback: AudioCallback) -> None:
        if self.virtual_clock:
            self.virtual_clock.advance(seconds)
            self._settle(callback, self.virtual_clock)
        else:
            self._stop.wait(max(0.0, started + seconds - time.monotonic()))

    def _settle(self, callback: AudioCallback, clock: VirtualClock) -> None:
        """Waits until the worker rests, or sleeps on the clock: only then may time pass."""
        deadline = time.monotonic() + PATIENCE
        while not clock.asleep and not callback.settle(0.001):
            if self._stop.is_set():
                return
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the worker took more than {PATIENCE:.0f} s for a block; it hangs"
                )

    def _keep(self, mono: NDArray[np.float32]) -> None:
        self._played += len(mono)
        if self._sink:
            self._sink.write(mono)
        else:
            self._kept.append(mono.copy())

    def _blocks(self, tail: int) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Input blocks (block, C), the last ones silent, and how many samples of each count."""
        rest = np.zeros((self._channels, 0), np.float32)
        for wave in self._waves():
            rest = np.concatenate([rest, wave], axis=1)
            whole = rest.shape[1] // self.block * self.block
            for at in range(0, whole, self.block):
                yield rest[:, at : at + self.block].T, self.block
            rest = rest[:, whole:]
        owed = rest.shape[1] + tail
        while owed > 0:
            indata = np.zeros((self.block, self._channels), np.float32)
            indata[: rest.shape[1]] = rest.T
            yield indata, min(owed, self.block)
            owed -= self.block
            rest = rest[:, :0]

    @property
    def _channels(self) -> int:
        return self._reader.channels if self._reader else len(self._wave)

    def _waves(self) -> Iterator[NDArray[np.float32]]:
        if self._reader:
            yield from self._reader.channel_blocks()
        else:
            yield self._wave
