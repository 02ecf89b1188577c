"""start.py: what it decides and what it says. Nothing here installs or needs a network."""

from __future__ import annotations

import ast
import io
import os
import re
import sys
from pathlib import Path

import pytest

import start

SOURCE = Path(start.__file__).read_text(encoding="utf-8")
WANTED = start.stamp_for("abc", (3, 11), start.ROOT, {"test"})


def test_it_needs_the_standard_library_only() -> None:
    nodes = list(ast.walk(ast.parse(SOURCE)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_gets_as_far_as_the_message() -> None:
    ast.parse(SOURCE, feature_version=(3, 8))


def test_its_words_fit_any_console() -> None:
    assert SOURCE.isascii()


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--help"]) == 0
    assert "python3 start.py test" in capsys.readouterr().out


def test_the_versions_agree_with_pyproject() -> None:
    oldest, newest = start.PYTHONS
    wanted = f'requires-python = ">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"'
    assert wanted in (start.ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("version", "good"),
    [((3, 9, 18), False), ((3, 10, 0), True), ((3, 13, 7), True), ((3, 14, 0), False)],
)
def test_supported(version: tuple[int, ...], good: bool) -> None:
    assert start.supported(version) is good


@pytest.mark.parametrize(
    ("version", "system", "said"),
    [
        ((3, 9), "Linux", "Python 3.9 is too old"),
        ((3, 14), "Darwin", "Python 3.14 is too new"),
        ((3, 14), "Windows", "then run: py -3.12 start.py"),
    ],
)
def test_python_message(version: tuple[int, ...], system: str, said: str) -> None:
    assert said in start.python_message(version, system)


@pytest.mark.parametrize(
    ("system", "python", "launcher"),
    [
        ("Linux", "bin/python", "python3"),
        ("Darwin", "bin/python", "python3"),
        ("Windows", "Scripts/python.exe", "py"),
    ],
)
def test_commands_of_each_system(system: str, python: str, launcher: str) -> None:
    venv = Path("somewhere") / "목소리"
    assert start.venv_python(venv, system) == venv / python
    assert start.launcher(system) == launcher


@pytest.mark.parametrize(
    ("system", "environ", "screen"),
    [
        ("Linux", {}, False),
        ("Linux", {"DISPLAY": ":0"}, True),
        ("Linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("Windows", {}, True),
        ("Darwin", {}, True),
    ],
)
def test_has_screen(system: str, environ: dict[str, str], screen: bool) -> None:
    assert start.has_screen(environ, system) is screen


@pytest.mark.parametrize(
    ("command", "extras"),
    [
        (["demo"], set()),
        (["convert", "a.wav", "b.wav"], set()),
        (["gui"], set()),
        (["test", "-x"], {"test"}),
    ],
)
def test_extras(command: list[str], extras: set[str]) -> None:
    assert start.extras_for(command) == extras


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({}, True),
        ({"extras": "test train"}, True),
        ({"extras": ""}, False),
        ({"extras": "train"}, False),
        ({"project": "abd"}, False),
        ({"python": "3.12"}, False),
        ({"folder": "elsewhere"}, False),
    ],
)
def test_what_a_stamp_covers(change: dict[str, str], enough: bool) -> None:
    assert start.covers({**WANTED, **change}, WANTED) is enough


def test_no_stamp_covers_nothing() -> None:
    assert not start.covers(None, WANTED)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"project": "abc"}', "\xff"])
def test_a_damaged_stamp_counts_as_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stamp.json"
    assert start.read_stamp(path) is None
    path.write_text(text, encoding="utf-8")
    assert start.read_stamp(path) is None


def test_project_hash_follows_what_an_install_depends_on(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").touch()
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]")
    first = start.project_hash(tmp_path)
    (tmp_path / "core" / "mel.py").touch()
    (tmp_path / "README.md").touch()
    assert start.project_hash(tmp_path) == first
    (tmp_path / "moksori.py").touch()
    second = start.project_hash(tmp_path)
    project.write_text("[project] ")
    assert len({first, second, start.project_hash(tmp_path)}) == 3


@pytest.mark.parametrize(
    ("python", "stamp", "exists", "unfinished", "fault"),
    [
        (None, None, False, False, ""),
        ((3, 11), WANTED, True, False, None),
        ((3, 11), None, True, False, None),  # made by hand: keep it, pip completes it
        ((3, 11), None, True, True, "an earlier install was cut short"),
        (None, WANTED, True, False, "its Python does not run"),
        ((3, 9), None, True, False, "its Python 3.9 is not supported"),
        ((3, 12), WANTED, True, False, "its Python was 3.11 and is now 3.12"),
        ((3, 11), {**WANTED, "folder": "elsewhere"}, True, False, "the folder has moved"),
    ],
)
def test_what_is_wrong_with_an_environment(
    python: tuple[int, ...] | None,
    stamp: dict[str, str] | None,
    exists: bool,
    unfinished: bool,
    fault: str | None,
) -> None:
    assert start.venv_fault(python, stamp, exists, unfinished) == fault


def test_probe() -> None:
    assert start.probe([sys.executable]) == sys.version_info[:2]
    assert start.probe(["there-is-no-such-python"]) is None


