"""f0 estimators: a wave becomes pitch and a voiced flag on the voice's grid, whole or live.

Frame i is centred in its samples: i * hop_length + hop_length / 2. f0 is continuous (`frames.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.errors import unknown_name

Track = tuple[NDArray[np.float32], NDArray[np.bool_]]  # f0 in Hz (frames,), voiced (frames,)


class F0Stream(Protocol):
    """The live form of an estimator: every frame is committed once, in order, and never revised.

    block: frames are committed in whole groups of so many samples (one hop if the stream is exact).
    lookahead: samples after the end of such a group that must have come before it is committed.
    """

    block: int
    lookahead: int

    def push(self, wave: NDArray[np.float32]) -> Track:
        """Takes the next samples, any number; returns the frames that became committed."""

    def flush(self) -> Track:
        """Returns the frames still owed, as if zeros followed, and rewinds."""

    def reset(self) -> None:
        """Forgets everything pushed."""


class F0Estimator(Protocol):
    """context: samples of past and future that fix a frame; 0 = unbounded.

    streams_exactly: the stream yields what the whole signal yields, whatever the sizes pushed.
    """

    context: int
    streams_exactly: bool

    def __call__(self, wave: NDArray[np.float32]) -> Track:
        """wave: (T,) -> f0 in Hz (frames,), voiced (frames,); frames = ceil(T / hop_length)."""

    def stream(self, block_frames: int = 4, context_frames: int = 24) -> F0Stream:
        """A fresh stream. Both arguments shape windowed streams only; exact ones need neither."""


def _autocorrelation(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.autocorrelation import Autocorrelation

    return Autocorrelation(audio, config)


def _yin(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.yin import Yin

    return Yin(audio, config)


def _dio(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.world import Dio

    return Dio(audio, config)


def _harvest(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.world import Harvest

    return Harvest(audio, config)


def _pyin(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.pyin import Pyin

    return Pyin(audio, config)


def _swift(audio: AudioConfig, config: F0Config) -> F0Estimator:
    from core.f0.swift import Swift

    return Swift(audio, config)


F0_ESTIMATORS: dict[str, Callable[[AudioConfig, F0Config], F0Estimator]] = {
    "autocorrelation": _autocorrelation,
    "yin": _yin,
    "dio": _dio,
    "harvest": _harvest,
    "pyin": _pyin,
    "swift": _swift,
}


def f0_estimator(audio: AudioConfig, config: F0Config) -> F0Estimator:
    """The estimator that `config` names."""
    if config.estimator not in F0_ESTIMATORS:
        raise unknown_name("f0 estimator", config.estimator, F0_ESTIMATORS)
    return F0_ESTIMATORS[config.estimator](audio, config)
