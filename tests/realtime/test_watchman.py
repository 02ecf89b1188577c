"""A device that has died is told from one that takes its time."""

from __future__ import annotations

import pytest

from realtime.watchman import (
    DEAD_SECONDS,
    FIRST_CALLS,
    FIRST_SECONDS,
    INPUT,
    LAST_CALLS,
    LOOK_SECONDS,
    OUTPUT,
    STUCK_SECONDS,
    Watchman,
)


def call(watchman: Watchman, times: int) -> None:
    for _ in range(times):
        watchman.called(INPUT)
        watchman.called(OUTPUT)


def patience(watchman: Watchman, still: int) -> float:
    """Seconds until one side is given up that has ceased; the other goes on."""
    watchman.look()
    for looks in range(1, 1000):
        watchman.called(1 - still)
        if watchman.look() is not None:
            return looks * LOOK_SECONDS
    return float("inf")


@pytest.mark.parametrize("side", [INPUT, OUTPUT])
def test_a_side_that_ceases_is_given_up(side: int) -> None:
    watchman = Watchman()
    call(watchman, FIRST_CALLS + 1)
    assert patience(watchman, side) == pytest.approx(STUCK_SECONDS, abs=1.1 * LOOK_SECONDS)


def test_a_driver_may_take_its_time_to_begin() -> None:
    assert patience(Watchman(), OUTPUT) == pytest.approx(FIRST_SECONDS, abs=1.1 * LOOK_SECONDS)


def test_an_output_that_underran_is_given_up_sooner_and_for_a_while_only() -> None:
    watchman = Watchman()
    watchman.called(OUTPUT, "output underflow")
    assert patience(watchman, OUTPUT) == pytest.approx(DEAD_SECONDS, abs=1.1 * LOOK_SECONDS)
    call(watchman, FIRST_CALLS + LAST_CALLS)
    assert patience(watchman, OUTPUT) == pytest.approx(STUCK_SECONDS, abs=1.1 * LOOK_SECONDS)


def test_a_program_that_stood_still_gave_one_look_only() -> None:
    watchman = Watchman()
    call(watchman, FIRST_CALLS + 1)
    for _ in range(100):
        assert watchman.look() is None
        assert watchman.look() is None
        call(watchman, 1)
