"""Every word is translated, every control has a name, everything fits."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.i18n.ko import KOREAN
from gui.main_window import MainWindow
from gui.widgets.basics import rename

GUI = Path(__file__).parents[2] / "gui"
SPOKEN = {"tr", "bind", "label", "button", "icon_button", "checkbox", "combo", "rename", "Knob",
          "Meter", "Listing", "Spectrogram", "Waveform", "_step", "_say", "_failed", "report",
          "Trouble"}  # fmt: skip
PROPER = {"moksori", "English", "kathleen", "nathalie", "flemishguy"}


def spoken() -> set[str]:
    """Literals handed to the functions that show words."""
    found = set()
    for path in GUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            for argument in node.args[:2] if name in SPOKEN else ():
                text = getattr(argument, "value", None)
                if isinstance(text, str) and (text[:1].isupper() or " " in text.strip()):
                    found.add(text)
    return found


def test_every_literal_is_translated() -> None:
    assert len(spoken()) > 90
    assert spoken() - KOREAN.keys() == set()


def test_translations_keep_their_placeholders() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert [text for text, korean in KOREAN.items() if fields(text) != fields(korean)] == []


def test_nothing_is_left_in_english(window: MainWindow, qtbot: QtBot) -> None:
    window.use_language("ko")
    shown = [w.text() for w in window.findChildren(QLabel)]
    shown += [w.text() for w in window.findChildren(QAbstractButton)]
    shown += [b.itemText(i) for b in window.findChildren(QComboBox) for i in range(b.count())]
    shown += [w.accessibleName() for w in window.findChildren(QWidget)]
    english = {text for text in shown if text.strip() in KOREAN}
    assert english == set()
    window.use_language("en")
    assert window.live.start.text().strip() == "Start"


def test_keys_outlive_a_change_of_words(window: MainWindow) -> None:
    def keys() -> list[str]:
        live = window.live
        made = (live.start, live.bypass, live.mute, live.record, *window.nav)
        return [button.shortcut().toString() for button in made]

    before = keys()
    assert before == ["F5", "F6", "F7", "F8", "Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4"]
    window.use_language("ko")
    rename(window.live.start, "Stop")
    assert keys() == before


CONTROLS = (QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QAbstractItemView,
            QPlainTextEdit)  # fmt: skip


def test_every_control_has_a_name_and_is_reached_by_keys(window: MainWindow) -> None:
    for kind in CONTROLS:
        for control in window.findChildren(kind):
            inside = isinstance(control.parentWidget(), (QComboBox, QAbstractItemView))
            popup = control.window() is not window
            if inside or popup or isinstance(control, QScrollBar):
                continue
            if control.objectName().startswith("qt_") or "Header" in type(control).__name__:
                continue
            if type(control).__name__ in ("QTableCornerButton", "QComboBoxListView"):
                continue
            assert control.accessibleName(), f"{control} {control.objectName()}"
            assert control.focusPolicy().value & 1, f"{control.accessibleName()} skips Tab"


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_buttons_show_all_their_words(window: MainWindow, language: str, theme: str) -> None:
    window.use_theme(theme)
    window.use_language(language)
    window.resize(1000, 640)
    for page in range(4):
        window.show_page(page)
        window.grab()
        for button in window.findChildren(QAbstractButton):
            if button.isVisible() and button.text():
                needed = button.fontMetrics().horizontalAdvance(button.text())
                assert needed <= button.width(), button.text()
