"""The app, saying by lines what a test on another process's screen wants to know."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QWidget

import gui.main_window
from gui.app import run


class Window(gui.main_window.MainWindow):
    """What it says is said once, when it has come to be."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._said: set[str] = set()
        self._watch = QTimer(self)
        self._watch.timeout.connect(self._look)
        self._watch.start(50)

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            print(line, flush=True)

    def _place(self, name: str, control: QWidget) -> None:
        if control.isVisible():
            middle = control.mapToGlobal(control.rect().center())
            self._say(f"at {name}: {middle.x()} {middle.y()}")

    def _look(self) -> None:
        if self.stack.currentWidget() is self.welcome:
            self._place("next", self.welcome.next)
            self._say(f"step {self.welcome.steps.currentIndex() + 1}")
        self._say(f"phase {self.controller.phase.value}")
        self._say(f"mode {self.controller.mode}")
        if self.controller.sound.number:
            self._say(f"sound {self.controller.sound.number}")
        if self.hotkeys.listening:
            self._say("global keys")
        mine, voice = (view._scroll for view in (self.live.input_view, self.live.output_view))
        if mine is not None and voice is not None and voice.picture.max() > 0.3:
            apart = float(np.abs(mine.picture - voice.picture).mean())
            if apart > 0.02:
                self._say("spoken in another voice")


if __name__ == "__main__":
    gui.main_window.MainWindow = Window  # type: ignore[misc]
    sys.exit(run(Path(sys.argv[1])))
