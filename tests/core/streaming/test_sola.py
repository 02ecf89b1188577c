"""The splice: a pure delay for what agrees, an aligned fade for what is shifted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ConfigError
from core.streaming.sola import Sola, best_lag, crossfade

Wave = NDArray[np.float32]
SIZES = [(64, 16, 8), (65, 64, 0), (1, 8, 4), (7, 32, 16), (512, 480, 240)]  # block, fade, search


def noise(n: int, seed: int = 0) -> Wave:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def renderings(signal: Wave, block: int, overlap: int) -> list[Wave]:
    stops = range(block + overlap, len(signal) + 1, block)
    return [signal[stop - block - overlap : stop] for stop in stops]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", ["noise", "sine", "silence"])
def test_identical_overlaps_give_lag_0_and_a_pure_delay(
    kind: str, sizes: tuple[int, int, int]
) -> None:
    block, fade, search = sizes
    n = 20 * block + fade + search
    sine = np.sin(0.3 * np.arange(n)).astype(np.float32)
    signal = {"noise": noise(n), "sine": sine, "silence": np.zeros(n, np.float32)}[kind]
    sola = Sola(fade, search)
    out = []
    for rendering in renderings(signal, block, sola.overlap):
        out.append(sola.push(rendering))
        assert sola.lag == 0
        assert out[-1].shape == (block,)
        assert out[-1].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(out), signal[: 20 * block], atol=1e-6)


@pytest.mark.parametrize("shift", [0, 1, 5, 63, 100])
def test_a_shifted_sine_gives_its_shift_and_no_jump(shift: int) -> None:
    """Period 101 > search, so the shift is the only lag that fits."""
    block, fade, search = 400, 202, 100
    omega = 2 * np.pi / 101
    time = np.arange(block + fade + search)
    sola = Sola(fade, search)
    first = sola.push(np.sin(omega * time).astype(np.float32))
    second = sola.push(np.sin(omega * (time + block - shift)).astype(np.float32))
    assert sola.lag == shift
    joined = np.concatenate([first, second])
    np.testing.assert_allclose(joined, np.sin(omega * np.arange(2 * block)), atol=1e-5)
    assert np.abs(np.diff(joined)).max() < 1.01 * omega


def test_among_periods_the_smallest_lag_wins() -> None:
    wave = np.sin(2 * np.pi / 20 * np.arange(400)).astype(np.float32)
    assert best_lag(wave[:100], wave[7:300]) == 13


def test_a_constant_offset_does_not_fool_the_search() -> None:
    wave = noise(300) + np.float32(50.0)
    assert best_lag(wave[40:140], wave[10:210]) == 30
    assert best_lag(np.full(50, 0.5, np.float32), wave[:100]) == 0


def test_loudness_does_not_fool_the_search() -> None:
    region = noise(200)
    region[120:] *= 100.0
    assert best_lag(0.1 * region[25:85], region) == 25


@pytest.mark.parametrize("level", [0.0, 1e-7])
def test_silence_on_either_side_gives_lag_0(level: float) -> None:
    quiet, loud = level * noise(150), noise(150, seed=1)
    assert best_lag(quiet[:100].astype(np.float32), loud) == 0
    assert best_lag(loud[:100], quiet.astype(np.float32)) == 0


def test_what_never_correlates_gives_lag_0() -> None:
    ramp = np.linspace(-1.0, 1.0, 60, dtype=np.float32)
    assert best_lag(ramp[:50], -ramp) == 0


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_constant_length_and_reset(sizes: tuple[int, int, int]) -> None:
    block, fade, search = sizes
    sola = Sola(fade, search)

    def run() -> list[Wave]:
        return [sola.push(noise(block + sola.overlap, seed)) for seed in range(6)]

    first = run()
    assert [len(out) for out in first] == [block] * 6
    sola.reset()
    for before, after in zip(first, run(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_push_leaves_the_rendering_alone() -> None:
    sola = Sola(16, 8)
    rendering = noise(64)
    before = rendering.copy()
    sola.push(rendering)
    sola.push(rendering)
    np.testing.assert_array_equal(rendering, before)


@pytest.mark.parametrize("shape", [(1,), (16,), (128, 5)])
def test_crossfade_has_equal_gain(shape: tuple[int, ...]) -> None:
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    np.testing.assert_allclose(crossfade(ones, ones), 1.0)
    down, up = crossfade(ones, zeros), crossfade(zeros, ones)
    np.testing.assert_allclose(down + up, 1.0, rtol=1e-6)
    np.testing.assert_allclose(down, up[..., ::-1], atol=1e-6)
    assert np.all(np.diff(up) > 0)


@pytest.mark.parametrize("shape", [(24,), (0,), (2, 64)])
def test_a_rendering_too_short_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="more than 24 samples"):
        Sola(16, 8).push(np.zeros(shape, np.float32))


@pytest.mark.parametrize(("fade", "search"), [(0, 4), (4, -1)])
def test_impossible_sizes(fade: int, search: int) -> None:
    with pytest.raises(ConfigError):
        Sola(fade, search)
