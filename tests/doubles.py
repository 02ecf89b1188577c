"""Doubles with known answers, for the seams of the pipeline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from realtime.loopback import VirtualClock


class Identity:
    """A BlockProcessor that gives back what it gets. Notes how often it was pushed and reset."""

    def __init__(self, sample_rate: int = 48_000, block: int = 960) -> None:
        self.sample_rate = sample_rate
        self.block = block
        self.latency = 0
        self.pushes = 0
        self.resets = 0

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        assert block.shape == (self.block,)
        assert block.dtype == np.float32
        self.pushes += 1
        return block

    def reset(self) -> None:
        self.resets += 1
        self.pushes = 0


class Delay(Identity):
    """Gives back what it got `latency` samples ago."""

    def __init__(self, latency: int, sample_rate: int = 48_000, block: int = 960) -> None:
        super().__init__(sample_rate, block)
        self.latency = latency
        self._line = np.zeros(latency, np.float32)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        line = np.concatenate([self._line, super().push(block)])
        self._line = line[self.block :]
        return line[: self.block]

    def reset(self) -> None:
        super().reset()
        self._line = np.zeros(self.latency, np.float32)


class SlowProcessor(Identity):
    """Takes `seconds` of a virtual clock for every block, or for those numbered in `only`."""

    def __init__(
        self,
        seconds: float,
        clock: VirtualClock,
        only: frozenset[int] | None = None,
        sample_rate: int = 48_000,
        block: int = 960,
    ) -> None:
        super().__init__(sample_rate, block)
        self.seconds, self.clock, self.only = seconds, clock, only

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        number = self.pushes
        if self.resets > 1 and (self.only is None or number in self.only):
            self.clock.sleep(self.seconds)  # not while the session warms up
        return super().push(block)


class FailingProcessor(Identity):
    """Raises `error` at the block numbered `at`, counted from the last reset."""

    def __init__(
        self, at: int, error: Exception, sample_rate: int = 48_000, block: int = 960
    ) -> None:
        super().__init__(sample_rate, block)
        self.at, self.error = at, error

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.pushes == self.at and self.resets > 1:
            raise self.error
        return super().push(block)


class Gain(Identity):
    """Obeys `params.gain_db`: shows that the live knobs arrive."""

    def __init__(self, sample_rate: int = 48_000, block: int = 960) -> None:
        super().__init__(sample_rate, block)
        self.params = VoiceParams()

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        return super().push(block) * np.float32(10 ** (self.params.gain_db / 20))
