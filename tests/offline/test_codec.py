"""The codec's damage: as long, in place, and really there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.config import AudioConfig, F0Config
from core.errors import ConfigError
from offline.codec import code_features, coded
from offline.preprocess import Manifest, Utterance, grid_hash, load_wave, wave_path
from tests.toy import speechlike


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("samples", [1, 999, 30_000])
def test_as_long_as_before(rate: int, samples: int) -> None:
    heard = coded(speechlike(samples, sample_rate=rate), rate)
    assert heard.shape == (samples,)
    assert heard.dtype == np.float32


def test_aligned_and_damaged() -> None:
    wave = speechlike(64_000, sample_rate=16_000)
    heard = coded(wave, 16_000, 16)
    lags = np.correlate(heard[20_000:30_000], wave[19_900:30_100])
    assert abs(int(lags.argmax()) - 100) <= 2
    assert not np.allclose(heard, wave, atol=1e-3)


def test_a_bit_rate_opus_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="6 to 256 kbit/s"):
        coded(speechlike(1000), 44_100, 2)


def test_a_folder_of_copies(tmp_path: Path) -> None:
    names = ["a/1.wav", "a/2.wav", "b/1.wav"]
    utterances = tuple(Utterance(n, n[0], 20_000 + i, 16_000) for i, n in enumerate(names))
    manifest = Manifest(grid_hash(AudioConfig(), F0Config()), utterances)
    features, out = tmp_path / "features", tmp_path / "coded"
    for utterance in utterances:
        path = wave_path(features, utterance.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, (speechlike(utterance.samples) * 32767).astype(np.int16))
    code_features(features, out, manifest, 1.0, [16.0], ("a",))
    copies = Manifest.load(out, AudioConfig(), F0Config())
    assert copies.utterances == utterances[:2]
    for copy in copies.utterances:
        assert len(load_wave(out, copy)) == copy.samples
