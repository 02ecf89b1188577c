"""Whether a device still calls back: one that has died rarely says so.

Time is counted in looks, not read from a clock: where all of the program stood still there was but
one look, and the callbacks that waited come before the next.
"""

from __future__ import annotations

INPUT, OUTPUT = 0, 1
LOOK_SECONDS = 0.06
FIRST_SECONDS = 5.0  # a driver may take its time to begin, until it has called so often:
FIRST_CALLS = 100
STUCK_SECONDS = 1.0  # without a callback: the device is as good as gone
DEAD_SECONDS = 0.3  # the same for an output that underran within its last calls:
LAST_CALLS = 50


class Watchman:
    """Of one run. underran: the number of the output's last call that came too late, or 0."""

    def __init__(self) -> None:
        self.underran = 0
        self._calls, self._seen, self._silent = [0, 0], [0, 0], [0.0, 0.0]

    def called(self, side: int, status: object = None) -> None:
        """The device has called (its thread). status: PortAudio's."""
        self._calls[side] += 1
        if side == OUTPUT and status and "underflow" in str(status):
            self.underran = self._calls[side]

    def look(self) -> float | None:
        """To be called every LOOK_SECONDS; the patience that has run out, in seconds."""
        for side, calls in enumerate(self._calls):
            quiet = calls == self._seen[side]
            self._silent[side] = self._silent[side] + LOOK_SECONDS if quiet else 0.0
            self._seen[side] = calls
            if self._silent[side] > (patience := self._patience(side, calls)):
                return patience
        return None

    def _patience(self, side: int, calls: int) -> float:
        if side == OUTPUT and self.underran and calls - self.underran < LAST_CALLS:
            return DEAD_SECONDS
        return STUCK_SECONDS if calls > FIRST_CALLS else FIRST_SECONDS
