"""The soak in short; in full it is a command, see soak.py."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.doubles import Delay, TwoClocks
from tests.realtime.soak import RATE, Exact, Speech, run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", [Exact, Speech])
def test_five_minutes_lose_and_double_no_sample_and_nothing_grows(kind: type[Exact]) -> None:
    backend = kind(300, hour=50)
    stats = run(Delay(500, RATE, 1536), backend)
    assert (backend.heard, backend.wrong) == (300 * RATE, 0)
    assert (stats.xruns, stats.dropped_samples) == (0, 0)
    first, last = backend.log[1], backend.log[-1]
    assert last.mib - first.mib < 10
    assert last[1:] == first[1:]


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [-200, 200])
def test_an_hour_between_two_clocks(ppm: float) -> None:
    stats = run(Delay(500, 48_000, 1680), TwoClocks(np.zeros(48_480, np.float32), ppm, loops=3600))
    assert (stats.xruns, stats.dropped_samples) == (0, 0)
    assert stats.drift_ppm == pytest.approx(ppm, abs=10)
    assert abs(stats.late_samples) < 480 * 2
