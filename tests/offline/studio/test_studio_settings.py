"""project.toml: written with comments, read back, wrong settings named; the lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigError, VoiceChangerError
from offline.studio.project import SETTINGS, Project
from offline.studio.settings import ProjectConfig, read_toml, to_toml


def test_every_setting_is_written_and_read_back(tmp_path: Path) -> None:
    config = ProjectConfig(name="한나", recordings='C:\\my "takes"')
    path = tmp_path / SETTINGS
    path.write_text(to_toml(config), encoding="utf-8")
    assert read_toml(path) == config
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    commented = [line for line in lines if "#" in line]
    assert len(commented) >= len(lines) - 1  # weight_decay says all by its name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam = 1", r"unknown setting nam; known: content, credit, export, name, pitch"),
        ("[train]\nsped = 1", r"train: unknown setting sped; known: .*learning_rate"),
        ("[train]\nseed = 'a'", r"train\.seed: expected int, got 'a'"),
        ("[train]\nmethod = 'half'", r'unknown method "half"; known: full, low-rank, speaker'),
        ("[takes]\ndrop = ['loud']", r"unknown flag loud; known: clipped"),
        ("[slicer]\nmin_seconds = 20", r"min_seconds must lie between"),
        ("[train]\nmax_minutes = 0", r"needs an end"),
        ("[export]\nsharpness = -0.5", r"sharpness must lie between 0 and 1, got -0\.5"),
        ("[export]\nretrieval_share = 3.0", r"retrieval_share must lie between 0 and 2, got 3\.0"),
        ("[train\n", r"no valid TOML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / SETTINGS
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_toml(path)


def test_projects_by_name(tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    project = Project.create(tmp_path, "anna", tmp_path / "takes")
    assert Project.open(tmp_path, "anna") == project
    with pytest.raises(ConfigError, match=r'no project "bert" .*known: anna; .*moksori new bert'):
        Project.open(tmp_path, "bert")
    with pytest.raises(ConfigError, match="exists; change it"):
        Project.create(tmp_path, "anna", tmp_path / "takes")
    with pytest.raises(ConfigError, match="cannot name a project"):
        Project.open(tmp_path, "../anna")
    with pytest.raises(ConfigError, match="is no folder"):
        Project.create(tmp_path, "carl", tmp_path / "nowhere")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    project = Project.create(tmp_path, "anna", tmp_path / "takes")
    code = (
        "import sys; from pathlib import Path; from offline.studio.project import Project\n"
        "with Project.open(Path(sys.argv[1]), 'anna').locked():\n"
        "    print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        taken = pytest.raises(VoiceChangerError, match=rf"worked on by process {other.pid}")
        with taken, project.locked():
            pass
        other.kill()
    with project.locked():  # the system freed the dead one's
        pass
