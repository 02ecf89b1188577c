"""Disguised speech: as long, in place, at the asked pitch, and with somebody else's colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from offline.preprocess import Manifest, Utterance, grid_hash, load_wave, wave_path
from tests.toy import needs_pyworld, speechlike

RATE = 16_000


def bursts(seconds: float = 1.5, f0: float = 140.0, rate: int = RATE) -> NDArray[np.float32]:
    """A buzz with three formants, loud and soft four times a second."""
    t = np.arange(round(seconds * rate)) / rate
    wave = np.zeros_like(t)
    for harmonic in range(1, int(7000 / f0)):
        hz = harmonic * f0
        near = sum(np.exp(-(((hz - place) / 300) ** 2)) for place in (700, 1500, 2700))
        wave += (near + 0.01) * np.cos(2 * np.pi * hz * t)
    swell = 0.05 + np.sin(2 * np.pi * 2 * t) ** 8
    wave *= swell / np.abs(wave).max() * 0.5
    noise = np.random.default_rng(0).normal(0, 1e-3, len(t))
    return np.asarray(wave + noise, np.float32)


def envelope(wave: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """The level within 10 ms, its mean taken off."""
    level = np.convolve(wave.astype(np.float64) ** 2, np.hanning(rate // 50), "same") ** 0.5
    return np.asarray(level - level.mean())


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("samples", [1, 999, 30_001])
def test_as_long_as_before(rate: int, samples: int) -> None:
    needs_pyworld()
    from offline.disguise import disguise

    wave = speechlike(samples, sample_rate=rate)
    heard = disguise(wave, rate, np.random.default_rng(0))
    assert heard.shape == (samples,)
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()


def test_silence_stays_silent() -> None:
    needs_pyworld()
    from offline.disguise import disguise

    wave = np.zeros(8000, np.float32)
    assert not disguise(wave, RATE, np.random.default_rng(0)).any()


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("seed", range(4))
def test_aligned_within_2_ms(rate: int, seed: int) -> None:
    needs_pyworld()
    from offline.disguise import disguise

    wave = bursts(rate=rate)
    heard = disguise(wave, rate, np.random.default_rng(seed))
    assert not np.allclose(heard, wave, atol=0.05)
    within = rate // 10
    a, b = envelope(wave, rate)[within:-within], envelope(heard, rate)
    lag = int(np.correlate(b, a, "valid").argmax()) - within
    assert abs(lag) <= 0.002 * rate


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_pitch_moves_by_the_asked_factor(factor: float) -> None:
    needs_pyworld()
    from offline.disguise import Disguise, _pitch, spoken_as

    heard = spoken_as(bursts(), RATE, Disguise(f0=factor))
    f0, _ = _pitch(heard.astype(np.float64))
    assert np.median(f0[f0 > 0]) == pytest.approx(140 * factor, rel=0.02)


def test_formants_move_by_the_asked_factor() -> None:
    needs_pyworld()
    from offline.disguise import Disguise, mean_envelope, spoken_as

    def strongest(wave: NDArray[np.float32]) -> float:
        """Hz around the middle formant."""
        found = mean_envelope(wave, RATE)
        assert found is not None
        hz = np.linspace(0, RATE / 2, len(found))
        band = (hz > 1200) & (hz < 2100)
        return float(hz[band][found[band].argmax()])

    plain = strongest(spoken_as(bursts(), RATE, Disguise()))
    moved = strongest(spoken_as(bursts(), RATE, Disguise(low=1.15, high=1.15)))
    assert moved / plain == pytest.approx(1.15, abs=0.05)


def test_colour_moves_to_the_donors() -> None:
    needs_pyworld()
    from offline.disguise import Disguise, mean_envelope, spoken_as

    own = mean_envelope(bursts(), RATE)
    assert own is not None
    tilt = np.linspace(0, -2, len(own))
    heard = mean_envelope(spoken_as(bursts(), RATE, Disguise(colour=1.0), own + tilt), RATE)
    assert heard is not None
    moved = heard - own - tilt
    assert np.std(moved[20:400]) < 0.5 * np.std(tilt[20:400])


def test_a_folder_of_copies_goes_on_where_it_stopped(tmp_path: Path) -> None:
    needs_pyworld()
    from offline.disguise import disguise_features, donor_envelopes

    names = ["a/1.wav", "a/2.wav", "b/1.wav"]
    wave = (bursts(rate=44_100) * 32767).astype(np.int16)
    utterances = tuple(Utterance(n, n[0], len(wave), 16_000) for n in names)
    manifest = Manifest(grid_hash(AudioConfig(), F0Config()), utterances)
    features, out = tmp_path / "features", tmp_path / "disguised"
    for utterance in utterances:
        path = wave_path(features, utterance.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, wave)
    donors = donor_envelopes(features, manifest, ("b",))
    assert len(donors) == 1
    disguise_features(features, out, manifest, ("a",), donors=donors)
    copies = Manifest.load(out, AudioConfig(), F0Config())
    assert set(copies.utterances) == set(utterances[:2])
    first, second = (load_wave(out, u) for u in utterances[:2])
    assert len(first) == len(second) == len(wave)
    assert not np.array_equal(first, second)  # each is somebody else
    wave_path(out, "a/1.wav").unlink()
    kept = wave_path(out, "a/2.wav").stat().st_mtime_ns
    disguise_features(features, out, manifest, ("a",), donors=donors)
    assert np.array_equal(load_wave(out, utterances[0]), first)
    assert wave_path(out, "a/2.wav").stat().st_mtime_ns == kept
