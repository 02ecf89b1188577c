"""What a session does to sound beside the voice: gains, pass-through, mute, a limiter.

Whatever is changed glides, so nothing clicks. Mono float32 (T,) in and out, no delay added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError, unknown_name

Wave = NDArray[np.float32]
Mode = Literal["voice", "dry", "mute"]

LOWEST_DB, HIGHEST_DB = -120.0, 60.0
RELEASE_SECONDS = 0.2  # in which the limiter gives back 20 dB


@dataclass(frozen=True)
class SoundParams:
    """Live knobs of the session, to be replaced at any time.

    mode: the voice, the input as it is (late by as much), or silence. input_gain_db: before the
    voice. output_gain_db: after it. ceiling_db: no sample gets louder (dBFS).
    """

    mode: Mode = "voice"
    input_gain_db: float = 0.0
    output_gain_db: float = 0.0
    ceiling_db: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise unknown_name("mode", self.mode, get_args(Mode))
        for name in ("input_gain_db", "output_gain_db"):
            _check_db(name, getattr(self, name), HIGHEST_DB)
        _check_db("ceiling_db", self.ceiling_db, 0.0)


def _check_db(name: str, value: float, highest: float) -> None:
    if not LOWEST_DB <= value <= highest:
        raise ConfigError(f"{name} must lie between {LOWEST_DB:g} and {highest:g}, got {value}")


class Glide:
    """A factor that reaches a new value in a straight line, over `length` samples or a wave."""

    def __init__(self, value: float, length: int | None = None) -> None:
        self.value = value
        self._length = length

    def __call__(self, wave: Wave, value: float) -> Wave:
        """The wave times the factor on its way to `value`; the wave itself where that is 1."""
        start, self.value = self.value, value
        if start == value:
            return wave if value == 1.0 else wave * np.float32(value)
        factors = np.full(len(wave), value, np.float32)
        length = min(self._length or len(wave), len(wave))
        factors[:length] = start + (value - start) * np.arange(1, length + 1) / length
        scaled: Wave = wave * factors
        return scaled


class Limiter:
    """Holds peaks under a ceiling: at once down, slowly back. What stays below is untouched."""

    def __init__(self, sample_rate: int) -> None:
        self._decay = math.log(10) / (RELEASE_SECONDS * sample_rate)  # nepers a sample
        self._level = -math.inf  # log of the peak, as it decays

    def __call__(self, wave: Wave, ceiling: float) -> Wave:
        """ceiling: above 0, at most 1."""
        limit = math.log(ceiling)
        peak = float(np.abs(wave).max()) if len(wave) else 0.0
        if peak <= ceiling and self._level - self._decay <= limit:
            self._level = -math.inf  # nothing to hold
            return wave
        fall = self._decay * np.arange(1, len(wave) + 1)
        levels = np.log(np.maximum(np.abs(wave, dtype=np.float64), 1e-12)) + fall
        levels = np.maximum(np.maximum.accumulate(levels), self._level) - fall
        self._level = float(levels[-1])
        held: Wave = (wave * np.exp(np.minimum(0.0, limit - levels))).astype(np.float32)
        return held.clip(-ceiling, ceiling)


class Splice:
    """Joins what comes after a cut to what came before it: the two cross over `fade` samples."""

    def __init__(self, fade: int) -> None:
        self.fade = fade
        self._head: Wave | None = None

    def cut(self, head: Wave) -> None:
        """head: how it would have gone on; the rest is left out. The first of several counts."""
        if self._head is None:
            self._head = head[: self.fade].copy()

    def join(self, wave: Wave) -> Wave:
        """The next wave to keep."""
        if self._head is None or not len(wave):
            return wave
        head, self._head = self._head, None
        count = min(len(head), len(wave))
        rise = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)
        joined = wave.copy()
        joined[:count] = head[:count] + rise * (wave[:count] - head[:count])
        return joined


class DelayLine:
    """Gives back what it got `length` samples ago; silence before."""

    def __init__(self, length: int) -> None:
        self._line = np.zeros(length, np.float32)

    def push(self, wave: Wave) -> Wave:
        """(T,) -> (T,)."""
        line = np.concatenate([self._line, wave])
        self._line = line[len(wave) :]
        return line[: len(wave)]
