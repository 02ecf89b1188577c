"""A training as processes of their own: they write events to a file, which the app reads.

So a training goes on when the window is closed, and the next window finds it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from realtime.priority import lower_priority

ROOT = Path(__file__).parents[1]
EVENTS, ERRORS, MARK = "app-events.jsonl", "app-errors.txt", "app-process.json"
POLL_MS = 250
PIECE = 1 << 16  # bytes of events told at once, lest the window wait for a long training's


@dataclass(frozen=True)
class Command:
    """`moksori verb NAME ...` in a folder of projects. mark: the file that tells of the process."""

    verb: str
    name: str
    projects: Path
    recordings: Path | None = None

    @property
    def words(self) -> list[str]:
        """The command line, without the program."""
        words = [self.verb, self.name, "--projects", str(self.projects)]
        if self.verb == "new":
            return [*words, "--recordings", str(self.recordings)]
        return [*words, "--json"]


class TrainingProcess(QObject):
    """One command at a time.

    said: an event, a dict as in docs/training.md. ended: the command, its exit code and its last
    words (exit code -1: unknown, a process of an earlier window).
    """

    said = pyqtSignal(dict)
    ended = pyqtSignal(str, int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.command: Command | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._read = 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def running(self) -> bool:
        """Whether a command is at work."""
        return self.command is not None

    def start(self, command: Command, program: list[str] | None = None) -> None:
        """program: in place of `python -m moksori`, for tests."""
        folder = command.projects / command.name
        (command.projects / ".app").mkdir(parents=True, exist_ok=True)
        self.command, self._read = command, 0
        self._place = command.projects / ".app" if command.verb == "new" else folder
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        environment["PYTHONUNBUFFERED"] = "1"
        own = program or [sys.executable, "-m", "moksori"]
        flags = 0x00000200 if sys.platform == "win32" else 0  # a process group of its own
        with (
            (self._place / EVENTS).open("wb") as events,
            (self._place / ERRORS).open("wb") as errors,
        ):
            self._process = subprocess.Popen(
                [*own, *command.words],
                stdin=subprocess.DEVNULL,
                stdout=events,
                stderr=errors,
                env=environment,
                start_new_session=True,
                creationflags=flags,
            )
        self._pid = self._process.pid
        lower_priority(self._pid)
        mark = {"pid": self._pid, "verb": command.verb}
        (self._place / MARK).write_text(json.dumps(mark), encoding="utf-8")
        self._timer.start()

    def find(self, name: str, projects: Path) -> bool:
        """Goes on watching what an earlier window has started; its events are told again."""
        place = projects / name
        try:
            mark = json.loads((place / MARK).read_text("utf-8"))
            pid, verb = int(mark["pid"]), str(mark["verb"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if not _alive(pid):
            return False
        self.command, self._read, self._pid = Command(verb, name, projects), 0, pid
        self._place, self._process = place, None
        self._timer.start()
        return True

    def stop(self) -> None:
        """Asks it to save and end; `ended` tells when it has."""
        if self.running:
            number: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)  # Windows has it
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, number)

    def leave(self) -> None:
        """It goes on without the window."""
        self._timer.stop()
        self.command = None

    def wait(self, seconds: float) -> None:
        """For its end; a process that does not stop is left behind, its state is on the disk."""
        self._timer.stop()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def _poll(self) -> None:
        alive = self._process.poll() is None if self._process else _alive(self._pid)
        self._tell()
        if alive or self.command is None:
            return
        self._timer.stop()
        verb, self.command = self.command.verb, None
        (self._place / MARK).unlink(missing_ok=True)
        code = self._process.returncode if self._process else -1
        said = (self._place / ERRORS).read_text("utf-8", "replace").strip()
        self.ended.emit(verb, code, said.rpartition("\n")[2].removeprefix("moksori: "))

    def _tell(self) -> None:
        with contextlib.suppress(OSError):
            with (self._place / EVENTS).open("rb") as file:
                file.seek(self._read)
                data = file.read(PIECE)
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.splitlines():
                with contextlib.suppress(ValueError):
                    event: Any = json.loads(line)
                    if isinstance(event, dict) and "event" in event:
                        self.said.emit(event)


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        listed = subprocess.run(["tasklist", "/FI", f"PID eq {pid}"], capture_output=True)
        return str(pid).encode() in listed.stdout
    with contextlib.suppress(ChildProcessError):  # of an earlier window of this program
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
