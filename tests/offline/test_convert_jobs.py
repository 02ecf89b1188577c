"""Many files in several processes: the same files, failures listed, done ones left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile

from moksori import main
from tests.toy import speechlike, toy_voice


def test_jobs_make_the_same_and_a_restart_skips_what_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_voice().save(tmp_path / "toy.safetensors")
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    for i in range(3):
        soundfile.write(folder / f"{i}.wav", speechlike(8000 + 900 * i, i, 16_000), 16_000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    options = ["--voice", str(tmp_path / "toy.safetensors"), "--skip-done"]
    arguments = ["convert", str(tmp_path / "in")]
    assert main([*arguments, str(tmp_path / "one"), *options]) == 1
    assert main([*arguments, str(tmp_path / "two"), *options, "--jobs", "2"]) == 1
    said = capsys.readouterr()
    assert said.err.count("1 of 4 files failed") == 2
    made = {p.name: p.read_bytes() for p in (tmp_path / "two" / "deep").iterdir()}
    assert made == {p.name: p.read_bytes() for p in (tmp_path / "one" / "deep").iterdir()}
    assert set(made) == {"0.wav", "1.wav", "2.wav"}

    (folder / "broken.wav").unlink()
    times = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "two" / "deep").iterdir()}
    os.utime(folder / "1.wav")
    again = [*arguments, str(tmp_path / "two"), *options, "--jobs", "2"]
    assert main(again) == 0
    later = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "two" / "deep").iterdir()}
    assert [name for name in sorted(times) if later[name] != times[name]] == ["1.wav"]
    assert main(again) == 0
    assert "every file is done already" in capsys.readouterr().err
