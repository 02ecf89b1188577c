"""The strangers' file: all for as long, at one level, and nobody whom voices are judged on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import offline.strangers
from core.audio import load_mono, save_audio
from core.config import AudioConfig
from core.errors import VoiceChangerError
from offline.preprocess import held_out
from offline.strangers import SECONDS, strangers
from tests.toy import speechlike

AUDIO = AudioConfig()
SIZE = round(SECONDS * AUDIO.sample_rate)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """`long` speaks for nine seconds, `short` twice for two, one of them softly."""
    rate = AUDIO.sample_rate
    for name, seconds, gain in (("long", (9,), 0.5), ("short", (2, 2), 0.05)):
        (tmp_path / name).mkdir()
        for i, each in enumerate(seconds):
            wave = gain * speechlike(each * rate, seed=i, sample_rate=rate)
            save_audio(tmp_path / name / f"{i}.wav", wave.astype(np.float32), rate)
    return tmp_path


def test_all_speak_as_long_and_as_loud(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline.strangers, "SPEAKERS", "long short")
    long, short = np.split(strangers(data, AUDIO), 2)
    assert len(long) == len(short) == SIZE
    spoken = round(4 * AUDIO.sample_rate)
    assert not short[spoken + AUDIO.sample_rate // 10 :].any()
    loud, soft = (np.sqrt(np.mean(wave[:spoken] ** 2)) for wave in (long, short))
    assert abs(20 * np.log10(loud / soft)) < 1.5


def test_who_is_named_again_goes_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline.strangers, "SPEAKERS", "long long")
    first, second = np.split(strangers(data, AUDIO), 2)
    whole, _ = load_mono(data / "long" / "0.wav", AUDIO.sample_rate)
    for part, said in ((first, whole[:SIZE]), (second, whole[SIZE:])):
        assert np.corrcoef(part[: len(said)], said)[0, 1] > 0.999
    assert not second[len(whole) - SIZE :].any()


def test_nobody_whom_voices_are_judged_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not set(offline.strangers.SPEAKERS.split()) & set(held_out())
    monkeypatch.setattr(offline.strangers, "SPEAKERS", f"long {held_out()[0]}")
    with pytest.raises(VoiceChangerError, match=held_out()[0]):
        strangers(data, AUDIO)


def test_who_is_not_there_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline.strangers, "SPEAKERS", "nobody")
    with pytest.raises(VoiceChangerError, match="no folder nobody"):
        strangers(data, AUDIO)
