"""Opens the app in a process of its own; says what it cost until the window was painted, and ends.

Prints seconds of this process's own time: a loaded machine does not count. As a program it takes
the recording to hear in place of a microphone.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QPaintEvent

import gui.main_window
from gui.app import run


class Window(gui.main_window.MainWindow):
    painted = False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        super().paintEvent(event)
        if not self.painted:
            self.painted = True
            print(time.process_time(), "torch" in sys.modules, flush=True)
            QTimer.singleShot(0, self.close)


if __name__ == "__main__":
    gui.main_window.MainWindow = Window  # type: ignore[misc]
    sys.exit(run(Path(sys.argv[1])))
