"""The callback copies and counts: what it calls is seen, and what it may not call is not there."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import numpy as np
import pytest

from realtime.loopback import LoopbackBackend
from realtime.player import Player
from realtime.ring import RingBuffer
from realtime.transport import Transport

RATE, BLOCK, FADE = 48_000, 480, 240
ALLOWED_FILES = {"transport.py", "player.py", "ring.py", "loopback.py", "test_transport.py"}


def make(channels: int = 1) -> Transport:
    backend = LoopbackBackend(np.zeros(10, np.float32), sample_rate=RATE, block=BLOCK)
    ring = RingBuffer(8 * BLOCK)
    player = Player(ring, BLOCK, FADE)
    monitor = Player(RingBuffer(8 * BLOCK), BLOCK, FADE)
    return Transport(RingBuffer(8 * BLOCK), player, monitor, backend, 0, lambda error: None)


def calls_of(action: Any) -> tuple[set[str], set[str]]:
    """The files of the Python functions it calls, and the names of the C functions."""
    files, names = set(), set()

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)
        elif event == "c_call":
            names.add(f"{getattr(argument, '__module__', '')}.{argument.__qualname__}")

    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(None)
    return files, names


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("queued", [0, 100, BLOCK])
def test_it_takes_no_lock_logs_nothing_and_touches_no_torch(channels: int, queued: int) -> None:
    transport = make()
    indata = np.ones((BLOCK, channels), np.float32)
    outdata = np.ones((BLOCK, channels), np.float32)
    transport.player.ring.write(np.ones(queued, np.float32))

    def call() -> None:
        for _ in range(3):
            transport(None, outdata, "output underflow")
            transport(indata, None, "input overflow")
            transport.monitor(outdata)

    files, names = calls_of(call)
    assert {path.rpartition("/")[2] for path in files if "/numpy/" not in path} <= ALLOWED_FILES
    for name in names:
        assert "torch" not in name
        assert not name.endswith((".acquire", ".wait", ".join", ".sleep", ".write"))
        assert not name.startswith(("logging", "_io"))


def test_it_never_waits_for_the_worker() -> None:
    """Called from one thread while no worker ever takes anything: it returns and counts."""
    transport = make()
    block = np.ones((BLOCK, 1), np.float32)
    out = np.empty((BLOCK, 1), np.float32)
    for _ in range(100):
        transport(block, out, None)
    assert transport.calls == 100
    assert transport.ring_in.dropped == 92 * BLOCK
    assert transport.player.xruns == 1
    assert transport.player.silent == 100 * BLOCK


def test_rousing_never_loses_a_call() -> None:
    transport = make()
    seen: list[int] = []
    done = threading.Event()

    def worker() -> None:
        while not done.is_set():
            transport.doze(30)
            seen.append(transport.calls)
            if transport.calls == 2000:
                done.set()

    thread = threading.Thread(target=worker)
    thread.start()
    block = np.ones((1, 1), np.float32)
    transport(None, block, None)
    for _ in range(2000):
        transport(block, None, None)
    assert done.wait(30)
    thread.join()
    assert seen == sorted(seen)


@pytest.mark.parametrize("size", [1, 7, BLOCK, 3 * BLOCK])
def test_sound_fades_out_and_in_over_5_ms_whatever_the_calls(size: int) -> None:
    ring = RingBuffer(100_000)
    player = Player(ring, BLOCK, FADE)
    heard = []

    def play(samples: int) -> None:
        for _ in range(samples // size):
            out = np.empty((size, 2), np.float32)
            player.play(out)
            heard.append(out[:, 0])

    length = 21 * BLOCK
    for _ in range(3):
        ring.write(np.ones(length, np.float32))
        play(length)
        play(length)
    wave = np.concatenate(heard)
    assert np.abs(np.diff(wave)).max() <= 1.01 / FADE
    assert wave.max() == 1
    assert wave.min() == 0
    assert player.xruns == 3
    assert player.silent == 3 * length


def test_muted_it_fades_and_counts_nothing() -> None:
    ring = RingBuffer(10_000)
    ring.write(np.ones(5000, np.float32))
    player = Player(ring, BLOCK, FADE)
    out = np.empty((BLOCK, 1), np.float32)
    player.play(out)
    player.muted = True
    player.play(out)
    assert 0 < out[0, 0] <= 1
    assert not out[FADE:].any()
    assert (player.xruns, player.silent) == (0, 0)
