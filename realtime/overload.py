"""What a worker may afford: full work, fewer steps, or none at all until the machine has room."""

from __future__ import annotations

SLOW_BLOCKS = 3  # in a row, or in excess of quick ones: then the machine is too slow for this
PATIENT_BLOCKS = 12  # the same where the voice itself would be left out: a burst is but a dropout
HEAVIEST = 4
HOLD_SECONDS = 2.0  # of less work before more is tried again; doubled by each try that fails
LONGEST_HOLD_SECONDS = 8.0
TRIAL_SECONDS = 5.0  # after more work was given: in these there is less patience
TOO_SLOW = 1 + 1e-6  # of a block; a virtual clock may round up to just one
ROOM = 0.8  # share of a block that more steps may be expected to take


class Overload:
    """effort: the steps to work with, from `steps` down to 1; 0 means bypass."""

    def __init__(self, block_seconds: float, steps: int, now: float) -> None:
        self.effort = self._steps = max(1, steps)
        self._block_seconds = block_seconds
        self._slow = 0
        self._hold = HOLD_SECONDS
        self._since = now
        self._trial = False
        self._load = 0.0  # of a block, smoothed

    def note(self, seconds: float, now: float) -> None:
        """A block took `seconds` and ended at `now`."""
        load = seconds / self._block_seconds
        self._load += 0.2 * (min(load, 2.0) - self._load)
        if self._trial and now - self._since > TRIAL_SECONDS:
            self._trial = False
            self._hold = HOLD_SECONDS
        if load > TOO_SLOW:  # after another, one that took many blocks' time counts as several
            self._slow += min(int(load), HEAVIEST) if self._slow else 1
        elif self._slow:
            self._slow -= 1
        patience = PATIENT_BLOCKS if self.effort == 1 and not self._trial else SLOW_BLOCKS
        if self.effort and self._slow >= patience:
            self._lower(now)
        elif self.effort < self._steps and not self._slow and now - self._since >= self._hold:
            self._raise(now)

    def _lower(self, now: float) -> None:
        if self._trial:
            self._hold = min(2 * self._hold, LONGEST_HOLD_SECONDS)
        self._change(self.effort // 2, now, trial=False)

    def _raise(self, now: float) -> None:
        more = min(max(1, 2 * self.effort), self._steps)
        if self.effort and self._load * more / self.effort > ROOM:
            return
        self._change(more, now, trial=True)

    def _change(self, effort: int, now: float, trial: bool) -> None:
        self.effort, self._since, self._trial = effort, now, trial
        self._slow = 0
        self._load = 0.0
