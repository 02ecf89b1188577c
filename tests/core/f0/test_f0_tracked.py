"""Our own estimators: streaming is exact, lookahead is what they declare, known tones come out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0 import F0Estimator, f0_estimator
from core.f0.frames import DEFAULT_F0

AUDIO = AudioConfig()
HOP, RATE = AUDIO.hop_length, AUDIO.sample_rate


@pytest.fixture(
    params=[
        F0Config(name, lookahead_frames=frames)
        for name in ("autocorrelation", "yin")
        for frames in (None, 2, 1)
    ],
    ids=lambda config: f"{config.estimator}-{config.lookahead_frames}",
)
def estimator(request: pytest.FixtureRequest) -> F0Estimator:
    return f0_estimator(AUDIO, request.param)


def tone(f0: NDArray[np.float64], harmonics: int = 8, level: float = 0.3) -> NDArray[np.float32]:
    """f0: (T,) Hz by sample -> harmonics at 1/k, none above 8 kHz."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    k = np.arange(1, harmonics + 1)[:, None]
    parts = np.where(k * f0 < 8000, np.sin(k * phase) / k, 0.0)
    return np.asarray(level * parts.sum(axis=0), np.float32)


def speechlike(seconds: float = 1.5, seed: int = 1) -> NDArray[np.float32]:
    """Tones that come and go over a little noise."""
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    gate = (np.sin(2 * np.pi * 2.3 * t) > -0.3).astype(np.float64)
    wave = tone(160 + 50 * np.sin(2 * np.pi * 1.1 * t)) * gate
    noise = np.random.default_rng(seed).standard_normal(n)
    return np.asarray(wave + 0.01 * noise, np.float32)


def push_all(
    estimator: F0Estimator, wave: NDArray[np.float32], sizes: list[int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    stream = estimator.stream()
    tracks, at, turn = [], 0, 0
    while at < len(wave):
        size = sizes[turn % len(sizes)]
        tracks.append(stream.push(wave[at : at + size]))
        at, turn = at + size, turn + 1
    tracks.append(stream.flush())
    return np.concatenate([f0 for f0, _ in tracks]), np.concatenate([v for _, v in tracks])


@pytest.mark.parametrize("sizes", [[2048], [511], [7777], [1, 1000, 3, 2049, 0, 512]], ids=str)
def test_chunked_equals_whole(estimator: F0Estimator, sizes: list[int]) -> None:
    wave = speechlike()
    f0, voiced = estimator(wave)
    assert len(f0) == len(voiced) == AUDIO.frames(len(wave))
    assert f0.dtype == np.float32
    assert voiced.dtype == np.bool_
    streamed_f0, streamed_voiced = push_all(estimator, wave, sizes)
    np.testing.assert_array_equal(streamed_voiced, voiced)
    np.testing.assert_allclose(streamed_f0, f0, rtol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 5000])
def test_frames_cover_any_length(estimator: F0Estimator, length: int) -> None:
    f0, voiced = estimator(speechlike()[:length])
    assert len(f0) == len(voiced) == AUDIO.frames(length)


def test_reset_and_flush_rewind(estimator: F0Estimator) -> None:
    wave, stream = speechlike(0.5), estimator.stream()
    first = stream.push(wave)
    stream.reset()
    second = stream.push(wave)
    stream.flush()
    third = stream.push(wave)
    for again in (second, third):
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])


def test_lookahead_is_enough_and_needed(estimator: F0Estimator) -> None:
    wave, stream = speechlike(), estimator.stream()
    frame = 60
    end = (frame + 1) * HOP + stream.lookahead
    other = wave.copy()
    other[end:] = np.random.default_rng(3).standard_normal(len(wave) - end)
    for a, b in zip(estimator(wave), estimator(other), strict=True):
        np.testing.assert_array_equal(a[: frame + 1], b[: frame + 1])
    assert len(stream.push(wave[: end - 1])[0]) == frame
    assert len(stream.push(wave[end - 1 : end])[0]) == 1


