"""The icons (Lucide, ISC licence: `assets/icons/LICENSE`) in any colour."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

from PyQt6.QtCore import QByteArray, QSize, Qt
from PyQt6.QtGui import QIcon, QPainter, QPixmap
from PyQt6.QtSvg import QSvgRenderer
from PyQt6.QtWidgets import QAbstractButton

from gui.style import colours

FOLDER = Path(__file__).parent / "assets" / "icons"


@cache
def icon(name: str, colour: str, disabled: str) -> QIcon:
    """Sharp at up to four times 20 pixels."""
    made = QIcon(_picture(name, colour))
    made.addPixmap(_picture(name, disabled), QIcon.Mode.Disabled)
    return made


def _picture(name: str, colour: str) -> QPixmap:
    picture = QPixmap(QSize(80, 80))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(_drawn(name, colour).encode())).render(painter)
    painter.end()
    return picture


@cache
def icon_file(name: str, colour: str) -> str:
    """The same as a file, for the style sheet."""
    folder = Path(tempfile.gettempdir()) / "moksori-icons"
    folder.mkdir(exist_ok=True)
    drawn = _drawn(name, colour)
    path = folder / f"{name}-{hashlib.sha256(drawn.encode()).hexdigest()[:12]}.svg"
    path.write_text(drawn, encoding="utf-8")
    return path.as_posix()


def dress(button: QAbstractButton, name: str, colour: str | None = None) -> None:
    """Gives a button an icon, now and (through `redress`) in every new theme."""
    button.setProperty("icon_name", name)
    button.setProperty("icon_colour", colour or "")
    button.setIconSize(QSize(18, 18))
    redress(button)


def redress(button: QAbstractButton) -> None:
    """In the colours of the theme in use."""
    name = button.property("icon_name")
    if not name:
        return
    wanted = button.property("icon_colour") or "text"
    button.setIcon(icon(name, getattr(colours(), wanted), colours().soft))


def _drawn(name: str, colour: str) -> str:
    return (FOLDER / f"{name}.svg").read_text("utf-8").replace("currentColor", colour)
