"""RNNoise before the voice: noise goes, speech stays and is as late as declared."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import load_mono
from core.errors import ConfigError
from realtime import suppress
from realtime.suppress import FRAME, Suppressed
from tests.command_line import DEMO, RATE, Moksori, live
from tests.doubles import Delay, Identity

Wave = NDArray[np.float32]

needs_rnnoise = pytest.mark.skipif(
    importlib.util.find_spec("pyrnnoise") is None, reason="needs the extra `noise`"
)


def through(wave: Wave, block: int) -> tuple[Wave, int]:
    processor = Suppressed(Identity(RATE, block))
    whole = len(wave) // block * block
    out = [processor.push(wave[at : at + block]) for at in range(0, whole, block)]
    return np.concatenate(out), processor.latency


def noise(seconds: float, level: float) -> Wave:
    dice = np.random.default_rng(0)
    return dice.normal(0, level, round(seconds * RATE)).astype(np.float32)


def db(wave: Wave) -> float:
    return float(10 * np.log10(np.mean(wave**2) + 1e-12))


@needs_rnnoise
@pytest.mark.parametrize("block", [512, 1536, 1000])
def test_speech_stays_and_is_as_late_as_declared(block: int) -> None:
    speech = load_mono(DEMO, RATE)[0][: 4 * RATE]
    out, latency = through(speech, block)
    assert latency <= 3 * FRAME
    second = slice(RATE, 2 * RATE)
    lags = range(latency - 40, latency + 41)
    fits = [np.dot(out[RATE + lag : 2 * RATE + lag], speech[second]) for lag in lags]
    assert abs(lags[int(np.argmax(fits))] - latency) <= 10
    assert abs(db(out) - db(speech)) < 1.5


@needs_rnnoise
@pytest.mark.parametrize("level", [0.001, 0.01, 0.03])
def test_noise_alone_is_20_db_softer(level: float) -> None:
    heard = noise(4, level)
    out, _ = through(heard, 1536)
    assert db(out[2 * RATE :]) < db(heard) - 20


@needs_rnnoise
def test_blocks_change_nothing_and_reset_forgets() -> None:
    wave = noise(1, 0.1)
    ours, theirs = through(wave, 1536), through(wave, 480)
    n = len(wave) // 1536 * 1536 - ours[1]
    np.testing.assert_array_equal(ours[0][ours[1] :][:n], theirs[0][theirs[1] :][:n])
    processor = Suppressed(Delay(7, RATE, 1536))
    assert processor.latency == 7 + ours[1]
    first = processor.push(wave[:1536])
    for _ in range(5):
        processor.push(wave[1536:3072])
    processor.reset()
    np.testing.assert_array_equal(processor.push(wave[:1536]), first)


@needs_rnnoise
def test_live_without_the_noise_and_with_a_formant(
    moksori: Moksori, speech: Path, tmp_path: Path
) -> None:
    figures = []
    for options in ([], ["--suppress-noise", "--formant", 2]):
        said = moksori(*live(speech, tmp_path / "o.wav", "--clock", "virtual", "--json", *options))
        assert said.code == 0
        figures.append(said.lines[-1])
    later = figures[1]["algorithmic_ms"] - figures[0]["algorithmic_ms"]
    assert 1e3 * 2 * FRAME / RATE < later <= 1e3 * 3 * FRAME / RATE


@needs_rnnoise
def test_a_voice_at_another_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="between 40000 and 52000 Hz"):
        Suppressed(Identity(24_000, 480))


def test_without_the_library_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    suppress.load_library.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install pyrnnoise"):
        suppress.load_library()
