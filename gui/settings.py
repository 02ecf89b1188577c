"""What the app remembers: one frozen dataclass, kept as JSON in QSettings under a version."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.config import StreamConfig, VoiceParams
from core.errors import ConfigError
from core.tables import from_dict, to_dict

if TYPE_CHECKING:  # the sound's process reads this file, and needs no Qt
    from PyQt6.QtCore import QSettings

VERSION = 1
VIRTUAL = "virtual"  # output: the virtual microphone

QUALITIES = (
    StreamConfig(block_frames=2, lookahead_frames=1, steps=1),
    StreamConfig(block_frames=3, steps=1),
    StreamConfig(block_frames=4, steps=2),
    StreamConfig(block_frames=6, lookahead_frames=4, steps=2),
    StreamConfig(block_frames=8, lookahead_frames=7, steps=4),
)
"""From speed to quality: what the one control of the live page stands for."""


@dataclass(frozen=True)
class Pace:
    """What a StreamConfig is to a voice of moksori, to an imported one; in seconds."""

    block: float
    lookahead: float
    steps: int


PACES = (
    Pace(0.15, 0.05, 8),
    Pace(0.25, 0.1, 10),
    Pace(0.5, 0.1, 10),
    Pace(0.75, 0.1, 10),
    Pace(1.0, 0.2, 12),
)
"""The same for imported voices: later, and less to compute for each second."""


@dataclass(frozen=True)
class Devices:
    """By id, "" for the system's default (monitor: none). rate: Hz, 0 for the voice's own."""

    input: str = ""
    output: str = ""
    monitor: str = ""
    rate: int = 0
    latency: str = "low"


@dataclass(frozen=True)
class Preset:
    """A sound by name."""

    name: str = ""
    voice: str = "embedded"
    params: VoiceParams = field(default_factory=VoiceParams)


@dataclass(frozen=True)
class Settings:
    """Everything remembered between starts. suppress: the noise.

    quality: a place in QUALITIES; pace: in PACES. window: its place and size, as Qt tells them.
    """

    language: str = "system"
    theme: str = "system"
    welcomed: bool = False
    devices: Devices = field(default_factory=Devices)
    voice: str = "embedded"
    params: VoiceParams = field(default_factory=VoiceParams)
    quality: int = 1
    pace: int = 2
    suppress: bool = False
    presets: tuple[Preset, ...] = ()
    train_on: bool = False
    window: str = ""

    def __post_init__(self) -> None:
        for name in ("quality", "pace"):
            if not 0 <= getattr(self, name) < len(QUALITIES):
                raise ConfigError(
                    f"{name} must lie between 0 and {len(QUALITIES) - 1}, got {getattr(self, name)}"
                )


class SettingsStore:
    """Reads and writes Settings. What cannot be read is put aside and replaced by the defaults."""

    def __init__(self, store: QSettings | None = None) -> None:
        from PyQt6.QtCore import QSettings

        self._store = store or QSettings("moksori", "moksori")
        self.corrupt = False

    def load(self) -> Settings:
        """`corrupt` tells whether something had to be put aside."""
        kept = self._store.value("settings")
        if kept is None:
            return Settings()
        try:
            table = json.loads(str(kept))
            if not isinstance(table, dict) or table.pop("version", None) != VERSION:
                raise ConfigError(f"expected settings of version {VERSION}")
            return from_dict(Settings, table)
        except (ValueError, RecursionError, ConfigError):
            self.corrupt = True
            self._store.setValue("settings_unreadable", kept)
            return Settings()

    def save(self, settings: Settings) -> None:
        """Replaces what was there."""
        table = {"version": VERSION, **to_dict(settings)}
        self._store.setValue("settings", json.dumps(table))
        self._store.sync()
