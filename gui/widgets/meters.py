"""A level meter with peak hold and a light for clipping."""

from __future__ import annotations

import time

from PyQt6.QtCore import QRectF, QSize
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.i18n import bind
from gui.style import colours

LOWEST = -60.0  # dBFS at the empty end
CLIP_DB = -0.1
HOLD_SECONDS, FALL_DB = 1.5, 24.0  # of the peak; dB a second


class Meter(QWidget):
    """Peak level in dBFS, lying."""

    def __init__(self, name: str) -> None:
        super().__init__()
        bind(self.setAccessibleName, name)
        self.setMinimumSize(QSize(80, 12))
        self.setFixedHeight(12)
        self.level = self.peak = LOWEST
        self.clipped_at = -10.0
        self._peak_at = self._at = time.monotonic()

    def show_level(self, db: float) -> None:
        """The level of the last block; falls slowly."""
        now = time.monotonic()
        fallen = FALL_DB * (now - self._at)
        self.level = max(db, self.level - fallen, LOWEST)
        if db >= self.peak:
            self.peak, self._peak_at = db, now
        elif now - self._peak_at > HOLD_SECONDS:
            self.peak = max(self.level, self.peak - fallen)
        if db >= CLIP_DB:
            self.clipped_at = now
        self._at = now
        self.setAccessibleDescription(f"{self.level:.0f} dBFS")
        self.update()

    @property
    def clipping(self) -> bool:
        """Lit for a while after a sample reached full scale."""
        return time.monotonic() - self.clipped_at < HOLD_SECONDS

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        now = colours()
        light = 10.0
        width, height = self.width() - light - 6, self.height()
        middle = (height - 8) / 2
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(QColor(now.well))
        painter.drawRoundedRect(QRectF(0, middle, width, 8), 4, 4)
        share = _share(self.level)
        level = now.bad if self.level > -1 else now.fair if self.level > -9 else now.good
        painter.setBrush(QColor(level))
        if share > 0.01:
            painter.drawRoundedRect(QRectF(0, middle, width * share, 8), 4, 4)
        if self.peak > LOWEST:
            painter.setBrush(QColor(now.text))
            painter.drawRect(QRectF(min(width * _share(self.peak), width - 2), middle, 2, 8))
        painter.setBrush(QColor(now.bad if self.clipping else now.well))
        painter.drawEllipse(QRectF(width + 6, (height - light) / 2, light, light))
        painter.end()


def _share(db: float) -> float:
    return max(0.0, min(1.0, 1 - db / LOWEST))