@pytest.mark.parametrize("name", ["autocorrelation", "yin"])
@pytest.mark.parametrize(("wanted", "given"), [(None, 4), (9, 4), (4, 4), (3, 3), (2, 2), (1, 1)])
def test_lookahead_fills_the_frames_it_may(name: str, wanted: int | None, given: int) -> None:
    lookahead = f0_estimator(AUDIO, F0Config(name, lookahead_frames=wanted)).stream().lookahead
    assert (given - 1) * HOP < lookahead <= given * HOP


def test_less_lookahead_moves_no_frame(estimator: F0Estimator) -> None:
    """Where a tone glides, what is heard at a frame is the pitch at its centre, not before."""
    truth = np.geomspace(150.0, 300.0, RATE)
    f0, voiced = estimator(tone(truth))
    inner = slice(8, -8)
    centres = np.arange(len(f0) - 1) * HOP + HOP // 2
    late = np.log2(f0[:-1][inner] / truth[centres][inner]) * 1000  # ms: an octave takes a second
    assert voiced[inner].all()
    assert abs(float(np.median(late))) < {"Autocorrelation": 4, "Yin": 12}[type(estimator).__name__]


def test_silence_is_unvoiced_and_holds_the_default(estimator: F0Estimator) -> None:
    f0, voiced = estimator(np.zeros(RATE // 2, np.float32))
    assert not voiced.any()
    assert (f0 == DEFAULT_F0).all()


def test_noise_is_unvoiced(estimator: F0Estimator) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    assert estimator(noise.astype(np.float32))[1].mean() < 0.05


def test_unvoiced_frames_hold_the_last_voiced_f0(estimator: F0Estimator) -> None:
    wave = np.concatenate([tone(np.full(RATE // 2, 220.0)), np.zeros(RATE // 2, np.float32)])
    f0, voiced = estimator(wave)
    last = np.flatnonzero(voiced)[-1]
    assert last < AUDIO.frames(len(wave)) - 20
    assert (f0[last:] == f0[last]).all()


@pytest.mark.parametrize("hz", [60.0, 82.4, 150.0, 233.1, 440.0, 880.0, 1050.0])
@pytest.mark.parametrize("harmonics", [1, 8])
def test_known_tones(estimator: F0Estimator, hz: float, harmonics: int) -> None:
    f0, voiced = estimator(tone(np.full(RATE // 2, hz), harmonics))
    inner = slice(6, -6)
    assert voiced[inner].all()
    # --low-latency hears little more than a period of so low a tone ahead
    cut = hz <= 60 and estimator.stream().lookahead <= 2 * HOP
    np.testing.assert_allclose(f0[inner], hz, rtol=0.01 if cut else 0.005)


@pytest.mark.parametrize("way", [1, -1], ids=["up", "down"])
def test_glide_has_no_octave_jump(estimator: F0Estimator, way: int) -> None:
    truth = np.geomspace(100.0, 900.0, 2 * RATE)[::way]
    f0, voiced = estimator(tone(truth, 10))
    centres = np.arange(len(f0) - 1) * HOP + HOP // 2
    inner = slice(6, -6)
    assert voiced[inner].all()
    np.testing.assert_allclose(f0[:-1][inner], truth[centres][inner], rtol=0.03)


@pytest.mark.parametrize(("rate", "hop"), [(16_000, 160), (48_000, 480), (22_050, 256)])
def test_other_grids(rate: int, hop: int) -> None:
    audio = AudioConfig(rate, hop)
    wave = np.sin(2 * np.pi * 200 * np.arange(rate) / rate).astype(np.float32)
    for name in ("autocorrelation", "yin"):
        f0, voiced = f0_estimator(audio, F0Config(name))(wave)
        assert voiced[8:-8].all()
        np.testing.assert_allclose(f0[8:-8], 200, rtol=0.005)
