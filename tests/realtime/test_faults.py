"""Named faults of devices and processors: each ends in sound going on, or in a clear state.

Two seconds of a steady sound, the fault, four seconds of the sound again: the last of them has to
be heard as if nothing had happened, whatever was lost at the fault is counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import ConfigError, DeviceError, VoiceChangerError
from realtime.backend import AudioCallback
from realtime.session import LiveSession, SessionEvent
from realtime.stats import SessionState
from tests.doubles import Delay, Identity

RATE, BLOCK, DEVICE = 48_000, 1440, 480
LEVEL = 0.5


class Rig:
    """Two devices whose callbacks a fault makes by hand, on a clock that it sets."""

    monitor_rate, one_clock, reopens, latency = 0, False, False, 0.0

    def __init__(self, fault: Callable[[Rig], None]) -> None:
        self.sample_rate = self.input_rate = RATE
        self.block = self.input_block = DEVICE
        self.time = 0.0
        self.status = ""
        self.level = LEVEL
        self.heard: list[NDArray[np.float32]] = []
        self._fault = fault
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        return self.time

    def refresh(self) -> None:
        pass

    def start(self, callback: AudioCallback) -> None:
        self.callback = callback
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.join(60)

    def _run(self) -> None:
        self.go_on(2.0)
        self._fault(self)
        self.go_on(4.0)
        self.callback.ended(None)

    def go_on(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.play()
            self.hear()
            self.time += 0.01

    def hear(self, samples: int = DEVICE, channels: int = 1, level: float | None = None) -> None:
        level = self.level if level is None else level
        self.callback(np.full((samples, channels), level, np.float32), None, self.status)
        while not self.callback.settle(1):
            pass

    def play(self, samples: int = DEVICE, channels: int = 1) -> None:
        out = np.full((samples, channels), 9, np.float32)
        self.callback(None, out, self.status)
        self.heard.append(out[:, 0])


def repeat(action: Callable[[Rig], None], times: int = 100) -> Callable[[Rig], None]:
    """The action in place of a device's call, for a second."""

    def fault(rig: Rig) -> None:
        for _ in range(times):
            action(rig)
            rig.time += 0.01

    return fault


def of_level(level: float) -> Callable[[Rig], None]:
    return repeat(lambda rig: (rig.play(), rig.hear(level=level))[0])


def set_time(change: Callable[[float], float]) -> Callable[[Rig], None]:
    def fault(rig: Rig) -> None:
        rig.time = change(rig.time)

    return fault


def flagged(rig: Rig) -> None:
    rig.status = "input overflow"
    rig.go_on(1.0)
    rig.status = ""


def reordered(rig: Rig) -> None:
    for number in range(100):
        rig.time += 0.015 if number % 2 else -0.005
        rig.play()
        rig.hear()


def burst(rig: Rig) -> None:
    """The input pauses for a second, then brings all of it at once."""
    for _ in range(100):
        rig.play()
        rig.time += 0.01
    for _ in range(100):
        rig.hear()


def pieces(rig: Rig) -> None:
    for size in (1, 7, 100, 3, 479, 480, 481, 2000, 5000) * 4:
        rig.play(size)
        rig.hear(size)
        rig.time += size / RATE


AUDIO_FAULTS: dict[str, Callable[[Rig], None]] = {
    "nan_blocks": of_level(float("nan")),
    "infinite_blocks": of_level(float("inf")),
    "denormals": of_level(1e-42),
    "silence": of_level(0.0),
    "dc_at_full_scale": of_level(1.0),
    "beyond_full_scale": of_level(50.0),
    "zero_length_callbacks": repeat(lambda rig: (rig.play(0), rig.hear(0))[0]),
    "callbacks_of_any_size": pieces,
    "one_long_callback": lambda rig: (rig.play(RATE), rig.hear(RATE))[0],
    "stereo_for_a_while": repeat(lambda rig: (rig.play(channels=2), rig.hear(channels=2))[0]),
    "eight_channels": repeat(lambda rig: (rig.play(channels=8), rig.hear(channels=8))[0]),
    "input_lost_for_a_second": repeat(lambda rig: rig.play()),
    "output_lost_for_a_second": repeat(lambda rig: rig.hear()),
    "input_in_a_burst": burst,
    "every_call_flagged": flagged,
    "reordered_timestamps": reordered,
    "clock_set_back_an_hour": set_time(lambda now: now - 3600),
    "machine_suspended_for_an_hour": set_time(lambda now: now + 3600),
    "callbacks_twice": repeat(lambda rig: (rig.play(), rig.play(), rig.hear(), rig.hear())[0]),
}


