"""The calm bar: what happened, in one sentence, and the button that mends it."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout

from gui.controller import Trouble
from gui.i18n import WORDS, tr
from gui.i18n.sentences import told
from gui.widgets.basics import button, column, icon_button, label, rename

_BUTTONS = {"retry": "Try again", "devices": "Choose device", "doctor": "Open doctor", "none": ""}


class ErrorBar(QFrame):
    """Hidden while all is well."""

    mend = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.trouble: Trouble | None = None
        self.headline = label(kind="heading", wrap=True)
        self.detail = label(wrap=True)
        self.remedy = button("Try again", self._mend)
        self.dismiss = icon_button("Dismiss", self.clear, "x")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 10, 10, 10)
        layout.addLayout(column(self.headline, self.detail, spacing=2), 1)
        layout.addWidget(self.remedy)
        layout.addWidget(self.dismiss)
        self.hide()
        WORDS.on_switch(self._write)

    def tell(self, trouble: Trouble) -> None:
        """Shows it; the last one counts."""
        self.trouble = trouble
        rename(self.remedy, _BUTTONS[trouble.remedy])
        self.remedy.setVisible(trouble.remedy != "none")
        self._write()
        self.show()

    def clear(self) -> None:
        """All is well."""
        self.trouble = None
        self.hide()

    def _mend(self) -> None:
        trouble = self.trouble
        self.clear()
        if trouble is not None:
            self.mend.emit(trouble)

    def _write(self) -> None:
        if self.trouble is None:
            return
        try:
            self.headline.setText(tr(self.trouble.headline))
            self.detail.setText(told(self.trouble.detail))
        except RuntimeError:  # the window is gone
            return
