"""Asks the system to let this process's sound go before other programs' work.

Asking is free and may be refused; sound then runs as any program does. Neither is an error.
Linux: a nice value of -11, as sound servers have; left to the threads made from now on, too. Nice
values weigh only within a login or terminal where the kernel groups programs by it, so the threads
of the sound itself, which take part of one core, ask to run in real time; so does the thread of a
window, behind them.
macOS: the same. Windows: the class "high", and a timer of 1 ms, for it wakes threads by 15.6 ms.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NICE, NICEST = -11, 19
SOUND, WINDOW = 5, 1  # of 1 to 99: above every program, below what the system itself needs
TIMER_MS = 1
_HIGH_PRIORITY_CLASS, _BELOW_NORMAL_PRIORITY_CLASS = 0x80, 0x4000
_SET_INFORMATION = 0x0200


@dataclass(frozen=True)
class Priority:
    """What the system said. words: for people."""

    granted: bool
    words: str
    remedy: str = ""


def raise_priority() -> Priority:
    """For the calling process, or of Linux for the calling thread and those it makes."""
    return _on_windows() if sys.platform == "win32" else _on_unix()


@contextmanager
def real_time(rank: int = SOUND, alone: bool = False) -> Iterator[bool]:
    """The calling thread, and unless `alone` those it makes within, run before all other programs;
    yields whether the system allows it.

    Linux only: elsewhere the sound's libraries see to their own threads.
    """
    if sys.platform != "linux":
        yield False
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)  # of the calling thread
    kind = os.SCHED_RR | (os.SCHED_RESET_ON_FORK if alone else 0)
    try:
        os.sched_setscheduler(0, kind, os.sched_param(rank))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, *before)


def calm_collector() -> None:
    """What lives now is collected once, then looked at no more (until `gc.unfreeze`).

    A full look at a program with torch takes 0.13 s, in which neither a callback nor the window
    gets the interpreter, and comes at any time; an output of 40 ms underruns in it.
    """
    gc.collect()
    gc.freeze()


def lower_priority(process: int) -> None:
    """Another program of ours, just started: the sound and the window go before it."""
    try:
        if sys.platform == "win32":
            kernel = _library("kernel32")
            kernel.OpenProcess.restype = ctypes.c_void_p
            kernel.SetPriorityClass.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
            kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
            handle = kernel.OpenProcess(_SET_INFORMATION, False, process)
            kernel.SetPriorityClass(handle, _BELOW_NORMAL_PRIORITY_CLASS)
            kernel.CloseHandle(handle)
        else:
            os.setpriority(os.PRIO_PROCESS, process, NICEST)
            group = Path(f"/proc/{process}/autogroup")
            if os.getsid(process) == process and group.exists():  # else it is the window's group
                group.write_text(str(NICEST))
    except (OSError, AttributeError):  # it then runs as any program
        pass


def _on_unix() -> Priority:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    if before <= NICE:
        return Priority(True, f"nice {before}")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError as error:
        return Priority(
            False,
            f"as any program, nice {before} ({error.strerror})",
            "let your user go down to nice -11: a line `@audio - nice -11` in"
            " /etc/security/limits.d/audio.conf, and your user in the group audio"
            if sys.platform.startswith("linux")
            else "",
        )
    return Priority(True, f"nice {NICE}")


def _on_windows() -> Priority:
    try:
        kernel, timer = _library("kernel32"), _library("winmm")
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.SetPriorityClass.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
        granted = bool(kernel.SetPriorityClass(kernel.GetCurrentProcess(), _HIGH_PRIORITY_CLASS))
        timer.timeBeginPeriod(TIMER_MS)
    except (OSError, AttributeError) as error:
        return Priority(False, f"as any program ({error})")
    return Priority(granted, "high" if granted else "as any program (refused)")


def _library(name: str) -> Any:
    return ctypes.CDLL(f"{name}.dll")
