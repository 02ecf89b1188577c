"""Feature folders: what is written, what is kept, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.config import AudioConfig, F0Config
from core.errors import VoiceChangerError
from offline.preprocess import (
    Manifest,
    Utterance,
    f0_path,
    grid_hash,
    held_out,
    load_f0,
    load_wave,
    preprocess,
    wave_path,
)
from tests.offline.corpus import make_corpus
from tests.toy import speechlike

AUDIO, F0 = AudioConfig(), F0Config()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "data", seconds=0.3)


def test_waves_f0_and_manifest(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    manifest = preprocess(data, folder, AUDIO, F0)
    assert [(u.path, u.speaker) for u in manifest.utterances] == [
        ("high/0.wav", "high"),
        ("high/1.wav", "high"),
        ("low/0.wav", "low"),
        ("low/1.wav", "low"),
    ]
    assert Manifest.load(folder, AUDIO, F0) == manifest
    first = manifest.utterances[2]
    wave = load_wave(folder, first)
    assert (wave.dtype, len(wave), first.samples, first.rate) == (
        np.float32,
        13_230,
        13_230,
        44_100,
    )
    np.testing.assert_allclose(wave, speechlike(13_230), atol=2 / 32768)
    f0, voiced = load_f0(folder, first)
    assert len(f0) == len(voiced) == AUDIO.frames(13_230)
    assert voiced.dtype == np.bool_
    assert voiced.any()
    assert 100 < float(np.median(f0[voiced])) < 200
    assert not list(folder.rglob("*.part"))


def test_other_rates_come_to_the_grid(tmp_path: Path) -> None:
    data = make_corpus(tmp_path / "data", seconds=0.25, each=1, rate=16_000)
    manifest = preprocess(data, tmp_path / "features", AUDIO, F0)
    assert {u.rate for u in manifest.utterances} == {16_000}
    assert all(abs(u.samples - 11_025) <= 1 for u in manifest.utterances)


def test_a_second_run_keeps_what_is_there(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    preprocess(data, folder, AUDIO, F0)
    files = list(folder.rglob("*.npy"))
    assert len(files) == 8
    times = {p: p.stat().st_mtime_ns for p in files}
    files[0].unlink()
    preprocess(data, folder, AUDIO, F0)
    assert files[0].exists()
    assert {p: p.stat().st_mtime_ns for p in files[1:]} == {p: times[p] for p in files[1:]}


def test_speakers_of_the_tests_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_corpus(tmp_path / "data", seconds=0.25, each=1)
    (data / "high").rename(data / "ls_481")
    manifest = preprocess(data, tmp_path / "features", AUDIO, F0)
    assert {u.speaker for u in manifest.utterances} == {"low"}
    assert "left out 1 recordings of ls_481: held_out.txt" in capsys.readouterr().err


def test_a_manifest_with_speakers_of_the_tests_is_refused(tmp_path: Path) -> None:
    utterance = Utterance("a/emodb_08/1.wav", "emodb_08", 1000, 16_000)
    Manifest(grid_hash(AUDIO, F0), (utterance,)).save(tmp_path)
    with pytest.raises(VoiceChangerError, match=r"emodb_08: held_out\.txt keeps .* rename"):
        Manifest.load(tmp_path, AUDIO, F0)


def test_the_list_of_held_out_speakers() -> None:
    assert len(held_out()) == len(set(held_out())) == 20
    assert held_out()[0] == "ls_1034"
    assert not any(set(name) & set("# ") for name in held_out())


def test_held_out_speakers_and_those_without_pitch(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    manifest = preprocess(data, folder, AUDIO, F0, hold_out=["high"])
    assert {u.speaker for u in manifest.utterances} == {"low"}
    folder = tmp_path / "others"
    preprocess(data, folder, AUDIO, F0, f0_speakers=["low"])
    assert f0_path(folder, "low/0.wav").exists()
    assert wave_path(folder, "high/0.wav").exists()
    assert not f0_path(folder, "high/0.wav").exists()


def test_other_settings_are_refused(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    preprocess(data, folder, AUDIO, F0, f0_speakers=["nobody"])
    with pytest.raises(VoiceChangerError, match="made with other settings than today's"):
        Manifest.load(folder, AudioConfig(hop_length=256), F0)
    with pytest.raises(
        VoiceChangerError, match=r"no manifest\.json in .*moksori recipe preprocess"
    ):
        Manifest.load(data, AUDIO, F0)


def test_no_audio(tmp_path: Path) -> None:
    with pytest.raises(VoiceChangerError, match=r"no audio under .*expected .*wav"):
        preprocess(tmp_path, tmp_path / "features", AUDIO, F0)
