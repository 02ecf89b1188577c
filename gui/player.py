"""Plays a file through QtMultimedia, which is loaded when first used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QUrl, pyqtSignal

from core.errors import DeviceError


class Player(QObject):
    """One file at a time. moved: the share of it that has been played."""

    moved = pyqtSignal(float)
    stopped = pyqtSignal()

    def __init__(self, failed: Callable[[BaseException], object], parent: QObject) -> None:
        super().__init__(parent)
        self._failed = failed
        self._player: Any = None
        self.path: Path | None = None

    def toggle(self, path: Path, share: float = 0.0) -> None:
        """Plays the file from there; stops if it plays already."""
        playing = self.path == path
        self.stop()
        if not playing:
            self._play(path, share)

    def stop(self) -> None:
        """Harmless when nothing plays."""
        if self._player is not None and self.path is not None:
            self.path = None
            self._player.stop()
            self.stopped.emit()

    def _play(self, path: Path, share: float) -> None:
        try:
            from PyQt6.QtMultimedia import QAudioOutput, QMediaDevices, QMediaPlayer
        except ImportError as error:
            self._failed(error)
            return
        if QMediaDevices.defaultAudioOutput().isNull():
            self._failed(DeviceError("no sound device to play on; plug one in or start the server"))
            return
        if self._player is None:
            self._player = QMediaPlayer(self)
            self._player.setAudioOutput(QAudioOutput(self))
            self._player.positionChanged.connect(self._position)
            self._player.playbackStateChanged.connect(self._state)
        self.path = path
        self._player.setSource(QUrl.fromLocalFile(str(path)))
        self._player.play()
        if share > 0:
            self._player.setPosition(round(share * self._player.duration()))

    def _position(self, at: int) -> None:
        if self._player.duration() > 0:
            self.moved.emit(at / self._player.duration())

    def _state(self, state: Any) -> None:
        if state.name == "StoppedState" and self.path is not None:
            self.path = None
            self.stopped.emit()
