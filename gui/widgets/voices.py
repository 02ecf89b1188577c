"""Voice cards: a picture, a name, and which program the voice came with."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QFont, QIcon, QLinearGradient, QPainter, QPixmap
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


PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def portrait(choice: Choice, size: int = 40) -> QIcon:
    """A disc: the picture that lies beside the voice, NAME.png or .jpg, else its initial.

    NAME is the speaker's, or the voice file's.
    """
    side = 4 * size  # for screens of any scale
    picture = QPixmap(QSize(side, side))
    picture.fill(Qt.GlobalColor.transparent)
    disc = QRectF(0, 0, side, side)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    own = _own_picture(choice)
    if own is None:
        _draw_initial(painter, disc, choice.name)
    else:
        fitted = own.scaled(
            side,
            side,
            Qt.AspectRatioMode.KeepAspectRatioByExpanding,
            Qt.TransformationMode.SmoothTransformation,
        )
        left, top = (fitted.width() - side) // 2, (fitted.height() - side) // 2
        painter.setBrush(QBrush(fitted.copy(left, top, side, side)))
        painter.drawEllipse(disc)
    painter.end()
    return QIcon(picture)


def _own_picture(choice: Choice) -> QPixmap | None:
    folder = choice.voice.path.parent
    for name in (choice.name, choice.voice.path.stem):
        for kind in PICTURES:
            found = QPixmap(str(folder / f"{name}{kind}"))
            if not found.isNull():
                return found
    return None


def _draw_initial(painter: QPainter, disc: QRectF, name: str) -> None:
    hue = hashlib.sha256(name.encode()).digest()[0] / 255
    gradient = QLinearGradient(disc.topLeft(), disc.bottomRight())
    for place, shift in ((0.0, 0.0), (1.0, 0.12)):
        rgb = colorsys.hls_to_rgb((hue + shift) % 1, 0.55, 0.55)
        gradient.setColorAt(place, QColor.fromRgbF(*rgb))
    painter.setBrush(gradient)
    painter.drawEllipse(disc)
    font = QFont(painter.font())
    font.setPixelSize(round(disc.height() / 2))
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, name[:1].upper())


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
        made.setIcon(portrait(choice))
        made.setIconSize(QSize(40, 40))
        made.setMinimumHeight(62)
        made.setAccessibleName(choice.name)
        no_encoder = tr("It holds no content encoder; import it again with one.")
        made.setToolTip(choice.voice.name if choice.voice.live else no_encoder)
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
