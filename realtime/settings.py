"""What this machine remembers between runs: the setting that `moksori tune` found, as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import ConfigError, VoiceChangerError
from core.tables import from_dict

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tuned:
    """The live setting with the least latency that this machine can hold, for one voice.

    block_frames: of a push. threads: of the networks. p99_ms: of a block, block_ms its length;
    latency_ms: declared, without devices.
    """

    voice: str
    block_frames: int
    threads: int
    block_ms: float
    p99_ms: float
    latency_ms: float

    def __post_init__(self) -> None:
        for name in ("block_frames", "threads"):
            if not 1 <= getattr(self, name) <= 1024:
                raise ConfigError(f"{name} must lie between 1 and 1024, got {getattr(self, name)}")


def settings_path() -> Path:
    """Where the settings lie on this system."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "moksori" / "settings.json"


def load_tuned(voice: str) -> Tuned | None:
    """What was stored for that voice; None where there is nothing, or nothing that can be read."""
    path = settings_path()
    try:
        tuned = _read(path).get(voice)
        return None if tuned is None else from_dict(Tuned, tuned)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        logger.warning("%s is of no use (%s); run `moksori tune` again", path, error)
        return None


def store_tuned(tuned: Tuned) -> Path:
    """Keeps it; an unreadable file is replaced. Written under another name first."""
    path = settings_path()
    try:
        table = _read(path)
    except (OSError, ValueError, RecursionError, ConfigError):
        table = {}
    table[tuned.voice] = asdict(tuned)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"tuned": table}, indent=1), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise VoiceChangerError(f"{path}: the setting cannot be kept ({error.strerror})") from None
    return path


def _read(path: Path) -> dict[str, Any]:
    """Voice -> its setting as stored."""
    table = json.loads(path.read_text(encoding="utf-8"))
    tuned = table.get("tuned") if isinstance(table, dict) else None
    if not isinstance(tuned, dict):
        raise ConfigError("expected a table with an entry `tuned`")
    return tuned
