"""Opens the window; everything slow happens behind it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from core.errors import VoiceChangerError

PAINT_ALONE = ("QT_NO_GUI_THREADPOOL", "1")
"""Qt else paints with helpers of any program's priority, and the window waits for them."""


def has_screen() -> bool:
    """Whether a window can be shown; Qt would abort the program otherwise."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in named)


def run(loopback: Path | None = None) -> int:
    """The app, until its window is closed; the exit code. loopback: hear a file instead."""
    if not has_screen():
        raise VoiceChangerError(
            "the app needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY names one; without it"
            " there is: moksori live"
        )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small blocks lose to waiting threads
    os.environ.setdefault(*PAINT_ALONE)
    from PyQt6.QtWidgets import QApplication

    from gui import engine
    from gui.main_window import MainWindow
    from gui.settings import SettingsStore
    from realtime.priority import WINDOW, raise_priority, real_time
    from realtime.run import SWITCH_SECONDS, signals

    sys.setswitchinterval(SWITCH_SECONDS)
    raise_priority()

    with real_time(WINDOW):  # and the thread that reads what X says, for which the window waits
        app = QApplication(["moksori"])
    app.setApplicationName("moksori")
    make = engine.SoundCard() if loopback is None else engine.Loop(loopback)
    window = MainWindow(SettingsStore(), make)
    window.show()

    def close(number: int, frame: object) -> None:
        window.close()  # in order: what runs is ended, files are completed

    with (
        signals({signal.SIGINT: close, signal.SIGTERM: close}),
        real_time(WINDOW, alone=True),  # else it waits for programs that only compute
    ):
        return app.exec()