def run(
    fault: Callable[[Rig], None], processor: Identity
) -> tuple[LiveSession, NDArray[np.float32], list[SessionEvent]]:
    rig = Rig(fault)
    events: list[SessionEvent] = []
    session = LiveSession(processor, rig, on_event=events.append)
    session.start()
    assert session.wait(60)
    session.stop()
    return session, np.concatenate(rig.heard), events


@pytest.mark.parametrize("name", AUDIO_FAULTS)
def test_after_a_fault_of_the_devices_sound_goes_on(name: str) -> None:
    session, out, _ = run(AUDIO_FAULTS[name], Delay(500, RATE, BLOCK))
    assert session.error is None
    assert session.state is SessionState.IDLE
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1
    np.testing.assert_allclose(out[-RATE:], LEVEL, atol=1e-3)
    stats = session.stats
    assert abs(stats.late_samples) < 2 * BLOCK + DEVICE
    jump = np.abs(np.diff(out)).max()
    assert jump < (1.01 if name == "beyond_full_scale" else 0.6)  # the input jumps by as much


class Faulty(Identity):
    """Does `fault(self, block)` from the block numbered 50 on, `times` times."""

    def __init__(
        self, fault: Callable[[NDArray[np.float32]], NDArray[np.float32]], times: int = 1
    ) -> None:
        super().__init__(RATE, BLOCK)
        self.fault, self.times, self.count = fault, times, 0

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        self.count += 1
        if 50 <= self.count < 50 + self.times:
            return self.fault(block)
        return super().push(block)


def broken(block: NDArray[np.float32]) -> NDArray[np.float32]:
    raise RuntimeError("the voice broke")


def no_memory(block: NDArray[np.float32]) -> NDArray[np.float32]:
    raise MemoryError("no memory is left")


PROCESSOR_FAULTS: dict[str, tuple[Faulty, type[BaseException] | None, str]] = {
    "nan_from_the_voice_once": (Faulty(lambda b: b * np.float32("nan")), None, ""),
    "infinite_from_the_voice_twice": (Faulty(lambda b: b + np.float32("inf"), 2), None, ""),
    "far_too_loud_from_the_voice": (Faulty(lambda b: b * 1e6, 5), None, ""),
    "double_precision": (Faulty(lambda b: b.astype(np.float64), 99), None, ""),  # type: ignore[arg-type]
    "nan_for_ever": (Faulty(lambda b: b * np.float32("nan"), 999), VoiceChangerError, "in a row"),
    "wrong_length": (Faulty(lambda b: b[:-1]), VoiceChangerError, "as many as it gets"),
    "worker_exception": (Faulty(broken), RuntimeError, "broke"),
    "out_of_memory": (Faulty(no_memory), MemoryError, "memory"),
}


@pytest.mark.parametrize("name", PROCESSOR_FAULTS)
def test_after_a_fault_of_the_voice_sound_goes_on_or_the_state_is_clear(name: str) -> None:
    processor, kind, words = PROCESSOR_FAULTS[name]
    session, out, events = run(lambda rig: None, processor)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1
    if kind is None:
        assert session.error is None
        np.testing.assert_allclose(out[-RATE:], LEVEL, atol=1e-3)
        return
    assert session.state is SessionState.FAILED
    assert isinstance(session.error, kind)
    assert words in str(session.error)
    assert [event.kind for event in events if event.kind != "finished"] == [
        *("started", "failed", "stopped")
    ]
    assert not out[-RATE:].any()
    assert np.abs(np.diff(out[RATE:])).max() <= LEVEL * 2.1 / 240  # it fades


def test_a_listener_that_raises_and_params_that_are_wrong() -> None:
    def complain(event: SessionEvent) -> None:
        raise ValueError("a listener's own fault")

    rig = Rig(lambda rig: None)
    session = LiveSession(Identity(RATE, BLOCK), rig, on_event=complain)
    session.start()
    with pytest.raises(ConfigError, match="gain_db"):
        session.params = VoiceParams(gain_db=1000)
    assert session.wait(60)
    session.stop()
    assert session.error is None


def test_a_device_lost_for_good_is_a_clear_state() -> None:
    def lose(rig: Rig) -> None:
        rig.callback.ended(DeviceError("the microphone was unplugged"))

    session, _, events = run(lose, Identity(RATE, BLOCK))
    assert session.state is SessionState.FAILED
    assert "unplugged" in str(session.error)
    assert "failed" in [event.kind for event in events]
