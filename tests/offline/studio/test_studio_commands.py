"""The studio on the command line: a name alone, JSON events, clear complaints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moksori import main
from offline.studio.project import SETTINGS
from tests.offline.studio.studio_project import make_recordings
from tests.toy import toy_voice


def test_from_recordings_to_a_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_voice().save(tmp_path / "toy.safetensors")
    recordings = make_recordings(tmp_path / "recordings", (3.0, 5.0))
    where = ["--projects", str(tmp_path / "projects")]
    assert main(["new", "anna", "--recordings", str(recordings), *where]) == 0
    settings = Path(capsys.readouterr().out.strip())
    assert settings.name == SETTINGS
    text = settings.read_text(encoding="utf-8")
    text = text.replace(
        'start = "embedded"', f"start = {json.dumps(str(tmp_path / 'toy.safetensors'))}"
    )
    text = text.replace("threads = 0", "threads = 1").replace("polish = true", "polish = false")
    settings.write_text(text, encoding="utf-8")

    assert main(["train", "anna", *where]) == 1
    assert "has no features" in capsys.readouterr().err
    assert main(["preprocess", "anna", *where, "--json", "--workers", "1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events] == ["file", "file", "report"]
    assert main(["export", "anna", *where]) == 1
    assert "has no checkpoint yet; run: moksori train anna" in capsys.readouterr().err
    assert main(["train", "anna", *where, "--steps", "2", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events if e["event"] != "note"] == [
        "start",
        "step",
        "validation",
        "saved",
        "end",
    ]
    assert main(["export", "anna", *where, "--json"]) == 0
    (exported,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert exported["step"] == 2
    assert main(["voices", exported["voice"]]) == 0
    assert "anna: median pitch" in capsys.readouterr().out


def test_unknown_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "anna", "--projects", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith('moksori: no project "anna"')
    assert said.count("\n") == 1
