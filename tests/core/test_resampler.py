"""The resampler: exact, aligned, lagging as declared."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ConfigError
from core.resampler import Resampler, resample

RATES = [(48_000, 44_100), (44_100, 48_000), (44_100, 16_000), (8000, 44_100), (192_000, 44_100)]


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def sine(frequency: float, rate: int, n: int) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(n) / rate).astype(np.float32)


@pytest.mark.parametrize("quality", ["live", "high"])
@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_resampler_whole_equals_chunked_bit_for_bit(
    rate_in: int, rate_out: int, quality: str
) -> None:
    wave = noise(7919)
    resampler = Resampler(rate_in, rate_out, quality)
    whole = np.concatenate([resampler.push(wave), resampler.flush()])
    assert len(whole) == round(7919 * rate_out / rate_in)
    for size in (1, 64, 441, 1023):
        if size == 1 and rate_in != 48_000:
            continue
        parts = [resampler.push(wave[i : i + size]) for i in range(0, len(wave), size)]
        np.testing.assert_array_equal(np.concatenate([*parts, resampler.flush()]), whole)
    resampler.push(wave)
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler.push(wave), resampler.flush()]), whole)


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_impulse_is_not_shifted_and_leaves_after_the_declared_delay(
    rate_in: int, rate_out: int
) -> None:
    resampler = Resampler(rate_in, rate_out, "live")
    at = resampler.down * 5  # lands on output sample up * 5 exactly
    wave = np.zeros(at + resampler.delay + 1, np.float32)
    wave[at] = 1
    before = resampler.push(wave[:-1])
    assert len(before) == resampler.up * 5 == resampler.ready(len(wave) - 1)
    last = resampler.push(wave[-1:])
    assert len(last) >= 1
    out = np.concatenate([before, last, resampler.flush()])
    assert int(np.argmax(np.abs(out))) == resampler.up * 5
    for count in (1, 2, 100, 12_345):
        needed = resampler.needed(count)
        assert resampler.ready(needed) >= count > resampler.ready(needed - 1)


@pytest.mark.parametrize(("quality", "rejection"), [("live", 80), ("high", 100)])
@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 44_100), (44_100, 16_000), (16_000, 44_100)]
)
def test_passband_is_flat_and_aliases_are_gone(
    rate_in: int, rate_out: int, quality: str, rejection: float
) -> None:
    low = min(rate_in, rate_out) / 2
    inside = resample(sine(0.8 * low, rate_in, rate_in), rate_in, rate_out, quality)[2000:-2000]
    place = np.arange(2000, 2000 + len(inside)) / rate_out
    np.testing.assert_allclose(inside, np.sin(2 * np.pi * 0.8 * low * place), atol=1e-3)
    if rate_in > rate_out:
        tones = [f * low for f in (1.01, 1.03, 1.08)]
        out = [resample(sine(f, rate_in, rate_in), rate_in, rate_out, quality) for f in tones]
        level = max(float(np.abs(wave[2000:-2000]).max()) for wave in out)
    else:  # images: what of a tone lies above the old Nyquist
        windowed = inside * np.blackman(len(inside))
        spectrum = np.abs(np.fft.rfft(windowed)) / np.abs(np.fft.rfft(windowed)).max()
        level = float(spectrum[np.fft.rfftfreq(len(inside), 1 / rate_out) > 1.01 * low].max())
    assert 20 * np.log10(level) < -rejection


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(44_100, 44_100)
    wave = noise(1000)
    np.testing.assert_array_equal(resampler.push(wave), wave)
    assert resampler.delay == 0
    assert len(resampler.flush()) == 0


def test_constant_stays_constant_and_tiny_waves_keep_their_length() -> None:
    out = resample(np.ones(4800, np.float32), 48_000, 44_100)
    np.testing.assert_allclose(out[400:-400], 1, atol=1e-5)
    for n in (1, 2, 3, 10):
        assert len(resample(np.ones(n, np.float32), 48_000, 44_100)) == round(n * 44_100 / 48_000)
        assert len(resample(np.ones(n, np.float32), 8000, 44_100)) == round(n * 44_100 / 8000)


def test_unknown_quality_names_the_known() -> None:
    with pytest.raises(ConfigError, match="high, live"):
        Resampler(1, 2, "best")
