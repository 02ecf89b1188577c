"""Two clocks: the stretcher exact, the follower steady for hours, a session between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.clock import LIMIT, ClockFollower, Stretcher
from realtime.session import LiveSession
from tests.doubles import Identity, TwoClocks

RATE = 48_000
CENT = 2 ** (1 / 1200) - 1


def tone(samples: int, hertz: float = 1000.0) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hertz * np.arange(samples) / RATE).astype(np.float32)


def test_the_correction_is_below_a_cent() -> None:
    assert LIMIT < CENT


@pytest.mark.parametrize("size", [1, 7, 333, 20_000])
def test_unstretched_is_a_plain_delay(size: int) -> None:
    wave = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    stretcher = Stretcher()
    out = np.concatenate([stretcher.push(wave[i : i + size], 0.0) for i in range(0, 4000, size)])
    np.testing.assert_array_equal(out[Stretcher.DELAY :], wave[: -Stretcher.DELAY])
    assert stretcher.surplus == 0


@pytest.mark.parametrize("share", [-LIMIT, -1e-4, 3e-5, LIMIT])
@pytest.mark.parametrize("size", [1, 480, 1671])
def test_stretched_is_the_sound_at_other_places(share: float, size: int) -> None:
    wave = tone(RATE if size > 1 else 4000)
    stretcher = Stretcher()
    parts = [stretcher.push(wave[i : i + size], share) for i in range(0, len(wave), size)]
    out = np.concatenate(parts)
    assert stretcher.surplus == len(out) - len(wave)
    assert abs(stretcher.surplus - share * len(wave)) <= 1
    places = np.arange(len(out)) / (1 + share) - Stretcher.DELAY
    expected = np.sin(2 * np.pi * 1000 * places / RATE)
    np.testing.assert_allclose(out[100:], expected[100:], atol=1e-4)


def drift(ppm: float, hours: float, jitter_ms: float) -> tuple[NDArray[np.float64], float]:
    """Lateness after every block of 35 ms in ms, and the largest correction of all."""
    block = 0.035
    follower = ClockFollower(RATE)
    count = round(3600 * hours / block)
    jitter = np.random.default_rng(1).standard_normal(count) * jitter_ms * RATE / 1000
    late, largest, made = np.empty(count), 0.0, 0.0
    for i in range(count):
        gap = -ppm * 1e-6 * RATE * block * (i + 1)
        share = follower.steer(follower.smooth(gap + jitter[i], block) + made, block)
        made += share * RATE * block
        late[i] = (gap + made) * 1000 / RATE
        largest = max(largest, abs(share))
    return late, largest


@pytest.mark.parametrize("ppm", [-200, 200])
def test_eight_hours_of_drift_keep_the_cushion(ppm: float) -> None:
    late, largest = drift(ppm, 8, jitter_ms=3.0)
    assert np.abs(late).max() < 5  # ms: of a cushion of a block, 35
    assert np.abs(late[len(late) // 8 :]).max() < 3
    hourly = [part.mean() for part in np.array_split(late, 8)[1:]]
    assert max(hourly) - min(hourly) < 0.1  # nothing grows
    assert largest <= LIMIT
    assert 1200 * math.log2(1 + largest) < 1


def test_a_stall_is_worked_off_within_the_bound() -> None:
    follower, late = ClockFollower(RATE), 0.02 * RATE
    for _ in range(round(120 / 0.035)):
        share = follower.steer(late, 0.035)
        assert abs(share) <= LIMIT
        late += share * RATE * 0.035
    assert abs(late) < 0.001 * RATE


@pytest.mark.parametrize("ppm", [-200, 0, 200])
def test_a_session_between_two_clocks(ppm: float) -> None:
    """Two minutes of a tone: no dropout, the delay stays, the pitch moves by less than a cent."""
    backend = TwoClocks(tone(120 * RATE), ppm)
    session = LiveSession(Identity(RATE, 1680), backend)
    session.start()
    assert session.wait(100)
    session.stop()
    stats = session.stats
    assert (stats.xruns, stats.dropped_samples, session.error) == (0, 0, None)
    assert abs(stats.late_samples) < 0.015 * RATE  # of callbacks of 10 ms
    assert abs(stats.late_ms - 1000 * stats.late_samples / RATE) < 0.1
    assert stats.drift_ppm == pytest.approx(ppm, abs=60)
    out = backend.output[2 * RATE :]
    crossings = np.flatnonzero((out[:-1] < 0) & (out[1:] >= 0))
    second = np.arange(0, len(crossings) - 1001, 1000)
    pitches = 1000 * RATE / (crossings[second + 1000] - crossings[second])
    assert np.abs(1200 * np.log2(pitches / 1000)).max() < 1


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44_100, 48_000), (48_000, 16_000)])
def test_unequal_rates_and_clocks(rate_in: int, rate_out: int) -> None:
    t = np.arange(8 * rate_in) / rate_in
    backend = TwoClocks(np.sin(2 * np.pi * 440 * t).astype(np.float32), 150, rate_in, rate_out)
    session = LiveSession(Identity(44_100, 1536), backend)
    session.start()
    assert session.wait(100)
    session.stop()
    assert (session.stats.xruns, session.stats.dropped_samples) == (0, 0)
    out = backend.output[rate_out : 7 * rate_out]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert np.argmax(spectrum) * rate_out / len(out) == pytest.approx(440, abs=0.5)
    assert np.abs(out).max() == pytest.approx(1, abs=0.01)
