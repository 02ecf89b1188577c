"""The walls between the rooms: who imports whom, read from the source and seen in running Python.

`WALLS` speaks about every import written anywhere in a file, also inside functions, under
`TYPE_CHECKING` and through `import_module("...")`. `LIGHT` speaks about what really gets loaded.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "realtime", "offline", "gui")


@dataclass(frozen=True)
class Wall:
    """A sentence about imports. Names are dotted and stand for all that lies below them, too."""

    sentence: str
    where: tuple[str, ...]  # rooms or files it speaks about
    forbids: tuple[str, ...]
    but_for: tuple[str, ...] = ()  # files it leaves alone
    allows: tuple[str, ...] = ()  # names it lets through though `forbids` covers them


EVERYWHERE = (*ROOMS, "moksori.py")
QT = ("PyQt6", "PyQt5", "PySide6", "PySide2", "pyqtgraph")
WALLS = (
    Wall("core imports none of the others", ("core",), ("realtime", "offline", "gui", "moksori")),
    Wall("realtime never imports offline or gui", ("realtime",), ("offline", "gui", "moksori")),
    Wall("offline never imports realtime or gui", ("offline",), ("realtime", "gui", "moksori")),
    Wall(
        "of core, realtime uses only config, tables, errors, audio and resampler",
        ("realtime",),
        ("core",),
        allows=("core.config", "core.tables", "core.errors", "core.audio", "core.resampler"),
    ),
    Wall("realtime is plain Python and numpy", ("realtime",), ("torch", "torchaudio")),
    Wall("no gui file imports torch", ("gui",), ("torch", "torchaudio")),
    Wall(
        "only realtime/portaudio.py imports sounddevice",
        EVERYWHERE,
        ("sounddevice",),
        but_for=("realtime/portaudio.py",),
    ),
    Wall("only gui imports PyQt6", ("core", "realtime", "offline", "moksori.py"), QT),
)


@dataclass(frozen=True)
class Import:
    """One imported name, as in `core.audio.Resampler`, and where it stands."""

    file: str
    line: int
    name: str


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    file = path.relative_to(root).as_posix()
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=file)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: max(0, len(package) + 1 - node.level)] if node.level else ()
            base = [*above, *([node.module] if node.module else [])]
            names = [".".join([*base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called not in ("import_module", "__import__"):
                continue
            names = [str(node.args[0].value)]
        else:
            continue
        yield from (Import(file, node.lineno, name) for name in names)


def files_of(where: tuple[str, ...], root: Path) -> list[Path]:
    paths = [root / place for place in where]
    inside = [found for path in paths if path.is_dir() for found in sorted(path.rglob("*.py"))]
    return inside + [path for path in paths if path.is_file()]


def under(name: str, tops: tuple[str, ...]) -> bool:
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def breaches(wall: Wall, root: Path) -> list[str]:
    """Where the sentence is broken: one line an import."""
    return [
        f'{found.file}:{found.line} imports {found.name}, but "{wall.sentence}"'
        for path in files_of(wall.where, root)
        for found in imports_of(path, root)
        if under(found.name, wall.forbids)
        and not under(found.name, wall.allows)
        and found.file not in wall.but_for
    ]


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.sentence)
def test_wall_stands(wall: Wall) -> None:
    broken = breaches(wall, ROOT)
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "gui"])
def test_the_rooms_are_where_the_walls_look_for_them(room: str) -> None:
    assert files_of((room,), ROOT)


PLANTED = [
    ("core/audio.py", "import realtime.ring", "core imports none of the others"),
    (
        "core/f0/yin.py",
        "def f():\n    from offline import train",
        "core imports none of the others",
    ),
    ("core/f0/yin.py", "from ...gui import app", "core imports none of the others"),
    ("realtime/session.py", "from offline.train import train", "realtime never imports offline"),
    ("realtime/session.py", "from core import pipeline", "of core, realtime uses only"),
    ("realtime/session.py", "import core", "of core, realtime uses only"),
    ("realtime/session.py", "from core import *", "of core, realtime uses only"),
    ("realtime/session.py", "import torch.nn as nn", "realtime is plain Python and numpy"),
    ("offline/train.py", "import gui", "offline never imports realtime or gui"),
    ("offline/train.py", "from realtime import ring", "offline never imports realtime or gui"),
    ("gui/widgets/meters.py", "from torch import Tensor", "no gui file imports torch"),
    ("realtime/backend.py", "import sounddevice as sd", "only realtime/portaudio.py imports"),
    ("moksori.py", "import_module('sounddevice')", "only realtime/portaudio.py imports"),
    ("moksori.py", "from PyQt6.QtWidgets import QApplication", "only gui imports PyQt6"),
]


@pytest.mark.parametrize(("file", "source", "sentence"), PLANTED)
def test_a_planted_breach_is_found(file: str, source: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# a line above\n{source}\n", encoding="utf-8")
    found = [line for wall in WALLS for line in breaches(wall, tmp_path)]
    assert len(found) == 1
    line = 2 + source.count("\n")
    assert found[0].startswith(f"{file}:{line} imports ")
    assert f'"{sentence}' in found[0]


ALLOWED = [
    ("realtime/session.py", "from core import audio, config\nfrom core.errors import ConfigError"),
    ("realtime/session.py", "from .ring import RingBuffer\nfrom . import stats\nimport numpy"),
    ("realtime/portaudio.py", "import sounddevice"),
    ("offline/train.py", "import torch\nfrom core.pipeline import convert\nimport realtimeish"),
    ("gui/app.py", "from PyQt6 import QtCore\nfrom realtime.session import LiveSession"),
    ("moksori.py", "def live():\n    from gui import app\n    import torch"),
]


@pytest.mark.parametrize(("file", "source"), ALLOWED)
def test_what_is_allowed_passes(file: str, source: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    assert [line for wall in WALLS for line in breaches(wall, tmp_path)] == []


HEAVY = ("torch", "torchaudio", "scipy", "librosa", "numba", "onnxruntime", "matplotlib", *QT)


@dataclass(frozen=True)
class Light:
    """Modules whose import loads none of `never`."""

    sentence: str
    modules: tuple[str, ...]
    never: tuple[str, ...]


def modules_in(room: str, but_for: tuple[str, ...] = ()) -> tuple[str, ...]:
    dotted = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files_of((room,), ROOT)
    ]
    return tuple(name.removesuffix(".__init__") for name in dotted if name not in but_for)


LIGHT = (
    Light(
        "importing realtime loads no torch",
        modules_in("realtime", but_for=("realtime.portaudio",)),
        ("torch", "sounddevice", *QT),
    ),
    Light("importing core loads neither torch nor Qt", ("core",), ("torch", *QT)),
    Light(
        "what realtime may use of core loads no torch",
        ("core.config", "core.errors", "core.audio", "core.resampler"),
        ("torch", *QT),
    ),
    Light("the plan of a stream needs no torch", ("core.streaming.plan",), HEAVY),
    Light(
        "moksori imports what is heavy only inside a sub-command",
        ("moksori",),
        ("numpy", "soundfile", "soxr", "sounddevice", *HEAVY),
    ),
)

PROBE = """
import importlib, sys
modules, never = (part.split(",") for part in sys.argv[1:])
for module in modules:
    importlib.import_module(module)
    if loaded := [name for name in never if name in sys.modules]:
        sys.exit(f"import {module} loads {', '.join(loaded)}")
"""


def first_heavy_import(light: Light, root: Path) -> str:
    """What a fresh interpreter says when it imports the modules in turn; empty when all is well."""
    command = [sys.executable, "-c", PROBE, ",".join(light.modules), ",".join(light.never)]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    return done.stderr.strip() or ("" if done.returncode == 0 else f"exit code {done.returncode}")


@pytest.mark.parametrize("light", LIGHT, ids=lambda light: light.sentence)
def test_stays_light(light: Light) -> None:
    said = first_heavy_import(light, ROOT)
    assert not said, f'{said}, but "{light.sentence}"'


def test_a_heavy_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "light.py").write_text("import colorsys\n")
    (tmp_path / "sly.py").write_text("from light import colorsys\nimport wave\n")
    light = Light("light and sly load no wave", ("light", "sly"), ("wave", "torch"))
    assert first_heavy_import(light, tmp_path) == "import sly loads wave"
