"""Project: the folder of one voice in the making, and the lock that lets one training in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError, VoiceChangerError
from offline.studio.settings import ProjectConfig, read_toml, to_toml

SETTINGS = "project.toml"
_NAME = re.compile(r"[^\W_][\w.-]*")


@dataclass(frozen=True)
class Project:
    """Where everything of one voice lies."""

    folder: Path
    config: ProjectConfig

    @staticmethod
    def create(root: Path, name: str, recordings: Path) -> Project:
        """Makes `root/name` with its commented settings."""
        folder = _folder(root, name)
        if not recordings.is_dir():
            raise ConfigError(f"{recordings} is no folder; --recordings names one with your audio")
        if (folder / SETTINGS).exists():
            raise ConfigError(f"{folder / SETTINGS} exists; change it, or choose another name")
        folder.mkdir(parents=True, exist_ok=True)
        config = ProjectConfig(name=name, recordings=str(recordings.resolve()))
        write_text(folder / SETTINGS, to_toml(config))
        return Project(folder, config)

    @staticmethod
    def open(root: Path, name: str) -> Project:
        """Reads `root/name/project.toml`; an unknown name is an error that lists the known."""
        folder = _folder(root, name)
        path = folder / SETTINGS
        if not path.is_file():
            known = ", ".join(sorted(p.parent.name for p in root.glob(f"*/{SETTINGS}"))) or "none"
            raise ConfigError(
                f'no project "{name}" in {root}; known: {known}; a new one:'
                f" moksori new {name} --recordings DIR"
            )
        return Project(folder, read_toml(path))

    @property
    def features(self) -> Path:
        """What preprocess writes."""
        return self.folder / "features"

    @property
    def checkpoints(self) -> Path:
        """States of the training."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Conversions of recordings held back, by step."""
        return self.folder / "samples"

    @property
    def log(self) -> Path:
        """Every figure of the training, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def voice(self) -> Path:
        """Where export writes the voice."""
        return self.folder / "voices" / f"{self.config.name}.safetensors"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one process in; another is told who is at work. The system frees a dead one's."""
        path = self.folder / "lock"
        with path.open("a+", encoding="utf-8") as handle:
            if not _lock(handle.fileno()):
                handle.seek(0)
                raise VoiceChangerError(
                    f"project {self.config.name} is being worked on by process"
                    f" {handle.read().strip() or '(unknown)'}; wait for it, or stop it first"
                )
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield


def write_text(path: Path, text: str) -> None:
    """Under a temporary name first, so that a full disk or a kill leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> object:
    """None where the file is missing or half written."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return None


def _folder(root: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f'"{name}" cannot name a project; use letters, digits, dots, dashes and underscores'
        )
    return root / name


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
