"""Praat's autocorrelation pitch: as Praat itself found it, and on sounds of known pitch."""

from __future__ import annotations

import numpy as np
import pytest

from core.f0.praat import PraatConfig, _interpolate, _refine, praat_f0, praat_pitch
from tests.golden import GOLDEN, arrays, cases, needs_golden

CONFIG = PraatConfig(50.0, 1100.0)


def check(name: str, wave: np.ndarray, rate: int, hop: int, wanted: np.ndarray, low: float) -> None:
    made = praat_f0(wave, rate, hop, len(wanted), PraatConfig(low, 1100.0))
    assert np.array_equal(made > 0, wanted > 0), name
    assert np.abs(made - wanted).max() < 1e-3, name


@needs_golden
def test_f0_is_praats_own() -> None:
    io = arrays("functions")
    check("44.1 kHz", io["mono44_wav"], 44_100, 512, io["mono44_f0"], 40.0)
    check("24 kHz", io["mono24_wav"], 24_000, 128, io["mono24_f0"], 50.0)


@needs_golden
@pytest.mark.parametrize("case", cases("input.wav"))
def test_f0_of_a_voices_input(case: str) -> None:
    io = arrays(case)
    old = (GOLDEN / case / "hifigan24k").is_dir()
    rate, hop, low = (24_000, 128, 50.0) if old else (44_100, 512, 40.0)
    check(case, io["wav"], rate, hop, io["f0_raw"], low)


@pytest.mark.parametrize("pitch", [60.0, 110.0, 441.0, 1000.0])
def test_a_tone_has_its_pitch(pitch: float) -> None:
    t = np.arange(22_050) / 44_100
    tone = sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 6))
    found = praat_pitch((0.1 * tone).astype(np.float32), 44_100, 512, CONFIG)
    np.testing.assert_allclose(found, pitch, rtol=3e-4)


def test_noise_silence_and_stubs_have_none() -> None:
    noise = np.random.default_rng(0).standard_normal(22_050).astype(np.float32)
    assert (praat_pitch(noise, 44_100, 512, CONFIG) > 0).mean() < 0.1
    assert not praat_pitch(np.zeros(22_050, np.float32), 44_100, 512, CONFIG).any()
    assert len(praat_pitch(noise[:2000], 44_100, 512, CONFIG)) == 0
    assert praat_f0(noise[:2000], 44_100, 512, 3, CONFIG).tolist() == [0, 0, 0]


@pytest.mark.parametrize("length", [400, 60])
def test_a_peak_is_where_the_interpolated_curve_is_highest(length: int) -> None:
    """Near the ends of short rows fewer samples count."""
    noise = np.random.default_rng(0).standard_normal((6, length))
    y = np.stack([np.convolve(row, np.hanning(7), "same") for row in noise])
    rows, peaks = np.nonzero((y[:, 3:-3] > y[:, 2:-4]) & (y[:, 3:-3] >= y[:, 4:-2]))
    peaks += 3
    places, highs = _refine(y, rows, peaks)
    around = peaks[:, None] + np.linspace(-1.0, 1.0, 2001)
    curve = _interpolate(y, rows, around, 70)
    assert (highs >= curve.max(1) - 1e-9).all()
    assert (highs <= curve.max(1) + 1e-4).all()
    np.testing.assert_allclose(highs, _interpolate(y, rows, places[:, None], 70)[:, 0], atol=1e-9)
