"""PortAudioBackend against a false sounddevice: devices, rates, channels, failures."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.errors import DeviceError
from realtime import portaudio
from realtime.portaudio import PortAudioBackend, by_host_api, find_device, list_devices
from realtime.session import LiveSession
from realtime.stats import SessionState
from tests.doubles import Identity
from tests.sound_card import FalseSoundDevice, FalseStream


@pytest.fixture
def sd(monkeypatch: pytest.MonkeyPatch) -> FalseSoundDevice:
    module = FalseSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.mark.parametrize(
    "error", [OSError("PortAudio library not found"), ImportError("no module")]
)
def test_missing_portaudio_names_the_mending_command(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real: Callable[..., Any] = builtins.__import__

    def no_sounddevice(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", no_sounddevice)
    with pytest.raises(DeviceError, match="install"):
        list_devices()
    with pytest.raises(DeviceError, match="moksori live"):
        PortAudioBackend()


def test_devices_are_listed_by_host_api(sd: FalseSoundDevice) -> None:
    groups = by_host_api(list_devices())
    assert {api: [d.index for d in found] for api, found in groups.items()} == {
        "ALSA": [0, 1, 2],
        "JACK": [3, 4],
    }
    assert [d.index for d in list_devices() if d.default_input] == [0]
    sd.default.device = [-1, -1]
    assert [d.index for d in list_devices() if d.default_output] == [1]


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 0), ("0", 0), (3, 3), ("micro", 0), ("cable", 2), ("cable b", 4)]
)
def test_device_by_number_or_name(
    sd: FalseSoundDevice, wanted: str | int | None, index: int
) -> None:
    assert find_device(list_devices(), wanted, "input").index == index


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("9", "number 9"), ("1", "number 1"), ("organ", "0: Microphone"), ("c", "take a number")],
)
def test_a_device_not_found_lists_the_known(sd: FalseSoundDevice, wanted: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        find_device(list_devices(), wanted, "input")


def test_no_device_at_all(sd: FalseSoundDevice) -> None:
    sd.devices = []
    with pytest.raises(DeviceError, match="no input device"):
        PortAudioBackend()


def test_the_wanted_rate_is_taken_and_else_a_default_that_both_take(sd: FalseSoundDevice) -> None:
    assert PortAudioBackend(sample_rate=44_100).sample_rate == 44_100
    sd.rates[1] = {48_000}
    backend = PortAudioBackend(sample_rate=44_100)
    assert backend.sample_rate == 48_000
    assert backend.block == 480
    sd.rates[0] = {44_100}
    with pytest.raises(DeviceError, match=r"Microphone takes 44100 Hz, Speakers takes 48000 Hz"):
        PortAudioBackend(sample_rate=44_100)
    sd.rates[0] = set()
    with pytest.raises(DeviceError, match="none of the usual rates"):
        PortAudioBackend()


def test_two_streams_run_a_session(sd: FalseSoundDevice) -> None:
    backend = PortAudioBackend("cable b", "speakers", sample_rate=48_000)
    session = LiveSession(Identity(48_000, 480), backend, slack_seconds=0)
    session.start()
    source, sink = sd.streams["input"], sd.streams["output"]
    assert source is not sink
    assert source.options["blocksize"] == 480
    assert source.options["channels"] == sink.options["channels"] == 2
    assert source.started
    assert sink.started
    assert session.stats.state is SessionState.RUNNING

    stereo = np.stack([np.full(480, 0.2), np.full(480, 0.4)], axis=1).astype(np.float32)
    out = np.full((480, 2), 9, np.float32)
    source.options["callback"](stereo, 480, None, "")  # before the output runs: not kept
    for _ in range(5):
        sink.options["callback"](out, 480, None, "")
        source.options["callback"](stereo, 480, None, "")
        assert session._worker is not None
        assert session._worker.transport.settle(10)
    np.testing.assert_allclose(out, 0.3, atol=1e-6)  # the mean of both, on both
    sink.options["callback"](out, 480, None, "output underflow")
    stats = session.stats
    assert stats.device_xruns == 1
    assert stats.latency.device_ms == pytest.approx(60)
    session.stop()
    assert source.closed
    assert sink.closed
    assert session.state is SessionState.IDLE
    assert session.error is None


@pytest.mark.parametrize("direction", ["input", "output"])
def test_a_device_that_does_not_open(sd: FalseSoundDevice, direction: str) -> None:
    sd.refuse = direction
    session = LiveSession(Identity(), PortAudioBackend())
    with pytest.raises(DeviceError, match="Device unavailable") as caught:
        session.start()
    assert ("Microphone" if direction == "input" else "Speakers") in str(caught.value)
    assert session.state is SessionState.FAILED


def test_a_stream_that_stops_by_itself_fails_the_session(sd: FalseSoundDevice) -> None:
    session = LiveSession(Identity(), PortAudioBackend())
    session.start()
    sd.streams["input"].options["finished_callback"]()
    assert session.wait(10)
    assert session.state is SessionState.FAILED
    assert "stopped by itself" in str(session.error)
    session.stop()


def test_a_driver_that_hangs_on_close_is_an_error(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(portaudio, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(FalseStream, "abort", lambda self, ignore_errors=True: release.wait(30))
    session = LiveSession(Identity(), PortAudioBackend())
    session.start()
    session.stop()
    assert session.state is SessionState.FAILED
    assert "hangs" in str(session.error)
    release.set()
