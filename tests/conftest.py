"""Fixtures of the tests of the command line."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

# two threads on small tensors mostly wait for each other, busily where others want the core
os.environ.setdefault("OMP_NUM_THREADS", "1")

from core.audio import load_mono, save_audio
from moksori import main
from tests.command_line import DEMO, RATE, VOICE, Moksori, Said
from tests.qt import WHY_NOT
from tests.sound_card import FalseSoundDevice

pytest_plugins = [] if WHY_NOT else ["pytestqt.plugin"]  # else pytest would not even start

# a job in a shell's background ignores Ctrl-C, and so would all that the tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file of the test's own; there is none yet."""
    path = tmp_path_factory.mktemp("settings") / "moksori" / "settings.json"
    monkeypatch.setattr("realtime.settings.settings_path", lambda: path)
    return path


@pytest.fixture(autouse=True)
def as_any_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process asks for no priority in vain: it would keep it."""

    def refuse(*_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.setpriority", refuse, raising=False)
    monkeypatch.setattr("os.sched_setscheduler", refuse, raising=False)


@pytest.fixture
def moksori(capsys: pytest.CaptureFixture[str]) -> Moksori:
    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the packaged recording at the voice's rate, 16 bit."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    save_audio(path, load_mono(DEMO, RATE)[0][: 2 * RATE], RATE)
    return path


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FalseSoundDevice:
    module = FalseSoundDevice()
    module.alive = True
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def _nan(good: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.arange(len(good)) == 22_050, np.float32(np.nan), good)


@pytest.fixture(scope="session")
def bad(tmp_path_factory: pytest.TempPathFactory, speech: Path) -> Path:
    """A folder of everything that is no recording or no voice."""
    folder = tmp_path_factory.mktemp("bad")
    good = load_mono(speech)[0]
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_bytes(b"these are words, not sound\n" * 50)
    soundfile.write(folder / "zero.wav", good[:0], RATE)
    soundfile.write(folder / "nan.wav", _nan(good), RATE, "FLOAT")
    for name in ("cut.wav", "cut.flac"):
        soundfile.write(folder / name, good, RATE)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    with safe_open(VOICE, "np") as file:
        metadata = file.metadata()
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    first, second = sorted(weights)[:2]

    def voice(name: str, changed: dict[str, Any], **stated: str) -> None:
        save_file(changed, folder / f"{name}.safetensors", {**metadata, **stated})

    data = VOICE.read_bytes()
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "stub.safetensors").write_bytes(data[:5])
    (folder / "none.safetensors").write_bytes(b"")
    (folder / "pickle.safetensors").write_bytes(pickle.dumps(_Bomb(folder / "exploded")))
    voice("later", weights, version="99")
    voice("other", weights, format="someone-elses")
    voice("config", weights, config='{"name": "x", "wings": 2}')
    voice("torn", weights, config="{")
    voice("missing", {key: w for key, w in weights.items() if key != first})
    voice("foreign", {**weights, "trojan.weight": np.zeros(3, np.float16)})
    voice("shapes", {**weights, first: np.zeros((1, 2, 3), np.float16)})
    infinite = np.full_like(weights[second], np.inf)
    voice("infinite", {**weights, second: infinite})
    return folder


class _Bomb:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)
