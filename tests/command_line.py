"""What tests of the command line share: what it said, where things are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from core.voice import VOICES_FOLDER

ROOT = Path(__file__).resolve().parents[1]
DEMO = VOICES_FOLDER / "demo.flac"
VOICE = VOICES_FOLDER / "embedded.safetensors"
RATE = 44_100


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Moksori = Callable[..., Said]


def complaint(said: Said, *words: str) -> None:
    """One clear line on stderr, exit code 1, nothing on stdout."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("moksori: ")
    assert said.err.count("\n") == 1
    assert len(said.err) > 40
    for word in words:
        assert word in said.err


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def live(source: Path, output: Path, *options: object) -> list[object]:
    files = ["--backend", "loopback", "--input", source, "--output", output]
    return ["live", *files, *options]
