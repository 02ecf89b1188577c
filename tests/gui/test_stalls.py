"""The window never blocks, live and with files converting."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui import engine
from gui.main_window import MainWindow
from realtime.priority import WINDOW, raise_priority, real_time
from tests.gui.timed import Handled, TimedApplication
from tests.gui.windows import go_live

LIMIT_MS = 50.0
REFUSED = ("setpriority", "sched_setscheduler")  # by conftest.py, to the tests
ASKED = {name: getattr(os, name, None) for name in REFUSED}
BEAT_MS = 5


@dataclass
class Watch:
    """longest_ms: between two turns of the event loop. where: what the thread did meanwhile."""

    longest_ms: float = 0.0
    where: str = ""
    turns: int = 0
    _last: float = field(default_factory=time.perf_counter)
    _seen: str = ""

    def beat(self) -> None:
        """A turn of the event loop."""
        now = time.perf_counter()
        late = 1e3 * (now - self._last)
        if late > self.longest_ms:
            self.longest_ms, self.where = late, self._seen
        self._last, self._seen, self.turns = now, "", self.turns + 1

    def look(self, thread: int) -> None:
        """From another thread: keeps the stack of one that is late."""
        if time.perf_counter() - self._last > LIMIT_MS / 2e3:
            frames = islice(traceback.walk_stack(sys._current_frames()[thread]), 4)
            self._seen = " < ".join(f"{Path(f.f_code.co_filename).name}:{at}" for f, at in frames)


@contextmanager
def watching(window: MainWindow) -> Iterator[Watch]:
    watch, over, thread = Watch(), threading.Event(), threading.get_ident()

    def patrol() -> None:
        with real_time(WINDOW, alone=True):  # where that is refused, also here
            while not over.wait(BEAT_MS / 1e3):
                watch.look(thread)

    dog = threading.Thread(target=patrol, daemon=True)
    timer = QTimer(window)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(watch.beat)
    timer.start(BEAT_MS)
    dog.start()
    try:
        yield watch
    finally:
        timer.stop()
        over.set()
        dog.join()


def stalls(window: MainWindow, qtbot: QtBot, seconds: float) -> tuple[Watch, Handled]:
    """Of a busy window, by the clock and by its own work."""
    application = QApplication.instance()
    assert isinstance(application, TimedApplication)
    go_live(window, qtbot)
    window.files.folder = Path(window.store._store.fileName()).parent / "out"
    window.files.add_paths([engine.DEMO] * 200)
    qtbot.waitUntil(lambda: window.files.queue.busy, timeout=60_000)
    qtbot.wait(2000)
    application.slowest = None
    with watching(window) as watch:
        qtbot.wait(round(1000 * seconds))
    assert application.slowest is not None
    assert window.files.queue.busy
    print(f"{watch.longest_ms:.0f} ms at most by the clock {watch.where}; {application.slowest}")
    return watch, application.slowest


def test_no_event_keeps_the_window_50_ms(window: MainWindow, qtbot: QtBot) -> None:
    """In its own time: a loaded machine does not count."""
    watch, slowest = stalls(window, qtbot, 4)
    assert slowest.cpu_ms < LIMIT_MS, slowest
    assert watch.turns > 4


@pytest.fixture
def before_other_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in `gui.app.run`."""
    for name in REFUSED:
        monkeypatch.setattr(f"os.{name}", ASKED[name], raising=False)
    raise_priority()
    with real_time(WINDOW, alone=True):
        yield


@pytest.mark.slow
def test_no_stall_over_50_ms_in_a_minute(
    before_other_work: None, window: MainWindow, qtbot: QtBot
) -> None:
    """By the clock, too."""
    watch, slowest = stalls(window, qtbot, 60)
    assert slowest.cpu_ms < LIMIT_MS, slowest
    assert watch.longest_ms < LIMIT_MS, watch.where
