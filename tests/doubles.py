"""Doubles with known answers, for the seams of the pipeline."""

from __future__ import annotations

import threading
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from realtime.backend import AudioCallback
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


class TwoClocks:
    """Two devices on a virtual clock, one of which ticks faster; their callbacks interleave.

    The input's clock is `ppm` slower than the output's. `output`: what was played (T,), of a wave
    heard once; one that is heard in a loop is not kept.
    """

    one_clock, reopens, monitor_rate, latency = False, False, 0, 0.0

    def __init__(
        self,
        wave: NDArray[np.float32],
        ppm: float,
        input_rate: int = 48_000,
        sample_rate: int = 48_000,
        loops: int = 1,
    ) -> None:
        self.input_rate, self.sample_rate = input_rate, sample_rate
        self._loops = loops
        self.input_block, self.block = input_rate // 100, sample_rate // 100
        self._wave, self._slowness = wave, 1 + 1e-6 * ppm
        self._time = 0.0
        self._played: list[NDArray[np.float32]] = []
        self._thread: threading.Thread | None = None

    @property
    def output(self) -> NDArray[np.float32]:
        return np.concatenate(self._played)

    def now(self) -> float:
        return self._time

    def refresh(self) -> None:
        pass

    def start(self, callback: AudioCallback) -> None:
        self._thread = threading.Thread(target=self._run, args=(callback,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.join(60)

    def _run(self, callback: AudioCallback) -> None:
        inputs = 0.0
        outputs = 0.0037  # they do not start together
        places = range(0, len(self._wave) - self.input_block, self.input_block)
        for at in chain.from_iterable(repeat(places, self._loops)):
            while outputs < inputs:
                self._time = outputs
                out = np.empty((self.block, 1), np.float32)
                callback(None, out, None)
                if self._loops == 1:
                    self._played.append(out[:, 0].copy())
                outputs += 0.01
            self._time = inputs
            callback(self._wave[at : at + self.input_block, None], None, None)
            while not callback.settle(1):
                pass
            inputs += 0.01 * self._slowness
        callback.ended(None)
