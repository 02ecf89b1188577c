"""Sung copies: another pitch, the same timing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.f0 import f0_estimator
from offline.preprocess import Manifest, preprocess
from offline.tasks.denoiser import DenoiserTask
from tests.offline.corpus import make_corpus
from tests.toy import TOY, needs_pyworld, speechlike, toy_voice

RATE = TOY.audio.sample_rate


def test_a_sung_copy_is_higher_and_aligned() -> None:
    needs_pyworld()
    from offline.sung import sung

    wave = speechlike(2 * RATE, seed=1)
    copy = sung(wave, RATE, np.random.default_rng(0))
    assert copy is not None
    assert copy.shape == wave.shape
    before, voiced = f0_estimator(TOY.audio, TOY.f0)(wave)
    after, still = f0_estimator(TOY.audio, TOY.f0)(copy)
    both = voiced & still
    assert both.sum() > 0.7 * voiced.sum()
    assert np.median(after[both]) > 1.15 * np.median(before[both])
    assert np.abs(copy).max() <= 1.0


def test_what_is_not_voiced_is_not_sung() -> None:
    needs_pyworld()
    from offline.sung import sung

    noise = 0.01 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert sung(noise * 0, RATE, np.random.default_rng(0)) is None


def test_copies_are_further_recordings_of_their_speaker(tmp_path: Path) -> None:
    needs_pyworld()
    from offline.sung import sung_features

    features = tmp_path / "features"
    preprocess(make_corpus(tmp_path / "data", seconds=1.2), features, TOY.audio, TOY.f0)
    manifest = Manifest.load(features, TOY.audio, TOY.f0)
    copies = sung_features(features, tmp_path / "sung", manifest, ["low"], share=1.0)
    assert {u.speaker for u in copies.utterances} == {"low"}
    encoder = toy_voice().encoder
    plain = DenoiserTask(TOY, encoder, features, manifest, variants=1, held_back=3)
    task = DenoiserTask(
        TOY, encoder, features, manifest, variants=1, held_back=3, sung=tmp_path / "sung"
    )
    held = {item.utterance.path for item in task.validation}
    added = [u for u in copies.utterances if u.path not in held]
    assert len(task.items) == len(plain.items) + len(added)
    assert len(task.validation) == len(plain.validation)
