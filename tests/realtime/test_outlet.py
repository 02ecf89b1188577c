"""The third device plays what the second plays, on a clock of its own, and cannot hold it up."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from realtime.outlet import Monitor
from realtime.portaudio import PortAudioBackend
from realtime.session import LiveSession
from tests.doubles import Identity
from tests.sound_card import FalseSoundDevice

RATE, BLOCK = 44_100, 1536


def monitored(seconds: float, ppm: float, rate: int = 48_000) -> tuple[Monitor, np.ndarray]:
    """A tone of 441 Hz on a monitor whose clock is so much faster; and what it played."""
    monitor = Monitor(RATE, BLOCK, rate, 0.005)
    t = np.arange(round(seconds * RATE) // BLOCK * BLOCK) / RATE
    wave = np.sin(2 * np.pi * 441 * t).astype(np.float32)
    heard, due, played = [], 0.0, 0
    for at in range(0, len(wave), BLOCK):
        monitor.write(wave[at : at + BLOCK])
        due += BLOCK / RATE * (1 + ppm * 1e-6)
        while played < due * rate:
            out = np.empty((rate // 100, 2), np.float32)
            monitor.outlet.player.play(out)
            heard.append(out[:, 1].copy())
            played += len(out)
    return monitor, np.concatenate(heard)


@pytest.mark.parametrize("ppm", [-200, 0, 200])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_monitor_follows_its_own_clock(ppm: float, rate: int) -> None:
    monitor, heard = monitored(40, ppm, rate)
    assert monitor.outlet.player.xruns == 0
    assert monitor.outlet.dropped == 0
    tail = heard[-10 * rate :]
    spectrum = np.abs(np.fft.rfft(tail * np.hanning(len(tail))))
    assert np.argmax(spectrum) / 10 == pytest.approx(441, abs=0.2)
    assert np.abs(tail).max() == pytest.approx(1, abs=0.01)


def test_a_monitor_that_stalls_or_races_is_bounded_and_counted() -> None:
    monitor = Monitor(RATE, BLOCK, 48_000, 0.005)
    block = np.ones(BLOCK, np.float32)
    for _ in range(100):  # nobody plays
        monitor.write(block)
    assert monitor.outlet.player.ring.available < 5 * 1672
    assert monitor.outlet.dropped > 90 * 1672
    out = np.empty((48_000, 2), np.float32)
    monitor.outlet.player.play(out)  # far too fast
    assert monitor.outlet.player.xruns == 1
    for _ in range(20):
        monitor.write(block)
        monitor.outlet.player.play(out[:1672])
    assert monitor.outlet.player.xruns <= 2
    np.testing.assert_allclose(out[:1672], 1, atol=1e-3)


def test_a_session_plays_on_the_monitor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sd = FalseSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", sd)
    made = []
    make = sd.OutputStream
    monkeypatch.setattr(sd, "OutputStream", lambda **o: made.append(make(**o)) or made[-1])
    backend = PortAudioBackend("cable b", "speakers", monitor_device="JACK:Cable")
    assert backend.monitor_rate == 48_000
    session = LiveSession(Identity(48_000, 480), backend, slack_seconds=0)
    session.start()
    source, (sink, monitor) = sd.streams["input"], made
    assert monitor.options["device"] == 3
    sound = np.full((480, 2), 0.3, np.float32)
    played, heard = np.zeros((480, 2), np.float32), np.zeros((480, 2), np.float32)
    for _ in range(30):
        sink.options["callback"](played, 480, None, "")
        source.options["callback"](sound, 480, None, "")
        assert session._worker is not None
        assert session._worker.transport.settle(10)
        monitor.options["callback"](heard, 480, None, "")
    session.stop()
    np.testing.assert_allclose(heard, 0.3, atol=1e-3)
    assert all(stream.closed for stream in (source, sink, monitor))
