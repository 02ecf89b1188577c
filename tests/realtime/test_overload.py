"""A machine too slow: fewer steps, then none, then back; the delay holds, nothing clicks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.loopback import LoopbackBackend, VirtualClock
from realtime.overload import (
    HOLD_SECONDS,
    LONGEST_HOLD_SECONDS,
    SLOW_BLOCKS,
    Overload,
)
from realtime.session import LiveSession
from realtime.sound import Mode
from realtime.stats import LiveStats
from tests.doubles import Identity

RATE, BLOCK = 48_000, 960  # 20 ms


def run(overload: Overload, costs: list[float], per_step: bool = True) -> list[int]:
    """The effort before each block of a second; costs: of a block at one step."""
    efforts = []
    for number, cost in enumerate(costs):
        efforts.append(overload.effort)
        steps = overload.effort if per_step else min(overload.effort, 1)
        overload.note(cost * steps, number + 1.0)
    return efforts


def test_steps_are_halved_then_left_out_then_given_back() -> None:
    overload = Overload(1.0, 4, 0.0)
    efforts = run(overload, [2.0] * 24 + [0.1] * 60)
    changes = [a for a, b in zip(efforts, [0, *efforts], strict=False) if a != b]
    assert changes[:4] == [4, 2, 1, 0]
    assert efforts.index(2) <= SLOW_BLOCKS
    assert efforts[-1] == 4


def test_one_slow_block_changes_nothing() -> None:
    assert set(run(Overload(1.0, 2, 0.0), [0.1, 0.1, 9.0, 0.1] * 9)) == {2}


def test_each_try_that_fails_makes_the_next_wait_longer() -> None:
    overload = Overload(1.0, 1, 0.0)
    efforts = run(overload, [1.5] * 100, per_step=False)
    tries = [i for i in range(1, len(efforts)) if efforts[i] and not efforts[i - 1]]
    waits = np.diff(tries)
    assert tries[0] >= HOLD_SECONDS
    assert (np.diff(waits) >= 0).all()
    assert waits[0] < waits[-1] <= LONGEST_HOLD_SECONDS + 2 * SLOW_BLOCKS
    assert all(0 in efforts[i : i + SLOW_BLOCKS + 1] for i in tries[:-1])


def test_more_steps_are_given_only_where_there_is_room() -> None:
    overload = Overload(1.0, 2, 0.0)
    assert run(overload, [0.6] * 40)[-1] == 1  # two would take 1.2 of a block


class Loaded(Identity):
    """Takes `seconds` of a virtual clock a step and block while `busy(now)`."""

    def __init__(self, clock: VirtualClock, seconds: float, start: float, end: float) -> None:
        super().__init__(RATE, BLOCK)
        self.clock, self.seconds, self.start, self.end = clock, seconds, start, end
        self.steps = 2

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.resets > 1 and self.start <= self.clock.now < self.end:
            self.clock.sleep(self.seconds * self.steps)
        return -super().push(block)


def play(
    seconds: float, bypass: Mode, wave: NDArray[np.float32], start: float = 1.0, end: float = 3.0
) -> tuple[NDArray[np.float32], LiveStats, int, list[int]]:
    """What was played after the latency, the last stats, the latency, lateness at every block."""
    backend = LoopbackBackend(wave, sample_rate=RATE, block=96)
    assert backend.virtual_clock
    late: list[int] = []

    class Watched(Loaded):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            late.append(session.stats.late_samples)
            return super().push(block)

    processor = Watched(backend.virtual_clock, seconds, start, end)
    session = LiveSession(processor, backend, bypass=bypass)
    session.start()
    assert session.wait(60)
    session.stop()
    assert session.error is None
    return backend.output[session.latency :], session.stats, session.latency, late


@pytest.mark.parametrize("bypass", ["dry", "mute"])
@pytest.mark.parametrize("seconds", [0.011, 0.025, 0.1])
def test_under_any_load_the_delay_holds_and_the_voice_returns(seconds: float, bypass: Mode) -> None:
    out, stats, _, late = play(seconds, bypass, np.ones(9 * RATE, np.float32))
    assert max(late) < BLOCK
    assert stats.late_samples < BLOCK
    assert stats.effort == 2
    assert (out[-RATE:] == -1).all()  # the voice is back
    if seconds == 0.011:  # one step is quick enough
        assert stats.bypassed_blocks == 0
        assert stats.silent_samples < 480  # what three blocks too slow have cost
    else:
        assert stats.bypassed_blocks > 50
        middle = out[round(1.8 * RATE) : round(2.8 * RATE)]
        heard = {"dry": 1, "mute": 0}[bypass]
        assert np.median(middle) == heard


def test_no_change_clicks_and_no_sound_is_heard_twice() -> None:
    """A change takes 5 ms, half of that where two fades meet; time never goes back."""
    out, stats, *_ = play(0.1, "dry", np.ones(6 * RATE, np.float32))
    assert stats.dropped_samples > 0
    assert np.abs(np.diff(out)).max() <= 4.2 / 240
    ramp = np.arange(1, 6 * RATE + 1, dtype=np.float32) / (6 * RATE)
    out, *_ = play(0.1, "mute", ramp)
    level = np.abs(out)
    newest = np.maximum.accumulate(level)
    behind = newest[level > 0.99 * newest]  # where it is not fading
    assert (np.diff(behind) >= 0).all()


def test_lowered_steps_are_given_back_at_the_end() -> None:
    backend = LoopbackBackend(np.ones(2 * RATE, np.float32), sample_rate=RATE, block=96)
    assert backend.virtual_clock
    processor = Loaded(backend.virtual_clock, 0.011, 0.5, 99)
    session = LiveSession(processor, backend)
    session.start()
    assert session.wait(60)
    assert (session.stats.effort, processor.steps) == (1, 1)
    session.stop()
    assert processor.steps == 2


@pytest.mark.parametrize("start", [0.5, 0.507, 0.513])
def test_a_stall_of_three_seconds_is_forgotten(start: float) -> None:
    backend = LoopbackBackend(np.ones(8 * RATE, np.float32), sample_rate=RATE, block=480)
    assert backend.virtual_clock

    class Stalled(Loaded):
        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            if self.resets > 1 and self.start <= self.clock.now:
                self.start = 99.0
                self.clock.sleep(3.0)
            return block

    session = LiveSession(Stalled(backend.virtual_clock, 0, start, 99), backend)
    session.start()
    assert session.wait(60)
    session.stop()
    stats = session.stats
    assert stats.xruns == 1
    assert 2.8 * RATE < stats.silent_samples < 3.1 * RATE
    assert 0 <= stats.late_samples < BLOCK
    assert stats.bypassed_blocks == 0
    assert np.abs(np.diff(backend.output[session.latency :])).max() <= 1.05 / 240
