"""PortAudioBackend against a false sounddevice: devices, rates, channels, failures."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from core.errors import DeviceError
from realtime import portaudio, watchman
from realtime.devices import by_host_api, find_device
from realtime.portaudio import HostOptions, PortAudioBackend, list_devices
from realtime.session import LiveSession, SessionEvent
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


def test_the_wanted_rate_is_taken_else_one_that_both_take_else_each_its_own(
    sd: FalseSoundDevice,
) -> None:
    assert PortAudioBackend(sample_rate=44_100).sample_rate == 44_100
    sd.rates[1] = {48_000}
    backend = PortAudioBackend(sample_rate=44_100)
    assert backend.sample_rate == backend.input_rate == 48_000
    assert backend.block == 480
    sd.rates[0] = {44_100}
    backend = PortAudioBackend(sample_rate=44_100)
    assert (backend.input_rate, backend.sample_rate) == (44_100, 48_000)
    assert (backend.input_block, backend.block) == (441, 480)
    sd.rates[0] = set()
    with pytest.raises(DeviceError, match="Microphone takes none of the usual rates"):
        PortAudioBackend()


def test_devices_are_probed_and_have_ids_that_stay(sd: FalseSoundDevice) -> None:
    sd.rates[2] = set()
    sd.devices.append(dict(sd.devices[4]))
    sd.rates[5] = {96_000}
    found = list_devices(probe=True)
    assert [d.id for d in found] == [
        *("ALSA:Microphone", "ALSA:Speakers"),
        *("JACK:Cable", "JACK:Cable B", "JACK:Cable B#2"),
    ]
    assert [d.rates for d in found] == [(44_100, 48_000)] * 4 + [(96_000,)]
    assert find_device(found, "jack:cable b#2", "output").index == 5


def test_what_a_host_api_offers_beyond_the_rest_is_asked_for(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    apis = sd.query_hostapis()
    options = HostOptions(exclusive=True, output_channels=(2, 3))
    asked = []
    for name in ("Windows WASAPI", "ASIO", "Core Audio", "ALSA"):
        named = [{**api, "name": name} for api in apis]
        monkeypatch.setattr(sd, "query_hostapis", lambda named=named: named)
        backend = PortAudioBackend(options=options)
        LiveSession(Identity(), backend).start()
        asked.append(sd.streams["output"].options["extra_settings"])
        backend.stop()
    assert asked == [
        ("WasapiSettings", {"exclusive": True, "auto_convert": False}),
        ("AsioSettings", {"channel_selectors": [2, 3]}),
        ("CoreAudioSettings", {"change_device_parameters": True}),
        None,
    ]


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


def test_a_lost_device_is_waited_for_and_opened_again(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "FIRST_SECONDS", 60.0)
    said: list[SessionEvent] = []
    heard = threading.Condition()

    def listen(event: SessionEvent) -> None:
        with heard:
            said.append(event)
            heard.notify_all()

    def wait_for(count: int) -> None:
        with heard:
            assert heard.wait_for(lambda: len(said) >= count, 30)

    def come_back(number: int) -> None:
        sd.devices.insert(0, sd.devices[2])  # numbers change, ids do not
        sd.rates[number] = {48_000}
        sd.refuse = ""
        sd._initialize = lambda: None

    processor = Identity()
    session = LiveSession(processor, PortAudioBackend("cable b"), on_event=listen)
    session.start()
    for time in range(3):
        sd.refuse = "output"
        gone, resets = sd.streams["input"], processor.resets
        gone.options["finished_callback"]()
        wait_for(2 + 2 * time)
        assert "stopped by itself" in str(said[-1].error)
        assert session.state is SessionState.LOST
        sd._initialize = partial(come_back, 5 + time)  # never while one attempt is under way
        wait_for(3 + 2 * time)
        assert session.state is SessionState.RUNNING
        assert gone.closed
        assert sd.streams["input"] is not gone
        assert sd.streams["input"].options["device"] == 5 + time
        assert processor.resets > resets
    assert session.stats.reopened == 3
    session.stop()
    assert [event.kind for event in said] == ["started", *["lost", "resumed"] * 3, "stopped"]
    assert session.error is None


def test_stop_does_not_wait_for_a_lost_device(sd: FalseSoundDevice) -> None:
    session = LiveSession(Identity(), PortAudioBackend())
    session.start()
    sd.refuse = "output"
    sd.streams["input"].options["finished_callback"]()
    assert session.state is SessionState.LOST
    session.stop()
    assert session.state is SessionState.IDLE


def test_callbacks_that_cease_are_a_loss(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "FIRST_SECONDS", 0.1)
    lost = threading.Event()
    session = LiveSession(Identity(), PortAudioBackend(), on_event=lambda _: None)
    monkeypatch.setattr(session, "_lose", lambda error: lost.set())
    session.start()
    assert lost.wait(30)
    session.stop()


@pytest.mark.parametrize(("wanted", "then"), [("low", 0.06), (0.03, 0.03)])
def test_an_output_killed_by_an_underrun_gets_more_room(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch, wanted: Any, then: float
) -> None:
    monkeypatch.setattr(watchman, "FIRST_SECONDS", 60.0)  # which an underrun cuts short
    lost, back = threading.Event(), threading.Event()

    def listen(event: SessionEvent) -> None:
        if event.kind == "lost":
            lost.set()
        elif event.kind == "resumed":
            back.set()

    session = LiveSession(Identity(), PortAudioBackend(latency=wanted), on_event=listen)
    session.start()
    assert sd.streams["output"].options["latency"] == wanted
    silence = np.zeros((480, 2), np.float32)
    sd.streams["output"].options["callback"](silence, 480, None, "output underflow")
    assert lost.wait(30)
    assert back.wait(30)
    assert sd.streams["output"].options["latency"] == then
    assert sd.streams["input"].options["latency"] == wanted
    session.stop()


def test_a_lost_device_that_never_closes_does_not_end_the_session(
    sd: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, restarted = threading.Event(), []
    monkeypatch.setattr(portaudio, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(sd, "_terminate", lambda: restarted.append(True))
    back = threading.Event()
    session = LiveSession(
        Identity(),
        PortAudioBackend(),
        on_event=lambda event: back.set() if event.kind == "resumed" else None,
    )
    session.start()
    gone = sd.streams["input"]
    gone.abort = lambda ignore_errors=True: release.wait(30)
    gone.options["finished_callback"]()
    assert back.wait(30)
    assert session.state is SessionState.RUNNING
    assert sd.streams["input"] is not gone
    assert not restarted  # it would have hung as well
    session.stop()
    release.set()
    assert session.error is None


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
