"""StageMeter: a converter that keeps what each stage of each block took. For demo and bench."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams


class Staged(Protocol):
    """A converter that says what each stage of its last push took."""

    sample_rate: int
    block: int
    latency: int
    params: VoiceParams
    steps: int

    @property
    def stage_seconds(self) -> Mapping[str, float]: ...
    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def reset(self) -> None: ...


class StageMeter:
    """A BlockProcessor around a converter; `stages`: the milliseconds of every push."""

    def __init__(self, converter: Staged) -> None:
        self._converter = converter
        self.sample_rate = converter.sample_rate
        self.block = converter.block
        self.latency = converter.latency
        self.stages: dict[str, list[float]] = defaultdict(list)

    @property
    def params(self) -> VoiceParams:
        return self._converter.params

    @params.setter
    def params(self, params: VoiceParams) -> None:
        self._converter.params = params

    @property
    def steps(self) -> int:
        return self._converter.steps

    @steps.setter
    def steps(self, steps: int) -> None:
        self._converter.steps = steps

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """As the converter's."""
        started = time.perf_counter()
        out = self._converter.push(block)
        self.stages["block"].append(1e3 * (time.perf_counter() - started))
        for stage, seconds in self._converter.stage_seconds.items():
            self.stages[stage].append(1e3 * seconds)
        return out

    def reset(self) -> None:
        """Resets the converter and forgets the timings."""
        self._converter.reset()
        self.stages.clear()

    def quantiles(self) -> dict[str, tuple[float, float, float]]:
        """Stage -> its p50, p95 and p99 in ms."""
        return {
            stage: tuple(float(q) for q in np.percentile(values, (50, 95, 99)))  # type: ignore[misc]
            for stage, values in self.stages.items()
        }
