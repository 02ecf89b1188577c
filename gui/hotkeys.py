"""Keys that work in every program, where the platform allows it; they need the extra `hotkeys`."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QGuiApplication

from core.errors import VoiceChangerError

BYPASS, MUTE = "<ctrl>+<alt>+b", "<ctrl>+<alt>+m"


class Hotkeys(QObject):
    """bypass, mute: pressed, in whatever program."""

    bypass = pyqtSignal()
    mute = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._listener: Any = None

    @property
    def possible(self) -> bool:
        """Wayland shows no program another's keys; a window without a screen has none."""
        allowed = QGuiApplication.platformName() in ("xcb", "windows", "cocoa")
        return allowed and importlib.util.find_spec("pynput") is not None

    @property
    def listening(self) -> bool:
        """They work."""
        return self._listener is not None

    def listen(self) -> None:
        """Call it in a Job. VoiceChangerError where the system refuses."""
        try:
            from pynput.keyboard import GlobalHotKeys

            listener = GlobalHotKeys({BYPASS: self.bypass.emit, MUTE: self.mute.emit})
            listener.start()
            listener.wait()
        except Exception as error:  # what X or a desktop's rights can refuse; pynput names no type
            raise VoiceChangerError(
                f"global keys cannot be had on {sys.platform} ({error}); those of the window work"
            ) from error
        self._listener = listener

    def close(self) -> None:
        """Harmless when they do not work."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
            listener.join(1.0)
