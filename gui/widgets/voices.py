"""Voice cards: a picture, a name, and which program the voice came with."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QIcon, QLinearGradient, QPainter, QPixmap
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from gui.engine import VoiceInfo
from gui.i18n import tr


@dataclass(frozen=True)
class Choice:
    """One of a voice's speakers."""

    voice: VoiceInfo
    speaker: int

    @property
    def name(self) -> str:
        return self.voice.speakers[self.speaker]

    @property
    def weights(self) -> tuple[float, ...]:
        count = len(self.voice.speakers)
        return tuple(float(i == self.speaker) for i in range(count))


def portrait(name: str, size: int = 40) -> QIcon:
    """A disc in the voice's own colours with its initial."""
    scale = 4
    picture = QPixmap(QSize(size * scale, size * scale))
    picture.fill(Qt.GlobalColor.transparent)
    hue = hashlib.sha256(name.encode()).digest()[0] / 255
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    side = size * scale
    gradient = QLinearGradient(0, 0, side, side)
    for place, shift in ((0.0, 0.0), (1.0, 0.12)):
        rgb = colorsys.hls_to_rgb((hue + shift) % 1, 0.55, 0.55)
        gradient.setColorAt(place, QColor.fromRgbF(*rgb))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawEllipse(QRectF(0, 0, side, side))
    font = QFont(painter.font())
    font.setPixelSize(side // 2)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    painter.drawText(QRectF(0, 0, side, side), Qt.AlignmentFlag.AlignCenter, name[:1].upper())
    painter.end()
    return QIcon(picture)


class VoiceCards(QWidget):
    """A row of them; one is chosen."""

    chosen = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(10)
        self._layout.addStretch(1)
        self.cards: list[tuple[Choice, QPushButton]] = []

    def fill(self, voices: list[VoiceInfo]) -> None:
        """A card for each speaker of each voice."""
        for _, old in self.cards:
            self._layout.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.cards = []
        for voice in voices:
            for speaker in range(len(voice.speakers)):
                self._add(Choice(voice, speaker))

    def _add(self, choice: Choice) -> None:
        made = QPushButton(f"  {choice.name}")
        made.setObjectName("voice")
        made.setCheckable(True)
        made.setIcon(portrait(choice.name))
        made.setIconSize(QSize(40, 40))
        made.setMinimumHeight(62)
        made.setAccessibleName(choice.name)
        made.setToolTip(choice.voice.name if choice.voice.live else tr("converts files only"))
        made.setEnabled(choice.voice.live)
        made.clicked.connect(lambda checked=False: self.chosen.emit(choice))
        self._layout.insertWidget(self._layout.count() - 1, made)
        self.cards.append((choice, made))

    def mark(self, voice: VoiceInfo | None, weights: tuple[float, ...]) -> None:
        """Which one speaks; a mix marks all its speakers."""
        for choice, made in self.cards:
            ours = voice is not None and choice.voice.path == voice.path
            share = weights[choice.speaker] if ours and choice.speaker < len(weights) else 0
            made.setChecked(share > 0)
