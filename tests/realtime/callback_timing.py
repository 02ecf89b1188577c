"""How long a callback takes beside a working voice and a busy GUI thread; for docs/reliability.md.

    python -m tests.realtime.callback_timing [seconds] [switch interval in ms]

A thread calls back every 10 ms as a device does. Told are the time inside the callback, and from
the moment it was due until it is done, which counts waiting for the interpreter and for a core.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import numpy as np
import torch

from core.audio import load_mono
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel, find_voice
from realtime.backend import AudioBlock, AudioCallback
from realtime.host import Listener
from realtime.loopback import LoopbackBackend
from realtime.remote import Engine, RemoteSession
from realtime.session import LiveSession, SessionEvent
from tests.command_line import DEMO, RATE


class Timed(LoopbackBackend):
    """A loopback on the real clock that keeps the seconds of every call."""

    def __init__(self, wave: AudioBlock) -> None:
        super().__init__(wave, sample_rate=RATE, clock="real")
        self.reopens = True  # as a device, whose threads run in real time where that is allowed
        self.inside: list[float] = []
        self.overdue: list[float] = []

    def _play(self, callback: AudioCallback) -> None:
        out = np.zeros((self.block, 2), np.float32)
        began = time.perf_counter()
        for number, (indata, _) in enumerate(self._blocks(0)):
            due = began + number * self.block / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            if self._stop.is_set():
                return
            started = time.perf_counter()
            callback(None, out, None)
            callback(indata, None, None)
            done = time.perf_counter()
            self.inside.append(done - started)
            self.overdue.append(done - due)


def busy(stop: threading.Event) -> None:
    """What a GUI does at its worst: Python without a pause."""
    while not stop.is_set():
        sum(i * i for i in range(1000))


def embedded(seconds: float, on_event: Listener) -> LiveSession:
    """The embedded voice on speech, in whichever process this is called."""
    torch.set_num_threads(1)
    speech = load_mono(DEMO, RATE)[0]
    wave = np.tile(speech, int(seconds * RATE / len(speech)) + 1)[: int(seconds * RATE)]
    converter = StreamingConverter(VoiceModel.load(find_voice("embedded")))
    return LiveSession(converter, Timed(wave), on_event=on_event)


def nobody(event: SessionEvent) -> None:
    """Hears nothing."""


def timings(session: LiveSession) -> tuple[list[float], list[float]]:
    """Inside and overdue."""
    assert isinstance(session.backend, Timed)
    return session.backend.inside, session.backend.overdue


def measure(words: str, session: LiveSession | RemoteSession) -> None:
    """Runs a session to its end and tells its figures."""
    session.start()
    session.wait()
    session.stop()
    found = session.ask(timings) if isinstance(session, RemoteSession) else timings(session)
    print(words)
    for name, values in zip(("inside", "overdue"), found, strict=True):
        p50, p99, p999 = 1e3 * np.percentile(values, (50, 99, 99.9))
        print(f"  {name:<8} p50 {p50:.2f}  p99 {p99:.2f}  p99.9 {p999:.2f} ms, {len(values)}")
    print(f"  xruns {session.stats.xruns}, bypassed {session.stats.bypassed_blocks} blocks")


def main(seconds: float = 30.0, switch_ms: float = 5.0) -> None:
    sys.setswitchinterval(switch_ms / 1000)
    make = partial(embedded, seconds)
    stop = threading.Event()
    measure(f"beside the worker, {switch_ms:g} ms", make(nobody))
    with Engine() as engine:
        threading.Thread(target=busy, args=(stop,), daemon=True).start()
        measure(f"beside a busy GUI thread, {switch_ms:g} ms", make(nobody))
        measure("the same, in an engine's process", RemoteSession(engine, make))
    stop.set()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
