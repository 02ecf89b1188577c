"""An application that knows how long each of its events took the thread of the window."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtWidgets import QApplication


@dataclass(frozen=True)
class Handled:
    """An event. cpu_ms: of this thread alone, so that a busy machine does not count."""

    cpu_ms: float
    receiver: str
    event: str


class TimedApplication(QApplication):
    """slowest: since it was last set to None."""

    slowest: Handled | None = None

    def notify(self, receiver: QObject | None, event: QEvent | None) -> bool:
        """See QApplication."""
        name, kind = type(receiver).__name__, event.type() if event is not None else None
        began = time.thread_time()
        try:
            return super().notify(receiver, event)
        finally:
            took = 1e3 * (time.thread_time() - began)
            if self.slowest is None or took > self.slowest.cpu_ms:
                self.slowest = Handled(took, name, str(kind))
