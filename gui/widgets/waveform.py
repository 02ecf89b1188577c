"""The outline of a file, and where its playing has come to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.i18n import bind
from gui.style import colours

BARS = 160


def outline(path: Path) -> NDArray[np.float32]:
    """(BARS,) peaks from 0 to 1; reads the file, so call it in a Job."""
    from core.audio import AudioReader

    with AudioReader(path) as reader:
        peaks = [np.abs(block[: len(block) // 64 * 64]).reshape(-1, 64).max(axis=1)
                 for block in reader if len(block) >= 64]  # fmt: skip
    found = np.concatenate([*peaks, np.zeros(1, np.float32)])
    edges = np.linspace(0, len(found), BARS, endpoint=False).astype(int)
    bars: NDArray[np.float32] = np.maximum.reduceat(found, edges)
    bars = bars / np.float32(max(float(bars.max()), 0.05))
    return bars


class Waveform(QWidget):
    """Bars; those already played have the accent's colour."""

    def __init__(self, name: str) -> None:
        super().__init__()
        bind(self.setAccessibleName, name)
        self.setMinimumHeight(44)
        self.bars = np.zeros(BARS, np.float32)
        self.played = 0.0

    def show_bars(self, bars: NDArray[np.float32]) -> None:
        """Of another file."""
        self.bars, self.played = bars, 0.0
        self.update()

    def show_played(self, share: float) -> None:
        """Of the whole."""
        self.played = share
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        now = colours()
        painter.setPen(QColor(0, 0, 0, 0))
        pitch, height = self.width() / BARS, self.height()
        for at, bar in enumerate(self.bars):
            tall = max(2.0, float(bar) * (height - 6))
            colour = now.accent if at / BARS < self.played else now.soft
            painter.setBrush(QColor(colour))
            place = QRectF(at * pitch, (height - tall) / 2, max(1.0, pitch * 0.6), tall)
            painter.drawRoundedRect(place, 1, 1)
        painter.end()
