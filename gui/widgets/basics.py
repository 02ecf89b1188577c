"""Small makers of labelled, bound, accessible widgets, so that every page reads alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPaintEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from gui.i18n import bind
from gui.icons import dress

L = TypeVar("L", bound=QBoxLayout)


def label(text: str = "", kind: str = "", wrap: bool = False) -> QLabel:
    """kind: an object name of the style sheet, such as "soft"."""
    made = QLabel()
    made.setObjectName(kind)
    made.setWordWrap(wrap)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if text:
        bind(made.setText, text)
    return made


def button(
    text: str,
    on_click: Callable[[], object] | None = None,
    icon: str = "",
    kind: str = "",
    checkable: bool = False,
    colour: str | None = None,
) -> QPushButton:
    """A button whose words are its accessible name."""
    made = QPushButton()
    made.setObjectName(kind)
    made.setCheckable(checkable)
    if icon:
        dress(made, icon, colour or ("on_accent" if kind == "primary" else None))
    rename(made, text)
    if on_click is not None:
        made.clicked.connect(lambda checked=False: on_click())
    return made


def icon_button(text: str, on_click: Callable[[], object], icon: str) -> QPushButton:
    """A button that shows an icon only; the words are its tooltip and accessible name."""
    made = QPushButton()
    made.setFixedWidth(42)
    bind(made.setAccessibleName, text)
    bind(made.setToolTip, text)
    dress(made, icon)
    made.clicked.connect(lambda checked=False: on_click())
    return made


def rename(made: QAbstractButton, text: str) -> None:
    """Other words on it, from now on in every language."""
    made.setProperty("words", text)

    def write(words: str) -> None:
        if made.property("words") == text:
            key = made.shortcut()  # which Qt takes away with the old words
            made.setText(f" {words}" if made.property("icon_name") else words)
            made.setShortcut(key)
            made.setAccessibleName(words)

    bind(write, text)


def checkbox(text: str, on_change: Callable[[bool], object]) -> QCheckBox:
    """A switch."""
    made = QCheckBox()
    rename(made, text)
    made.toggled.connect(on_change)
    return made


class _Combo(QComboBox):
    """Ends what does not fit with an ellipsis; a style sheet alone cuts it off."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        style = self.style()
        assert style is not None
        room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, room - 8
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def combo(name: str) -> QComboBox:
    """A list to choose from; long entries are shortened, not the window widened."""
    made = _Combo()
    bind(made.setAccessibleName, name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def card(*parts: QWidget | QLayout, spacing: int = 10, kind: str = "card") -> QFrame:
    """A rounded frame with parts below each other."""
    frame = QFrame()
    frame.setObjectName(kind)
    layout = column(*parts, spacing=spacing)
    layout.setContentsMargins(18, 16, 18, 16)
    frame.setLayout(layout)
    return frame


def row(*parts: QWidget | QLayout | None, spacing: int = 10) -> QHBoxLayout:
    """Beside each other; None is a spring."""
    layout = QHBoxLayout()
    return _filled(layout, parts, spacing)


def column(*parts: QWidget | QLayout | None, spacing: int = 10) -> QVBoxLayout:
    """Below each other; None is a spring."""
    layout = QVBoxLayout()
    return _filled(layout, parts, spacing)


def _filled(layout: L, parts: tuple[QWidget | QLayout | None, ...], spacing: int) -> L:
    layout.setSpacing(spacing)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return layout


def scroll(inner: QWidget) -> QScrollArea:
    """Scrolls when the window is low; never sideways."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inner)
    return area
