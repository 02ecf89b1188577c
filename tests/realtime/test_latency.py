"""Latency as measured: agrees with what is declared, and tells where nothing is heard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import DeviceError
from realtime import latency
from realtime.backend import AudioCallback
from realtime.latency import Probe, chirp, find, measure_devices, measure_session
from tests.command_line import Moksori
from tests.doubles import Delay

RATE = 48_000


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_session_takes_what_it_declares(rate: int) -> None:
    measured = measure_session(Delay(1000, 44_100, 1536), rate)
    assert measured.chirps == 3
    assert measured.measured_ms == pytest.approx(measured.declared_ms, abs=1)
    assert measured.spread_ms < 1


def test_the_embedded_voice_takes_what_it_declares(moksori: Moksori) -> None:
    said = moksori("latency", "--backend", "loopback", "--json")
    assert said.code == 0
    session = said.lines[0]["session"]
    assert session["measured_ms"] == pytest.approx(session["declared_ms"], abs=1)


class Cable:
    """An output joined to an input `delay` samples later, and called `apart` seconds later."""

    monitor_rate, one_clock, reopens, latency = 0, False, False, 0.02

    def __init__(self, delay: int, apart: float, input_rate: int = RATE) -> None:
        self.sample_rate, self.block = RATE, 480
        self.input_rate, self.input_block = input_rate, input_rate // 100
        self.delay, self.apart = delay, apart
        self._time = 0.0
        self._line = np.zeros(delay, np.float32)

    def now(self) -> float:
        return self._time

    def refresh(self) -> None:
        pass

    def start(self, callback: AudioCallback) -> None:
        out = np.zeros((480, 1), np.float32)
        self._line = np.zeros(self.delay + 480, np.float32)
        for number in range(1200):
            self._time = number / 100
            callback(None, out, None)
            self._line = np.concatenate([self._line[480:], out[:, 0]])
            self._time += self.apart
            callback(self._heard()[:, None], None, None)

    def _heard(self) -> NDArray[np.float32]:
        return self._line[:480]

    def stop(self) -> None:
        pass


@pytest.mark.parametrize("apart", [0.0, 0.004])
@pytest.mark.parametrize("delay", [0, 1000, 40_000])
def test_devices_take_what_lies_between_their_callbacks(
    monkeypatch: pytest.MonkeyPatch, delay: int, apart: float
) -> None:
    monkeypatch.setattr(latency.time, "sleep", lambda _: None)
    measured = measure_devices(Cable(delay, apart))
    assert measured.declared_ms == 20
    assert measured.measured_ms == pytest.approx(1e3 * (delay / RATE + apart), abs=0.1)
    assert measured.spread_ms < 0.1


def test_silence_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency.time, "sleep", lambda _: None)
    monkeypatch.setattr(Cable, "_heard", lambda self: np.zeros(480, np.float32))
    with pytest.raises(DeviceError, match="0 of 6 chirps came back"):
        measure_devices(Cable(0, 0.0))


def test_a_device_lost_meanwhile_is_told() -> None:
    probe = Probe(Cable(0, 0.0))
    probe.ended(DeviceError("gone"))
    with pytest.raises(DeviceError, match="gone"):
        probe.delays()


@pytest.mark.parametrize("level", [0.0, 0.05, 0.2])
def test_a_chirp_is_found_in_noise(level: float) -> None:
    sound = chirp(RATE)
    wave = (level * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    assert find(wave, sound) is None
    wave[12_345 : 12_345 + len(sound)] += sound
    assert find(wave, sound) == 12_345
