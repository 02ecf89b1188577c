"""Preprocess goes on where it stopped, recomputes what depends, refuses what is stale."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from core.errors import VoiceChangerError
from offline.studio import preprocess as module
from offline.studio.manifest import load_manifest
from offline.studio.preprocess import preprocess
from offline.studio.project import Project
from tests.offline.studio.studio_project import RATE, Told, make_recordings, recording
from tests.toy import TOY


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path, "anna", make_recordings(tmp_path / "recordings", (3.0, 7.0)))


def run(project: Project, told: Told | None = None, workers: int = 1) -> Any:
    return preprocess(project, told if told is not None else Told(), workers, TOY)


def times(project: Project, kind: str) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (project.features / kind).glob("*.npy")}


def test_what_exists_is_kept(project: Project) -> None:
    first = run(project)
    before = times(project, "waves"), times(project, "f0")
    assert len(before[0]) == len(before[1]) == len(first.takes) >= 2
    assert run(project) == first
    assert (times(project, "waves"), times(project, "f0")) == before
    assert load_manifest(project, TOY.audio) == first
    statistics = first.statistics
    assert 100 < statistics.f0_min <= statistics.f0_median <= statistics.f0_max < 250
    assert len(statistics.spec_min) == TOY.mel.n_mels
    assert all(a < b for a, b in zip(statistics.spec_min, statistics.spec_max, strict=True))


def test_workers_make_the_same(project: Project) -> None:
    first = run(project)
    other = replace(project, folder=project.folder.parent / "again")
    assert run(other, workers=2) == first


def test_a_setting_recomputes_what_depends_on_it(project: Project) -> None:
    run(project)
    waves, f0 = times(project, "waves"), times(project, "f0")
    flags = replace(project.config, takes=replace(project.config.takes, min_snr_db=3.0))
    run(replace(project, config=flags))
    assert (times(project, "waves"), times(project, "f0")) == (waves, f0)
    pitch = replace(project.config, pitch=replace(project.config.pitch, f0_max=600.0))
    run(replace(project, config=pitch))
    assert times(project, "waves") == waves
    assert all(times(project, "f0")[name] > f0[name] for name in f0)
    with pytest.raises(VoiceChangerError, match="other settings; run: moksori preprocess anna"):
        load_manifest(project, TOY.audio)


def test_a_damaged_feature_is_refused_and_made_again(project: Project) -> None:
    manifest = run(project)
    file = next((project.features / "waves").glob("*.npy"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(VoiceChangerError, match=rf"{file.name} is missing or damaged; run"):
        load_manifest(project, TOY.audio)
    assert run(project) == manifest
    assert file.read_bytes() == whole


def test_changed_recordings_make_the_manifest_stale(project: Project) -> None:
    run(project)
    soundfile.write(Path(project.config.recordings) / "new.wav", recording(3.0, 9), RATE)
    with pytest.raises(VoiceChangerError, match="added, removed or changed; run"):
        load_manifest(project, TOY.audio)


def test_bad_recordings_are_named_and_the_rest_is_kept(project: Project) -> None:
    folder = Path(project.config.recordings)
    wave = recording(4.0, 5)
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    (folder / "empty.flac").write_bytes(b"")
    soundfile.write(folder / "silence.wav", np.zeros(3 * RATE), RATE)
    soundfile.write(folder / "short.wav", wave[: int(0.3 * RATE)], RATE)
    soundfile.write(folder / "twice.wav", recording(3.0, 0), RATE)
    nan = wave.copy()
    nan[100] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, "FLOAT")
    soundfile.write(folder / "clipped.wav", np.clip(8 * wave, -0.9, 0.9), RATE)
    soundfile.write(folder / "noisy.flac", wave + 0.1 * np.sin(np.arange(len(wave))), RATE)
    told = Told()
    manifest = run(project, told)
    why = {d.source: d.why for d in manifest.dropped}
    assert {"broken.wav", "empty.flac", "nan.wav"} <= why.keys()
    assert why["silence.wav"] == "silence only"
    assert why["short.wav"] == "shorter than 2 s"
    assert why["twice.wav"] == "duplicate"
    flags = {t.source: t.flags for t in manifest.takes}
    assert "clipped" in flags["clipped.wav"]
    assert "noisy" in flags["noisy.flac"]
    (report,) = told.of("report")
    assert {d["source"] for d in report["dropped"]} == why.keys()
    assert len(told.of("file")) == 10


@pytest.mark.parametrize("seconds", [0.3, 0.0])
def test_nothing_to_learn_from(tmp_path: Path, seconds: float) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    if seconds:
        soundfile.write(recordings / "a.wav", recording(seconds), RATE)
    words = "nothing to learn from .*1 x shorter than 2 s" if seconds else "no audio under"
    with pytest.raises(VoiceChangerError, match=words):
        run(Project.create(tmp_path, "anna", recordings))


def test_a_full_disk_ends_it_and_it_goes_on_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = module.save_hashed, [0]

    def full(path: Path, array: Any) -> str:
        count[0] += 1
        if count[0] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(path, array)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_hashed", full)
        with pytest.raises(VoiceChangerError, match=r"could not write .*free some space"):
            run(project)
    assert len(run(project).takes) >= 2
