"""A window over a loopback with the embedded voice, offscreen, with settings of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from gui import engine
from gui.controller import Phase
from gui.main_window import MainWindow
from gui.settings import Settings, SettingsStore

MakeWindow = Callable[..., MainWindow]
PATIENCE = 60_000  # ms


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    return SettingsStore(QSettings(str(tmp_path / "app.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def make_window(
    qtbot: QtBot, store: SettingsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeWindow]:
    for home in ("HOME", "USERPROFILE"):  # where imported voices are; the app's processes inherit
        monkeypatch.setenv(home, str(tmp_path))
    made = []

    def make(settings: Settings | None = None) -> MainWindow:
        if settings is not None:
            store.save(settings)
        window = MainWindow(store, engine.Loop(engine.DEMO, 120), tmp_path / "projects")
        made.append(window)
        window.show()
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()


@pytest.fixture
def window(make_window: MakeWindow, qtbot: QtBot) -> MainWindow:
    """Past the first steps, its voice loaded."""
    window = make_window(Settings(welcomed=True, language="en", theme="light"))
    qtbot.waitUntil(lambda: window.controller.phase is Phase.READY, timeout=PATIENCE)
    return window


def go_live(window: MainWindow, qtbot: QtBot) -> None:
    """By the button."""
    qtbot.mouseClick(window.live.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.controller.phase is Phase.LIVE, timeout=PATIENCE)


def gone(process: int) -> bool:
    """Whether a process has ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
