"""RingBuffer: order, drops, wrap-around, two threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from realtime.ring import RingBuffer


def ramp(start: int, stop: int) -> np.ndarray:
    return np.arange(start, stop, dtype=np.float32)


@pytest.mark.parametrize("capacity", [1, 7, 64, 65])
@pytest.mark.parametrize("size", [1, 3, 64, 100])
def test_what_fits_comes_out_in_order_and_the_rest_is_counted(capacity: int, size: int) -> None:
    ring = RingBuffer(capacity)
    expected: list[float] = []
    got: list[float] = []
    dropped = 0
    for turn in range(20):
        samples = ramp(turn * size, (turn + 1) * size)
        stored = ring.write(samples)
        expected += list(samples[:stored])
        dropped += size - stored
        out = np.full(size // 2 + 1, -1, np.float32)
        count = ring.read(out)
        got += list(out[:count])
        assert (out[count:] == -1).all()
        assert ring.available + ring.free == capacity
    assert ring.dropped == dropped
    assert got == expected[: len(got)]
    assert len(expected) - len(got) == ring.available


def test_skip_throws_away_the_oldest() -> None:
    ring = RingBuffer(10)
    ring.write(ramp(0, 8))
    assert ring.skip(5) == 5
    out = np.zeros(10, np.float32)
    assert ring.read(out) == 3
    assert list(out[:3]) == [5, 6, 7]
    assert ring.skip(4) == 0


def test_ten_million_samples_between_two_threads() -> None:
    total = 10_000_000  # float32 counts exactly up to 2^24
    ring = RingBuffer(200_003)
    rng = np.random.default_rng(0)
    stored: list[tuple[int, int]] = []

    def write() -> None:
        at = 0
        while at < total:
            size = min(int(rng.integers(1, 60_000)), total - at)
            stored.append((at, at + ring.write(ramp(at, at + size))))
            at += size

    writer = threading.Thread(target=write)
    writer.start()
    out = np.empty(50_000, np.float32)
    got = []
    while writer.is_alive() or ring.available:
        count = ring.read(out)
        got.append(out[:count].copy())
    writer.join()
    received = np.concatenate(got)
    expected = np.concatenate([ramp(start, stop) for start, stop in stored])
    np.testing.assert_array_equal(received, expected)
    assert len(received) + ring.dropped == total


def test_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        RingBuffer(0)
