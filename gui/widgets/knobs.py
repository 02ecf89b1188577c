"""A slider with its name and value. Double-click or Delete resets it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QMouseEvent
from PyQt6.QtWidgets import QSlider, QVBoxLayout, QWidget

from gui.i18n import WORDS, bind, tr
from gui.widgets.basics import label, row

Show = Callable[[float], str]


class Slider(QSlider):
    """Lying; a double click asks for the usual value."""

    reset = pyqtSignal()

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        self.reset.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        if event is not None and event.key() == Qt.Key.Key_Delete:
            self.reset.emit()
        else:
            super().keyPressEvent(event)


class Knob(QWidget):
    """value runs from `low` to `high` in steps; `usual` is what it is reset to."""

    turned = pyqtSignal(float)

    def __init__(
        self, name: str, low: float, high: float, step: float, usual: float, show: Show
    ) -> None:
        super().__init__()
        self._low, self._step, self._usual, self._show = low, step, usual, show
        self.slider = Slider()
        self.slider.setRange(0, round((high - low) / step))
        bind(self.slider.setAccessibleName, name)
        bind(self.slider.setToolTip, "Double-click to reset")
        self._value = label(kind="soft")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row(label(name), None, self._value))
        layout.addWidget(self.slider)
        self.slider.valueChanged.connect(self._moved)
        self.slider.reset.connect(lambda: self.set(self._usual))
        self.set(usual)
        WORDS.on_switch(self._write)

    @property
    def value(self) -> float:
        return self._low + self.slider.value() * self._step

    def set(self, value: float) -> None:
        """Moves it; `turned` is emitted if that changes it."""
        self.slider.setValue(round((value - self._low) / self._step))
        self._write()

    def show_quietly(self, value: float) -> None:
        """Moves it without a signal."""
        self.slider.blockSignals(True)
        self.set(value)
        self.slider.blockSignals(False)

    def forbid(self, why: str) -> None:
        """Grey, and the tooltip says why; "" allows it again."""
        self.setEnabled(not why)
        self.setToolTip(why)

    def _moved(self) -> None:
        self._write()
        self.turned.emit(self.value)

    def _write(self) -> None:
        try:
            self._value.setText(self._show(self.value))
        except RuntimeError:  # deleted with its page
            return


def decibels(value: float) -> str:
    """+3 dB"""
    return f"{value:+.0f} dB" if value else "0 dB"


def percent(value: float) -> str:
    """40 %"""
    return f"{100 * value:.0f} %"


def semitones(value: float) -> str:
    """+5 semitones"""
    return tr("{n} semitones", n=f"{value:+.1f}".removesuffix(".0") if value else "0")