def test_environment_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "astray")
    monkeypatch.setenv("PIP_TARGET", "astray")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    environment = start.environment()
    assert not {"PYTHONPATH", "PIP_TARGET"} & set(environment)
    assert environment["PIP_FIND_LINKS"] == "wheels"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  Downloading torch-2.9.0-cp311-cp311-m.whl (899.8 MB)", "torch 2.9.0 (899.8 MB)"),
        ("Downloading nvidia_cudnn_cu12-9.1.0-py3-none-m.whl (1.2 GB)", "nvidia_cudnn_cu12 9.1.0"),
        ("Building wheel for pyworld (pyproject.toml): started", "compiling pyworld"),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
        ("  Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)", ""),
        ("  Downloading x-1.0-py3-none-any.whl (1.5 MB)", ""),
        ("Collecting numpy>=1.26", ""),
    ],
)
def test_plain_words(line: str, words: str) -> None:
    said = start.plain_words(line)
    assert words in said
    assert bool(words) is bool(said)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("NewConnectionError('...: [Errno -2] Name or service not known')", "cannot be reached"),
        ("ERROR: ... requirement setuptools>=77 (from versions: none)", "cannot be reached"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'", "not trusted"),
        ("ERROR: Could not install packages: [WinError 5] Access is denied", "cannot be written"),
        ("ERROR: No matching distribution found for torch<2.14,>=2.6", "no build for this Python"),
        ("ERROR: Failed building wheel for pyworld", "a compiler"),
        ("error: Microsoft Visual C++ 14.0 or greater is required", "a compiler"),
        ("something unheard of", "something unheard of"),
    ],
)
def test_advice(said: str, meaning: str) -> None:
    assert meaning in start.advice(said)


def test_a_dead_network_speaks_before_its_consequence() -> None:
    log = "WARNING: ... NewConnectionError ...\nERROR: No matching distribution found for torch"
    assert "network" in start.advice(log)


@pytest.mark.parametrize(
    ("tool", "mend"),
    [
        ("apt-get", "sudo apt-get install libportaudio2 libsndfile1"),
        ("dnf", "sudo dnf install portaudio libsndfile"),
        ("pacman", "sudo pacman -S portaudio libsndfile"),
        ("", "install with your package manager: portaudio libsndfile"),
    ],
)
def test_missing_libraries(tool: str, mend: str) -> None:
    message = start.missing_message(["portaudio", "sndfile"], tool)
    assert message.startswith("Missing: portaudio (microphone and speaker) and sndfile")
    assert message.endswith(mend)


@pytest.fixture
def unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "unfinished"
    monkeypatch.setattr(start, "UNFINISHED", path)
    return path


UNPACKS = 'print("Installing collected packages: a, b", flush=True)'


@pytest.mark.parametrize("code", [0, 1])
def test_an_install_that_ends_leaves_no_mark(code: int, unfinished: Path) -> None:
    log = io.StringIO()
    script = f"import sys; {UNPACKS}; sys.exit({code})"
    assert start.follow([sys.executable, "-c", script], log) == code
    assert log.getvalue() == "Installing collected packages: a, b\n"
    assert not unfinished.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a killed process from a failed")
def test_an_install_that_is_killed_leaves_its_mark(unfinished: Path) -> None:
    script = f"import os, signal; {UNPACKS}; os.kill(os.getpid(), signal.SIGKILL)"
    assert start.follow([sys.executable, "-c", script], io.StringIO()) != 0
    assert unfinished.exists()


def test_the_large_torch_is_noticed_before_it_is_fetched(unfinished: Path) -> None:
    line = "  Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl (526.6 MB)"
    script = f"import time; print({line!r}, flush=True); time.sleep(60)"
    stopped = start.follow([sys.executable, "-c", script], io.StringIO(), start.DRAGS_IN_CUDA)
    assert stopped is None


@pytest.mark.parametrize(
    ("line", "large"),
    [
        ("Collecting nvidia-cublas==13.1.1.3 (from torch)", True),
        ("Using cached torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl.metadata", True),
        ("Processing /wheels/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("Requirement already satisfied: nvidia-cublas in here", False),
        ("Collecting torch<2.14,>=2.6", False),
    ],
)
def test_which_torch_is_large(line: str, large: bool) -> None:
    assert bool(start.DRAGS_IN_CUDA.match(line)) is large


@pytest.mark.parametrize(
    "line",
    [
        "  ERROR: Failed building wheel for pyworld",
        "ERROR: Could not build wheels for pyworld, which is required to install",
        "ERROR: Failed to build installable wheels for some pyproject.toml projects (pyworld)",
    ],
)
def test_pyworld_may_fail(line: str) -> None:
    assert start.NO_PYWORLD.search(line)
    assert not start.NO_PYWORLD.search(line.replace("pyworld", "numpy"))


def test_every_check_runs_and_one_failure_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "venv_python", lambda: Path(sys.executable))
    good, bad = ["json.tool", "--help"], ["json.tool", "there-is-no-such-file"]
    monkeypatch.setattr(start, "CHECKS", {"first": bad, "second": good})
    assert start.run_checks([]) == 1
    summary = capfd.readouterr().out.partition("== summary")[2]
    assert re.search(r"first .*FAILED", summary)
    assert re.search(r"second .*ok", summary)
    monkeypatch.setattr(start, "CHECKS", {"second": good})
    assert start.run_checks([]) == 0
