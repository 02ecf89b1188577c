"""The files to convert, as a Qt model, and the process that converts them."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PyQt6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QProcess,
    QProcessEnvironment,
    Qt,
    pyqtSignal,
)

from core.config import VoiceParams
from core.tables import to_dict
from gui.i18n import WORDS, tr
from gui.i18n.sentences import told
from realtime.priority import lower_priority

HEADERS = ("File", "State", "Progress", "Time left")
SHARE = Qt.ItemDataRole.UserRole  # of the file that is done, 0 to 1
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Entry:
    """One file. state: waiting, converting, done, failed or cancelled. started: seconds."""

    id: int
    source: Path
    target: Path
    state: str = "waiting"
    share: float = 0.0
    started: float = 0.0
    error: str = ""


STATES = {
    "waiting": "Waiting",
    "converting": "Converting",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


class FileQueue(QAbstractTableModel):
    """Rows in the order they came."""

    crashed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []
        self.paused = False
        self._process: QProcess | None = None
        self._rest = b""
        WORDS.on_switch(self._all_changed)

    def add(self, pairs: list[tuple[Path, Path]], voice: Path, params: VoiceParams) -> None:
        """They are converted one after the other."""
        first = len(self.entries)
        self.beginInsertRows(QModelIndex(), first, first + len(pairs) - 1)
        added = [Entry(first + i, *pair) for i, pair in enumerate(pairs)]
        self.entries += added
        self.endInsertRows()
        for entry in added:
            self._order(
                convert=entry.id,
                source=str(entry.source),
                target=str(entry.target),
                voice=str(voice),
                params=to_dict(params),
            )

    @property
    def busy(self) -> bool:
        """Whether a file waits or is converted."""
        return any(entry.state in ("waiting", "converting") for entry in self.entries)

    def pause(self, paused: bool) -> None:
        """The file at hand waits where it is."""
        self.paused = paused
        self._order(pause=paused)

    def cancel(self, row: int) -> None:
        """The target keeps what it was."""
        entry = self.entries[row]
        if entry.state in ("waiting", "converting"):
            self._order(cancel=entry.id)
            self._set(row, replace(entry, state="cancelled"))

    def close(self) -> None:
        """Ends the process; a file half done is dropped."""
        process, self._process = self._process, None
        if process is None:
            return
        process.finished.disconnect()
        process.readyReadStandardOutput.disconnect()
        process.closeWriteChannel()
        if not process.waitForFinished(4000):
            process.kill()
            process.waitForFinished(2000)

    def _order(self, **order: object) -> None:
        if self._process is None:
            if "convert" not in order:
                return
            self._process = self._start()
            if self.paused:
                self._order(pause=True)
        self._process.write((json.dumps(order) + "\n").encode())

    def _start(self) -> QProcess:
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        if len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else "1234") > 2:
            environment.remove("OMP_NUM_THREADS")  # the window's own, for live
        environment.insert("PYTHONPATH", str(ROOT))
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._ended)
        process.started.connect(lambda: lower_priority(process.processId()))
        process.start(sys.executable, ["-m", "offline.serve"])
        return process

    def _read(self) -> None:
        assert self._process is not None
        self._rest += self._process.readAllStandardOutput().data()
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._heard(json.loads(line))

    def _heard(self, event: dict[str, Any]) -> None:
        row = int(event["id"])
        entry = self.entries[row]
        kind = event["event"]
        if entry.state == "cancelled":
            return
        if kind == "start":
            entry = replace(entry, state="converting", started=time.monotonic())
        elif kind == "progress":
            entry = replace(entry, share=float(event["share"]))
        elif kind == "done":
            entry = replace(entry, state="done", share=1.0)
        else:
            entry = replace(entry, state=kind, error=str(event.get("error", "")))
        self._set(row, entry)

    def _ended(self) -> None:
        process, self._process = self._process, None
        said = process.readAllStandardError().data().decode(errors="replace") if process else ""
        words = said.strip().rpartition("\n")[2] or "the converting process has ended"
        for row, entry in enumerate(self.entries):
            if entry.state in ("waiting", "converting"):
                self._set(row, replace(entry, state="failed", error=words))
        self.crashed.emit(words)

    def _set(self, row: int, entry: Entry) -> None:
        self.entries[row] = entry
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(HEADERS) - 1))

    def _all_changed(self) -> None:
        try:
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(HEADERS) - 1)
            if self.entries:
                last = self.index(len(self.entries) - 1, len(HEADERS) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
        except RuntimeError:  # the window is gone
            return

    # Qt's questions

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """See QAbstractItemModel."""
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """See QAbstractItemModel."""
        return len(HEADERS)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """See QAbstractItemModel."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(HEADERS[section])
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See QAbstractItemModel."""
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return told(entry.error) or str(entry.source)
        if role == SHARE:
            return entry.share
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        state = tr(STATES[entry.state]) + (f": {told(entry.error)}" if entry.error else "")
        shown = (entry.source.name, state, f"{100 * entry.share:.0f} %", time_left(entry))
        return shown[index.column()]


def time_left(entry: Entry) -> str:
    """By the speed so far; empty before there is one."""
    if entry.state != "converting" or entry.share < 0.02:
        return ""
    seconds = (time.monotonic() - entry.started) * (1 - entry.share) / entry.share
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
