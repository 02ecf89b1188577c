"""A list that says what will come while it is empty."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QListWidget

from gui.i18n import bind
from gui.style import colours


class Listing(QListWidget):
    """name: accessible. hint: shown while it is empty."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__()
        bind(self.setAccessibleName, name)
        bind(self._hint, hint)

    def _hint(self, words: str) -> None:
        self._words = words
        self.viewport().update()  # type: ignore[union-attr]

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        super().paintEvent(event)
        viewport = self.viewport()
        if self.count() or viewport is None:
            return
        painter = QPainter(viewport)
        painter.setPen(QColor(colours().soft))
        inside = viewport.rect().adjusted(16, 12, -16, -12)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(inside, int(flags), self._words)
        painter.end()
