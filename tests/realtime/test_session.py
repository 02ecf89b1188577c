"""LiveSession over LoopbackBackend: exact on the virtual clock, orderly in every failure."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import load_mono, save_audio
from core.config import StreamConfig, VoiceParams
from core.errors import AudioFileError, ConfigError, DeviceError, VoiceChangerError
from core.resampler import Resampler
from core.streaming.converter import StreamingConverter
from realtime.backend import AudioCallback
from realtime.loopback import LoopbackBackend
from realtime.overload import PATIENT_BLOCKS
from realtime.plan import BlockProcessor
from realtime.session import LiveSession, SessionEvent
from realtime.stats import LiveStats, SessionState
from tests.doubles import Delay, FailingProcessor, Gain, Identity, SlowProcessor
from tests.toy import speechlike, toy_voice

RATE = 48_000


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def play(session: LiveSession) -> LiveStats:
    session.start()
    assert session.wait(60)
    session.stop()
    return session.stats


def run(
    processor: BlockProcessor,
    wave: NDArray[np.float32],
    rate: int = RATE,
    slack: float | None = 0.0,
    block: int | None = None,
) -> tuple[NDArray[np.float32], LiveSession]:
    backend = LoopbackBackend(wave, sample_rate=rate, block=block)
    session = LiveSession(processor, backend, slack_seconds=slack)
    stats = play(session)
    assert session.error is None
    assert stats.state is SessionState.IDLE
    assert len(backend.output) == len(wave) + session.latency
    return backend.output, session


# ---- exactness


@pytest.mark.parametrize("slack", [0.0, None])
@pytest.mark.parametrize(
    ("block", "device_block"), [(960, 480), (2048, 480), (480, 480), (333, 480)]
)
def test_virtual_clock_equals_direct_pushes_bit_for_bit(
    block: int, device_block: int, slack: float | None
) -> None:
    wave = noise(20_011)
    out, session = run(Delay(100, RATE, block), wave, slack=slack, block=device_block)
    direct = Delay(100, RATE, block)
    padded = np.concatenate([wave, np.zeros(session.latency + block, np.float32)])
    pushed = [direct.push(padded[i : i + block]) for i in range(0, len(padded) - block + 1, block)]
    expected = np.concatenate(pushed)[100:][: len(wave)]
    np.testing.assert_array_equal(out[session.latency :], expected)
    assert not out[: session.latency].any()
    stats = session.stats
    assert (stats.xruns, stats.silent_samples, stats.dropped_samples) == (0, 0, 0)


@pytest.mark.parametrize("at", [0, 1, 479, 480, 4001])
@pytest.mark.parametrize("delay", [0, 1, 3000])
def test_impulse_comes_out_after_exactly_the_declared_latency(at: int, delay: int) -> None:
    wave = np.zeros(9600, np.float32)
    wave[at] = 1
    out, session = run(Delay(delay, RATE, 1024), wave, slack=None)
    assert np.flatnonzero(out).tolist() == [at + session.latency]
    total = session.stats.latency.total_ms
    assert total == pytest.approx(1e3 * session.latency / RATE)


@pytest.mark.parametrize(
    ("rate", "own_rate"), [(48_000, 44_100), (44_100, 48_000), (16_000, 44_100), (192_000, 44_100)]
)
@pytest.mark.parametrize("delay", [0, 1, 1234])
def test_impulse_with_unequal_rates_comes_out_after_exactly_the_latency(
    rate: int, own_rate: int, delay: int
) -> None:
    wave = np.zeros(rate // 2, np.float32)
    at = rate // 5 + 1
    wave[at] = 1
    out, session = run(Delay(delay, own_rate, 1024), wave, rate)
    around = out[at + session.latency - 40 : at + session.latency + 41]
    assert int(np.argmax(np.abs(out))) == at + session.latency
    np.testing.assert_allclose(around, around[::-1], atol=2e-3)  # symmetric: no fraction is left
    stats = session.stats
    assert (stats.xruns, stats.dropped_samples) == (0, 0)
    assert stats.latency.total_ms == pytest.approx(1e3 * session.latency / rate)
    assert stats.latency.slack_ms >= 0


def test_unequal_rates_equal_the_resamplers_by_hand() -> None:
    wave = noise(30_000)
    out, session = run(Identity(44_100, 2048), wave)
    there, back = Resampler(RATE, 44_100, "live"), Resampler(44_100, RATE, "live")
    padded = np.concatenate([wave, np.zeros(10_000, np.float32)])
    expected = back.push(there.push(padded))[: len(wave)]
    np.testing.assert_array_equal(out[session.latency :], expected)


@pytest.mark.parametrize("device_block", [1, 64, 441, 480, 5000])
def test_no_cushion_is_enough_when_compute_takes_no_time(device_block: int) -> None:
    length = 1500 if device_block == 1 else 12_000
    for rate, own in ((48_000, 48_000), (48_000, 44_100), (44_100, 16_000)):
        _, session = run(Delay(7, own, 512), noise(length), rate, 0.0, device_block)
        assert session.stats.xruns == 0


def test_least_latency_is_a_block_when_the_device_divides_it() -> None:
    backend = LoopbackBackend(noise(10), sample_rate=RATE, block=480)
    assert LiveSession(Identity(RATE, 960), backend, slack_seconds=0).latency == 960
    assert LiveSession(Identity(RATE, 960), backend).latency == 2 * 960  # one more as cushion


def test_channels_are_mixed_down_and_out_on_all_channels() -> None:
    wave = np.stack([noise(5000, 1), noise(5000, 2)])
    backend = LoopbackBackend(wave, sample_rate=RATE, output_channels=2, trim=True)
    play(LiveSession(Identity(RATE, 512), backend))
    assert len(backend.output) == 5000
    np.testing.assert_allclose(backend.output, wave.mean(axis=0), atol=1e-7)


def test_two_runs_are_bit_identical_and_a_session_starts_again() -> None:
    wave = noise(10_000)
    processor = Delay(50, RATE, 700)
    first, _ = run(processor, wave)
    second, _ = run(processor, wave)
    np.testing.assert_array_equal(first, second)


# ---- stalls


def test_slow_blocks_cost_exactly_the_counted_xruns() -> None:
    wave = np.ones(RATE, np.float32)  # 1 s, device blocks and processor blocks of 10 ms
    backend = LoopbackBackend(wave, sample_rate=RATE, block=480)
    assert backend.virtual_clock
    processor = SlowProcessor(0.035, backend.virtual_clock, frozenset({20, 60}), RATE, 480)
    session = LiveSession(processor, backend, slack_seconds=0.01)
    stats = play(session)
    # A slow block is ready before the 4th call after the one that completed it. With 10 ms of
    # cushion it was due at the 2nd: two calls are silent. That is two blocks late and the limit is
    # one, so the slow block and the one after it are dropped; nothing is late afterwards.
    assert stats.xruns == 2
    assert stats.silent_samples == 2 * 960
    assert stats.silent_samples == 480 * _silent_device_blocks(backend.output)
    assert stats.dropped_samples == 2 * 960
    assert stats.late_samples == 0
    assert stats.blocks == -(-(len(wave) + session.latency) // 480) - 2


def _silent_device_blocks(out: NDArray[np.float32]) -> int:
    """Device blocks that end in silence, after the first that does not and before the tail."""
    ends = out[: len(out) // 480 * 480].reshape(-1, 480)[:, -1]
    heard = np.flatnonzero(ends)
    return int(np.count_nonzero(ends[heard[0] : heard[-1]] == 0))


def test_a_processor_too_slow_for_ever_keeps_latency_bounded() -> None:
    backend = LoopbackBackend(noise(2 * RATE), sample_rate=RATE, block=480)
    assert backend.virtual_clock
    processor = SlowProcessor(0.045, backend.virtual_clock, None, RATE, 960)  # 45 ms for 20 ms
    stats = play(LiveSession(processor, backend))
    assert 1 <= stats.xruns <= PATIENT_BLOCKS
    assert stats.bypassed_blocks > 60
    assert stats.effort == 0
    assert stats.late_samples < 960
    again = LoopbackBackend(noise(2 * RATE), sample_rate=RATE, block=480)
    assert again.virtual_clock
    processor = SlowProcessor(0.045, again.virtual_clock, None, RATE, 960)
    assert play(LiveSession(processor, again)).xruns == stats.xruns
    np.testing.assert_array_equal(again.output, backend.output)


def test_compute_below_the_cushion_costs_nothing() -> None:
    backend = LoopbackBackend(noise(RATE), sample_rate=RATE, block=480)
    assert backend.virtual_clock
    processor = SlowProcessor(0.0199, backend.virtual_clock, None, RATE, 960)
    session = LiveSession(processor, backend)
    stats = play(session)
    assert (stats.xruns, stats.dropped_samples) == (0, 0)
    np.testing.assert_array_equal(backend.output[session.latency :], noise(RATE))


def test_silence_begins_and_ends_with_a_fade() -> None:
    backend = LoopbackBackend(np.ones(RATE // 2, np.float32), sample_rate=RATE, block=480)
    assert backend.virtual_clock
    processor = SlowProcessor(0.05, backend.virtual_clock, frozenset({9}), RATE, 480)
    session = LiveSession(processor, backend)
    stats = play(session)
    assert stats.xruns == 1
    heard = backend.output[session.latency : session.latency + RATE // 4]
    assert np.abs(np.diff(heard)).max() <= 1 / 60
    assert (heard == 0).any()


# ---- failures


def test_a_worker_that_raises_gives_silence_failed_and_its_exception() -> None:
    error = RuntimeError("the voice broke")
    backend = LoopbackBackend(np.ones(RATE, np.float32), sample_rate=RATE, block=480)
    events: list[SessionEvent] = []
    session = LiveSession(
        FailingProcessor(10, error, RATE, 960), backend, on_event=events.append, slack_seconds=0
    )
    session.start()
    assert session.wait(60)
    assert session.state is SessionState.FAILED
    assert session.error is error
    session.stop()
    assert session.state is SessionState.FAILED
    assert [event.kind for event in events if event.kind != "finished"] == [
        "started",
        "failed",
        "stopped",
    ]
    assert events[1].error is error
    played = backend.output[session.latency :]
    assert (played[: 8 * 960] == 1).all()
    assert not played[11 * 960 :].any()


def test_a_failed_run_leaves_the_old_output_file(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    save_audio(path, noise(100), RATE)
    old = path.read_bytes()
    backend = LoopbackBackend(noise(RATE), path, sample_rate=RATE)
    session = LiveSession(FailingProcessor(3, ValueError("no"), RATE, 960), backend)
    play(session)
    assert session.state is SessionState.FAILED
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["out.wav"]


def test_failure_while_warming_up_is_raised_by_start(tmp_path: Path) -> None:
    class Broken(Identity):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            raise RuntimeError("no weights")

    backend = LoopbackBackend(noise(100), sample_rate=RATE)
    events: list[SessionEvent] = []
    record = tmp_path / "r.wav"
    session = LiveSession(Broken(), backend, on_event=events.append, record=record)
    with pytest.raises(RuntimeError, match="no weights"):
        session.start()
    assert session.state is SessionState.FAILED
    assert [event.kind for event in events] == ["failed"]
    assert list(tmp_path.iterdir()) == []
    session.stop()


def test_wrong_length_of_a_block_is_said_in_a_sentence() -> None:
    class Short(Identity):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            return block[:-1]

    with pytest.raises(VoiceChangerError, match="must give as many as it gets"):
        LiveSession(Short(), LoopbackBackend(noise(100), sample_rate=RATE)).start()


def test_nan_is_silence_for_a_block_and_fails_when_it_stays() -> None:
    class Poisoned(Identity):
        def __init__(self, last: int) -> None:
            super().__init__(RATE, 480)
            self.count = 0
            self.last = last

        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            self.count += 1
            return block * np.float32(np.nan if 10 <= self.count < self.last else 1)

    backend = LoopbackBackend(np.ones(RATE // 4, np.float32), sample_rate=RATE, trim=True)
    session = LiveSession(Poisoned(12), backend)
    stats = play(session)
    assert stats.bad_blocks == 2
    assert np.isfinite(backend.output).all()
    assert 480 < np.count_nonzero(backend.output == 0) <= 2 * 480
    assert np.abs(np.diff(backend.output)).max() < 2.1 / 240  # it fades
    session = LiveSession(
        Poisoned(99), LoopbackBackend(np.ones(RATE // 4, np.float32), sample_rate=RATE)
    )
    play(session)
    assert session.state is SessionState.FAILED
    assert "in a row" in str(session.error)


def test_nan_from_a_device_never_reaches_the_processor() -> None:
    wave = np.ones(4800, np.float32)
    wave[1000] = np.nan
    backend = LoopbackBackend(wave, sample_rate=RATE, trim=True)
    session = LiveSession(Identity(RATE, 480), backend)
    play(session)
    assert session.error is None
    assert np.flatnonzero(backend.output != 1).tolist() == [1000]


def test_a_worker_that_hangs_does_not_hang_stop() -> None:
    release = threading.Event()

    class Hanging(Identity):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            if self.resets > 1:
                release.wait(60)
            return block

    backend = LoopbackBackend(noise(RATE), sample_rate=RATE, clock="real")
    session = LiveSession(Hanging(RATE, 480), backend)
    session.start()
    time.sleep(0.05)
    session.stop(timeout=0.2)
    assert session.state is SessionState.FAILED
    assert "did not return" in str(session.error)
    release.set()


def test_a_lost_device_fails_the_session() -> None:
    class Lost(LoopbackBackend):
        def _play(self, callback: object) -> None:
            raise DeviceError("the microphone was unplugged")

    session = LiveSession(Identity(), Lost(noise(100), sample_rate=RATE))
    stats = play(session)
    assert stats.state is SessionState.FAILED
    assert isinstance(session.error, DeviceError)


def test_the_collector_lets_the_voice_be_while_a_device_runs() -> None:
    seen = []

    class Card(LoopbackBackend):
        def start(self, callback: AudioCallback) -> None:
            self.reopens = False  # the rest as for a file
            seen.append(gc.get_freeze_count())
            super().start(callback)

    backend = Card(noise(100), sample_rate=RATE)
    backend.reopens = True
    session = LiveSession(Identity(), backend)
    play(session)
    session.stop()
    assert seen[0] > 10_000
    assert gc.get_freeze_count() == 0


def test_a_file_leaves_the_collector_as_it_is() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        session = LiveSession(Identity(), LoopbackBackend(noise(100), sample_rate=RATE))
        play(session)
        session.stop()
        assert gc.get_freeze_count() > frozen // 2  # but for what has died since
    finally:
        gc.unfreeze()


def test_a_device_that_does_not_open_raises_from_start() -> None:
    backend = LoopbackBackend(noise(100), sample_rate=RATE)
    session = LiveSession(Identity(), backend)
    play(session)
    with pytest.raises(DeviceError, match="already played"):
        session.start()
    assert session.state is SessionState.FAILED


def test_events_come_in_order_and_a_bad_listener_changes_nothing() -> None:
    seen = []

    def listen(event: SessionEvent) -> None:
        seen.append(event.kind)
        raise ValueError("a listener's own fault")

    backend = LoopbackBackend(noise(2000), sample_rate=RATE, trim=True)
    session = LiveSession(Identity(), backend, on_event=listen)
    play(session)
    session.stop()
    assert seen == ["started", "finished", "stopped"]
    np.testing.assert_array_equal(backend.output, noise(2000))


def test_bad_settings_are_refused() -> None:
    backend = LoopbackBackend(noise(10), sample_rate=RATE)
    with pytest.raises(ConfigError, match="slack_seconds"):
        LiveSession(Identity(), backend, slack_seconds=-1)
    with pytest.raises(ConfigError, match="at least 1 sample"):
        LiveSession(Identity(block=0), backend)
    with pytest.raises(ConfigError, match="real, virtual"):
        LoopbackBackend(noise(10), sample_rate=RATE, clock="slow")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="sample_rate"):
        LoopbackBackend(noise(10))


# ---- files, knobs, figures


def test_file_to_file_and_both_recordings(tmp_path: Path) -> None:
    wave = np.clip(noise(RATE // 2), -0.9, 0.9)
    save_audio(tmp_path / "in.wav", wave, RATE, "FLOAT")
    backend = LoopbackBackend(tmp_path / "in.wav", tmp_path / "out.wav")
    session = LiveSession(
        Delay(300, RATE, 960),
        backend,
        record=tmp_path / "converted.wav",
        record_input=tmp_path / "heard.wav",
    )
    stats = play(session)
    out, rate = load_mono(tmp_path / "out.wav")
    assert rate == RATE
    assert len(out) == len(wave) + session.latency
    np.testing.assert_allclose(out[session.latency :], wave, atol=1e-4)
    heard, _ = load_mono(tmp_path / "heard.wav")
    np.testing.assert_allclose(heard[: len(wave)], wave, atol=1e-4)
    converted, _ = load_mono(tmp_path / "converted.wav")
    assert len(converted) == len(heard) == stats.blocks * 960
    np.testing.assert_allclose(converted[300 : 300 + len(wave)], wave, atol=1e-4)


def test_a_recording_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    backend = LoopbackBackend(noise(100), sample_rate=RATE)
    session = LiveSession(Identity(), backend, record=tmp_path / "no" / "r.wav")
    with pytest.raises(AudioFileError, match="does not exist"):
        session.start()


def test_params_arrive_with_the_next_block() -> None:
    backend = LoopbackBackend(np.ones(9600, np.float32), sample_rate=RATE, trim=True)
    session = LiveSession(Gain(RATE, 480), backend, params=VoiceParams(gain_db=-20))
    play(session)
    np.testing.assert_allclose(backend.output, 0.1, rtol=1e-5)


def test_the_speaker_may_change_while_the_session_runs() -> None:
    """Every sample is there, no dropout, and what is played is what the converter makes of it."""
    wave = speechlike(60 * 512)
    stream = StreamConfig(block_frames=4)

    class Switching(StreamingConverter):
        """Assigns the session other params with its fifth block; the sixth hears them."""

        def reset(self) -> None:
            super().reset()
            self.pushes = 0  # also after warming up

        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            self.pushes += 1
            if self.pushes == 5:
                session.params = VoiceParams(speakers=(0.5, 0.5))
            return super().push(block)

    backend = LoopbackBackend(wave, sample_rate=44_100, trim=True)
    session = LiveSession(Switching(toy_voice(), stream), backend)
    stats = play(session)
    assert stats.xruns == stats.dropped_samples == 0
    assert len(backend.output) == len(wave)
    plain = StreamingConverter(toy_voice(), stream)
    parts = []
    for number, at in enumerate(range(0, len(wave) + plain.latency, plain.block)):
        if number == 5:
            plain.params = VoiceParams(speakers=(0.5, 0.5))
        block = wave[at : at + plain.block]
        parts.append(plain.push(np.pad(block, (0, plain.block - len(block)))))
    made = np.concatenate(parts)[plain.latency :]
    np.testing.assert_allclose(backend.output, made[: len(wave)], atol=1e-6)


def test_stats_tell_levels_timings_and_latency() -> None:
    backend = LoopbackBackend(
        np.full(9600, 0.5, np.float32), sample_rate=RATE, latency=0.012, trim=True
    )
    session = LiveSession(Delay(96, RATE, 960), backend, slack_seconds=0.02)
    seen: list[LiveStats] = []
    session._emit = lambda kind, error=None: seen.append(session.stats)  # type: ignore[method-assign]
    stats = play(session)
    assert seen[0].state is SessionState.RUNNING
    assert 0 < stats.p50_ms <= stats.p95_ms <= stats.p99_ms <= stats.max_ms
    assert stats.rtf > 0
    assert stats.input_db == -120  # the last block is the silence after the end
    latency = stats.latency
    assert latency.device_ms == pytest.approx(12)
    assert latency.block_ms == pytest.approx(20)
    assert latency.processor_ms == pytest.approx(2)
    assert latency.slack_ms == pytest.approx(20)
    assert latency.total_ms == pytest.approx(12 + 1e3 * session.latency / RATE)


def test_real_clock_keeps_time_and_stops_at_once() -> None:
    backend = LoopbackBackend(noise(RATE // 5), sample_rate=RATE, clock="real", trim=True)
    began = time.monotonic()
    session = LiveSession(Identity(RATE, 960), backend, slack_seconds=5)
    session.start()
    time.sleep(0.3)
    session.stop()  # long before the 5 s of cushion are out
    assert time.monotonic() - began >= 0.3
    assert session.state is SessionState.IDLE
    assert session.stats.blocks <= 60 * RATE // 960


def test_real_clock_plays_all(tmp_path: Path) -> None:
    wave = noise(RATE // 5)
    backend = LoopbackBackend(wave, sample_rate=RATE, clock="real", trim=True)
    session = LiveSession(Identity(RATE, 960), backend, slack_seconds=0.5)
    stats = play(session)
    assert len(backend.output) == len(wave)
    if stats.xruns == 0:  # a loaded machine may stall for half a second
        np.testing.assert_array_equal(backend.output, wave)


def test_input_that_loses_samples_gets_its_cushion_back() -> None:
    class Split(LoopbackBackend):
        """Two streams; the microphone misses the calls from 30 to 39."""

        def _play(self, callback: AudioCallback) -> None:
            for call in range(100):
                out = np.empty((480, 1), np.float32)
                callback(None, out, None)
                self._keep(out[:, 0])
                if not 30 <= call < 40:
                    callback(np.ones((480, 1), np.float32), None, None)
                while not callback.settle(1):
                    pass

    backend = Split(noise(10), sample_rate=RATE, block=480)
    session = LiveSession(Identity(RATE, 960), backend)
    stats = play(session)
    assert stats.xruns == 1
    assert stats.late_samples == 0
    assert stats.silent_samples == 9 * 480  # the first call had no input yet: one block of surplus
    assert stats.dropped_samples == 0
    assert (backend.output[-30 * 480 :] == 1).all()


def test_a_recording_begins_and_ends_while_sound_runs(tmp_path: Path) -> None:
    """Both files hold the same blocks, from the one after the call to the one before the end."""

    class Recorded(Identity):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            if self.pushes == 5:
                session.start_recording(tmp_path / "out.flac", tmp_path / "in.flac")
            if self.pushes == 15:
                session.stop_recording()
            return super().push(block)

    processor = Recorded()
    wave = np.clip(noise(RATE), -0.9, 0.9)
    session = LiveSession(processor, LoopbackBackend(wave, sample_rate=RATE), warm_up_blocks=0)
    with pytest.raises(VoiceChangerError, match="start it first"):
        session.start_recording(tmp_path / "out.flac")
    play(session)
    assert session.recording_error is None
    made, heard = (load_mono(tmp_path / name)[0] for name in ("out.flac", "in.flac"))
    block = processor.block
    expected = wave[5 * block : 15 * block]
    np.testing.assert_allclose(heard[: len(expected)], expected, atol=1e-4)
    np.testing.assert_array_equal(made, heard)
    assert len(made) == len(expected)
    session.stop_recording()  # harmless
