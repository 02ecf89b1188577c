"""How everything looks: two palettes, one sheet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template
from typing import cast

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication

THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class Colours:
    """Of one theme, as #rrggbb."""

    window: str
    side: str
    card: str
    well: str  # sunk: wells of sliders, lists, plots
    line: str
    text: str
    soft: str  # second text
    accent: str
    on_accent: str
    tint: str  # a breath of the accent
    good: str
    fair: str
    bad: str
    bad_tint: str


LIGHT = Colours(
    window="#f6f6f9", side="#eeeef3", card="#ffffff", well="#ececf1", line="#dfdfe7",
    text="#1c1c28", soft="#626273", accent="#5451d6", on_accent="#ffffff", tint="#e9e8fb",
    good="#1f9d63", fair="#c47f0a", bad="#d13b4a", bad_tint="#fdecee",
)  # fmt: skip
DARK = Colours(
    window="#15151c", side="#101016", card="#1e1e28", well="#292935", line="#323240",
    text="#ececf4", soft="#9c9cb0", accent="#8583f7", on_accent="#12121a", tint="#2a2950",
    good="#45c98c", fair="#e5a93c", bad="#f0707c", bad_tint="#3b2229",
)  # fmt: skip

_SHEET = Template("""
* { font-size: 13px; color: $text; outline: none; }
QMainWindow, QWidget#page, QScrollArea, QScrollArea > QWidget > QWidget { background: $window; }
QScrollArea { border: none; }
QWidget#side { background: $side; border-right: 1px solid $line; }
QLabel { background: transparent; }
QLabel#brand { font-size: 19px; font-weight: 700; }
QLabel#title { font-size: 22px; font-weight: 700; }
QLabel#heading { font-size: 14px; font-weight: 600; }
QLabel#soft { color: $soft; }
QLabel#figure { font-size: 20px; font-weight: 650; }
QFrame#card { background: $card; border: 1px solid $line; border-radius: 14px; }
QFrame#drop { background: $tint; border: 2px dashed $accent; border-radius: 14px; }
QFrame#bar { background: $bad_tint; border: 1px solid $bad; border-radius: 12px; }
QFrame#note { background: $tint; border: 1px solid $accent; border-radius: 12px; }
QPushButton { background: $card; border: 1px solid $line; border-radius: 10px; padding: 7px 14px;
  min-height: 20px; }
QPushButton:hover { background: $tint; border-color: $accent; }
QPushButton:focus { border: 2px solid $accent; padding: 6px 13px; }
QPushButton:checked { background: $tint; border-color: $accent; color: $accent; font-weight: 600; }
QPushButton:disabled { color: $soft; background: $well; border-color: $line; }
QPushButton#primary { background: $accent; color: $on_accent; border: 2px solid $accent;
  font-weight: 600; padding: 7px 20px; }
QPushButton#primary:focus { border-color: $text; }
QPushButton#primary:disabled { background: $well; color: $soft; border-color: $well; }
QPushButton#nav { text-align: left; border: 2px solid transparent; background: transparent;
  padding: 9px 12px; }
QPushButton#nav:hover { background: $well; }
QPushButton#nav:checked { background: $tint; color: $accent; }
QPushButton#nav:focus, QPushButton#nav:checked:focus { border-color: $accent; }
QPushButton#voice { background: $card; border: 2px solid $line; border-radius: 14px;
  padding: 8px 12px; text-align: left; }
QPushButton#voice:hover { border-color: $soft; }
QPushButton#voice:checked { border-color: $accent; }
QPushButton:checked:focus, QPushButton#voice:focus { border-color: $text; }
QPushButton#voice:checked { background: $tint; color: $text; font-weight: 400; }
QComboBox, QLineEdit { background: $card; border: 1px solid $line; border-radius: 9px;
  padding: 6px 10px; min-height: 20px; selection-background-color: $accent;
  selection-color: $on_accent; }
QComboBox:focus, QLineEdit:focus { border: 2px solid $accent; padding: 5px 9px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url($chevron); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: $card; border: 1px solid $line; padding: 4px;
  selection-background-color: $tint; selection-color: $text; }
QCheckBox { spacing: 8px; border: 2px solid transparent; border-radius: 8px; padding: 2px 4px; }
QCheckBox:focus { border-color: $accent; }
QCheckBox::indicator { width: 18px; height: 18px; border: 1px solid $soft; border-radius: 5px;
  background: $card; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($check); }
QSlider { background: transparent; min-height: 24px; border: 2px solid transparent;
  border-radius: 8px; }
QSlider:focus { border-color: $accent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $well; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal { width: 16px; height: 16px; margin: -6px 0; border-radius: 8px;
  background: $accent; }
QSlider::sub-page:horizontal:disabled, QSlider::handle:horizontal:disabled { background: $soft; }
QTableView, QListView, QPlainTextEdit { background: $card; border: 1px solid $line;
  border-radius: 12px; gridline-color: transparent; selection-background-color: $tint;
  selection-color: $text; padding: 4px; }
QTableView:focus, QListView:focus, QPlainTextEdit:focus { border: 2px solid $accent; padding: 3px; }
QTableView::item { padding: 4px 8px; border: none; }
QHeaderView::section { background: $card; color: $soft; border: none;
  border-bottom: 1px solid $line; padding: 6px 8px; }
QProgressBar { background: $well; border: none; border-radius: 4px; max-height: 8px; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QScrollBar:vertical { width: 10px; background: transparent; }
QScrollBar:horizontal { height: 10px; background: transparent; }
QScrollBar::handle { background: $line; border-radius: 4px; min-height: 30px; min-width: 30px;
  margin: 1px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QToolTip { background: $card; color: $text; border: 1px solid $line; padding: 4px; }
""")

_now = LIGHT


def colours() -> Colours:
    """Those of the theme in use."""
    return _now


def apply(theme: str) -> None:
    """Dresses the application."""
    global _now
    app = cast(QApplication, QApplication.instance())
    hints = QGuiApplication.styleHints()
    dark = hints is not None and hints.colorScheme() == Qt.ColorScheme.Dark
    _now = DARK if theme == "dark" or (theme == "system" and dark) else LIGHT
    from gui.icons import icon_file

    app.setStyle("Fusion")
    app.setFont(font())
    palette = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, _now.window),
        (QPalette.ColorRole.WindowText, _now.text),
        (QPalette.ColorRole.Base, _now.card),
        (QPalette.ColorRole.Text, _now.text),
        (QPalette.ColorRole.Button, _now.card),
        (QPalette.ColorRole.ButtonText, _now.text),
        (QPalette.ColorRole.Highlight, _now.accent),
        (QPalette.ColorRole.HighlightedText, _now.on_accent),
        (QPalette.ColorRole.PlaceholderText, _now.soft),
    ):
        palette.setColor(role, QColor(colour))
    app.setPalette(palette)
    pictures = {
        "chevron": icon_file("chevron-down", _now.soft),
        "check": icon_file("check", _now.on_accent),
    }
    app.setStyleSheet(_SHEET.substitute(asdict(_now) | pictures))


def font() -> QFont:
    """The system's own, with faces that know Korean behind it."""
    face = QFont()
    families = ["Segoe UI", "SF Pro Text", "Inter", "Noto Sans", "Malgun Gothic"]
    families += ["Apple SD Gothic Neo", "Noto Sans CJK KR", "Noto Sans KR", "DejaVu Sans"]
    face.setFamilies(families)
    return face
