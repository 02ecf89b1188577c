"""Priority is asked for; a refusal is words, never an error."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from realtime import priority
from realtime.priority import (
    NICE,
    NICEST,
    SOUND,
    WINDOW,
    lower_priority,
    raise_priority,
    real_time,
)

SET_PRIORITY = getattr(os, "setpriority", None)  # conftest.py refuses it to the tests
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has classes instead")


class System:
    """A nice value that may be refused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before: int, allowed: bool = True) -> None:
        self.nice, self.allowed = before, allowed
        monkeypatch.setattr(os, "getpriority", lambda which, who: self.nice)
        monkeypatch.setattr(os, "setpriority", self.set)

    def set(self, which: int, who: int, nice: int) -> None:
        if not self.allowed:
            raise PermissionError(13, "Permission denied")
        self.nice = nice


@UNIX
def test_it_is_raised_where_the_system_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 0)
    assert raise_priority().granted
    assert system.nice == NICE


@UNIX
def test_a_refusal_is_told_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 5, allowed=False)
    said = raise_priority()
    assert not said.granted
    assert said.words == "as any program, nice 5 (Permission denied)"
    assert system.nice == 5


@UNIX
def test_what_has_more_already_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, -15)
    assert raise_priority().granted
    assert system.nice == -15


@pytest.mark.parametrize("granted", [True, False])
def test_windows_is_asked_for_its_class_and_timer(
    monkeypatch: pytest.MonkeyPatch, granted: bool
) -> None:
    asked: list[tuple[str, int]] = []

    def get() -> int:
        return 7

    def set_class(process: int, wanted: int) -> int:
        asked.append(("class", wanted))
        return int(granted)

    library = SimpleNamespace(
        GetCurrentProcess=get,
        SetPriorityClass=set_class,
        timeBeginPeriod=lambda ms: asked.append(("timer", ms)),
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(priority, "_library", lambda name: library)
    assert raise_priority().granted is granted
    assert asked == [("class", 0x80), ("timer", 1)]


def test_windows_without_these_libraries_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise OSError(f"no {name}")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(priority, "_library", missing)
    assert not raise_priority().granted


@UNIX
def test_what_the_window_starts_goes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setpriority", SET_PRIORITY)
    for alone in (False, True):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                                 start_new_session=alone)  # fmt: skip
        try:
            lower_priority(child.pid)
            assert os.getpriority(os.PRIO_PROCESS, child.pid) == NICEST
        finally:
            child.communicate(b"\n", timeout=60)
    lower_priority(child.pid)  # it has ended: nothing happens


LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux gives a thread its own class"
)


@LINUX
def test_threads_of_sound_are_made_in_real_time_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os,
        "sched_setscheduler",
        lambda who, kind, param: asked.append((kind, param.sched_priority)),
    )
    with real_time() as granted:
        assert granted
        assert asked == [(os.SCHED_RR, SOUND)]
    assert asked[1:] == [(os.SCHED_OTHER, 0)]
    with real_time(WINDOW, alone=True):
        assert asked[2] == (os.SCHED_RR | os.SCHED_RESET_ON_FORK, WINDOW)
    assert 0 < WINDOW < SOUND


@LINUX
def test_without_real_time_the_work_is_done_all_the_same() -> None:
    with real_time() as granted:  # conftest.py refuses it
        assert not granted
