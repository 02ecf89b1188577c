"""Sounds by name: choose, keep, forget."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QWidget

from gui.i18n import bind
from gui.settings import Preset
from gui.widgets.basics import combo, icon_button, row


class PresetBar(QWidget):
    """The name is typed into the list itself."""

    chosen = pyqtSignal(str)
    kept = pyqtSignal(str)
    forgotten = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self.names = combo("Presets")
        self.names.setEditable(True)
        self.names.setInsertPolicy(self.names.InsertPolicy.NoInsert)
        line = self.names.lineEdit()
        assert line is not None
        bind(line.setPlaceholderText, "Name of a preset")
        bind(line.setAccessibleName, "Name of a preset")
        self.keep = icon_button("Keep this sound under the name", self._keep, "save")
        self.forget = icon_button("Forget this preset", self._forget, "trash-2")
        self.names.activated.connect(lambda index: self.chosen.emit(self.names.itemText(index)))
        self.setLayout(row(self.names, self.keep, self.forget, spacing=6))
        self.fill(())

    def fill(self, presets: tuple[Preset, ...]) -> None:
        """Those that are kept."""
        text = self.names.currentText()
        self.names.clear()
        self.names.addItems([preset.name for preset in presets])
        self.names.setCurrentIndex(self.names.findText(text))
        if self.names.currentIndex() < 0:
            self.names.setEditText("")

    def _keep(self) -> None:
        if name := self.names.currentText().strip():
            self.kept.emit(name)

    def _forget(self) -> None:
        if name := self.names.currentText().strip():
            self.names.setEditText("")
            self.forgotten.emit(name)
