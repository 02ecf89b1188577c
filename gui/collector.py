"""Garbage is collected on the GUI thread, between two events.

Python collects in whatever thread has just made something: there a forgotten widget would end,
which Qt answers with a crash, and the window would wait for a thread that others may hold up.
"""

from __future__ import annotations

import gc

from PyQt6.QtCore import QObject, QTimer

LOOK_MS = 1000


class Collector(QObject):
    """From its making until `close` in place of Python's own."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def spare(self) -> None:
        """What lives now is looked at no more: a full look at it takes 0.1 s."""
        gc.freeze()

    def _look(self) -> None:
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
                gc.collect(generation)
                return

    def close(self) -> None:
        """Python's own is back."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
