"""Opens the window; everything slow happens behind it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

LIVE_SWITCH_SECONDS = 0.0005


def run(loopback: Path | None = None) -> int:
    """The app, until its window is closed; the exit code. loopback: hear a file instead."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small blocks lose to waiting threads
    sys.setswitchinterval(LIVE_SWITCH_SECONDS)
    from PyQt6.QtWidgets import QApplication

    from gui import engine
    from gui.main_window import MainWindow
    from gui.settings import SettingsStore
    from realtime.run import signals

    app = QApplication(["moksori"])
    app.setApplicationName("moksori")
    make = engine.make_sound_card if loopback is None else engine.loop(loopback)
    window = MainWindow(SettingsStore(), make)
    window.show()

    def close(number: int, frame: object) -> None:
        window.close()  # in order: what runs is ended, files are completed

    with signals({signal.SIGINT: close, signal.SIGTERM: close}):
        return app.exec()
