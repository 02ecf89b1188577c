"""Hours of a session on the virtual clock, for docs/reliability.md and, in short, for CI.

    python -m tests.realtime.soak exact 8        every sample is there once, bit for bit
    python -m tests.realtime.soak drift 8 200    two clocks that differ by 200 ppm
    python -m tests.realtime.soak speech 8       the same of speech, the packaged recording looped
    python -m tests.realtime.soak voice 8        the embedded voice on that speech

Memory, threads and handles are told after every hour.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.audio import load_mono
from realtime.loopback import LoopbackBackend
from realtime.plan import BlockProcessor
from realtime.session import LiveSession
from realtime.stats import LiveStats
from tests.command_line import DEMO, RATE
from tests.doubles import Delay, TwoClocks

HOUR = 3600


class Resources(NamedTuple):
    """Of this process, at one moment. mib: resident memory."""

    mib: float
    threads: int
    handles: int


def resources() -> Resources:
    """Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Resources(mib, threading.active_count(), len(os.listdir("/proc/self/fd")))


def noise(second: int) -> NDArray[np.float32]:
    """A second of sound that is never the same."""
    dice = np.random.default_rng(second)
    return dice.uniform(-0.9, 0.9, RATE).astype(np.float32)


class Exact(LoopbackBackend):
    """Plays seconds of noise and compares what comes out. wrong: samples lost, doubled, changed."""

    def __init__(self, seconds: int, hour: int = HOUR) -> None:
        super().__init__(np.zeros(0, np.float32), sample_rate=RATE, trim=True)
        self.seconds, self.hour = seconds, hour
        self.wrong = self.heard = 0
        self.log: list[Resources] = []

    def _waves(self) -> Iterator[NDArray[np.float32]]:
        for second in range(self.seconds):
            yield self._second(second)[None]
            if (second + 1) % self.hour == 0:
                self.log.append(resources())

    def _second(self, second: int) -> NDArray[np.float32]:
        return noise(second)

    def _keep(self, mono: NDArray[np.float32]) -> None:
        while len(mono):
            second, at = divmod(self.heard, RATE)
            if at == 0 or not hasattr(self, "_expected"):
                self._expected = self._second(second)
            part = mono[: RATE - at]
            self.wrong += int(np.count_nonzero(part != self._expected[at : at + len(part)]))
            self.heard += len(part)
            mono = mono[len(part) :]


class Speech(Exact):
    """The packaged recording again and again, but no second twice as loud."""

    def __init__(self, seconds: int, hour: int = HOUR) -> None:
        super().__init__(seconds, hour)
        self._speech = load_mono(DEMO, RATE)[0]

    def _second(self, second: int) -> NDArray[np.float32]:
        at = second * RATE % (len(self._speech) - RATE)
        gain = np.random.default_rng(second).uniform(0.3, 0.9)
        return self._speech[at : at + RATE] * np.float32(gain)


class Spoken(Speech):
    """What comes out, another voice, is only counted."""

    def _keep(self, mono: NDArray[np.float32]) -> None:
        self.heard += len(mono)
        self.wrong += int(np.count_nonzero(~np.isfinite(mono)))


def run(processor: BlockProcessor, backend: Exact | TwoClocks) -> LiveStats:
    """The last stats of a whole session."""
    session = LiveSession(processor, backend)
    session.start()
    session.wait()
    session.stop()
    if session.error is not None:
        raise session.error
    return session.stats


def main(kind: str, hours: float = 8.0, ppm: float = 200.0) -> None:
    began, seconds = time.monotonic(), round(hours * HOUR)
    if kind == "drift":
        stats = run(
            Delay(500, 48_000, 1680), TwoClocks(np.zeros(48_480, np.float32), ppm, loops=seconds)
        )
        print(f"late by {stats.late_samples / 48:.1f} ms, drift found {stats.drift_ppm:.0f} ppm")
    else:
        backend = {"voice": Spoken, "speech": Speech}.get(kind, Exact)(seconds)
        stats = run(_voice() if kind == "voice" else Delay(500, RATE, 1536), backend)
        for hour, now in enumerate(backend.log, start=1):
            print(f"hour {hour}: {now.mib:.1f} MiB, {now.threads} threads, {now.handles} handles")
        print(f"{backend.heard} samples heard of {seconds * RATE}, {backend.wrong} wrong")
    print(
        f"{hours:g} h of {kind} in {time.monotonic() - began:.0f} s: {stats.blocks} blocks,"
        f" {stats.xruns} xruns, {stats.dropped_samples} samples dropped"
    )


def _voice() -> BlockProcessor:
    import torch

    from core.streaming.converter import StreamingConverter
    from core.voice import VoiceModel, find_voice

    torch.set_num_threads(1)
    return StreamingConverter(VoiceModel.load(find_voice("embedded")))


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
