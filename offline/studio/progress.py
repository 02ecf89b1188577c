"""Figures between two reports, and the wish to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STOPS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
]


class Figures:
    """Means since the last report."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._loss, self._count, self._frames = 0.0, 0, 0
        self._sums: dict[str, float] = {}

    def add(self, loss: float, figures: dict[str, float], frames: int) -> None:
        """One step: its loss, its figures and how many frames it learned from."""
        self._loss += loss
        self._count += 1
        self._frames += frames
        for key, value in figures.items():
            self._sums[key] = self._sums.get(key, 0.0) + value

    def mean_loss(self) -> float:
        """Of the steps added."""
        return self._loss / max(self._count, 1)

    def means(self) -> dict[str, float]:
        """Of each figure."""
        return {key: value / self._count for key, value in self._sums.items()}

    def speed(self) -> float:
        """Frames a second, since this object was made."""
        return self._frames / max(time.monotonic() - self._started, 1e-9)


@contextmanager
def stop_asked() -> Iterator[list[int]]:
    """A list that Ctrl-C or SIGTERM puts something into: the step ends, the state is saved.

    A second Ctrl-C ends at once.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {}
    try:
        for number in _STOPS:
            before[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread, which alone may ask for signals
        pass
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
