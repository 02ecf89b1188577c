"""Noise suppression before the voice: RNNoise, from the library that the extra `noise` brings.

It works on frames of 480 samples, made for 48 kHz. At 44.1 kHz everything looks 9 % higher to it,
which it bears as well as another speaker; so nothing is resampled.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import weakref
from functools import cache
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import ConfigError

Wave = NDArray[np.float32]

FRAME = 480
DELAY = 2 * FRAME  # of RNNoise itself: its overlap, and a frame it hears ahead
RATES = (40_000, 52_000)  # Hz, between which it does its work
_SCALE = 32_768.0  # it thinks in 16 bits
_LIBRARIES = {"win32": "rnnoise.dll", "darwin": "librnnoise.dylib"}


class Suppressed:
    """A BlockProcessor that hears its input without the noise; later by at most 30 ms.

    inner: the processor behind it, whose params, steps and rate it takes over.
    """

    def __init__(self, inner: Any) -> None:
        low, high = RATES
        if not low <= inner.sample_rate <= high:
            raise ConfigError(
                f"noise suppression works between {low} and {high} Hz, this voice is at"
                f" {inner.sample_rate}; leave --suppress-noise out"
            )
        self.inner = inner
        self.sample_rate: int = inner.sample_rate
        self.block: int = inner.block
        self._gathering = FRAME - gcd(self.block, FRAME)
        self.latency: int = inner.latency + self._gathering + DELAY
        self._library = load_library()
        self._end: weakref.finalize[..., Any] | None = None
        self._heard = self._made = np.zeros(0, np.float32)
        self._start()

    @property
    def params(self) -> VoiceParams:
        """The inner one's."""
        params: VoiceParams = self.inner.params
        return params

    @params.setter
    def params(self, params: VoiceParams) -> None:
        self.inner.params = params

    @property
    def steps(self) -> int:
        """The inner one's."""
        return int(self.inner.steps)

    @steps.setter
    def steps(self, steps: int) -> None:
        self.inner.steps = steps

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        out: Wave = self.inner.push(self.clean(block))
        return out

    def reset(self) -> None:
        """See BlockProcessor."""
        self._start()
        self.inner.reset()

    def clean(self, block: Wave) -> Wave:
        """(block,) -> (block,), late by DELAY and what gathering frames takes."""
        self._heard = np.concatenate([self._heard, block])
        whole = len(self._heard) // FRAME * FRAME
        frames, self._heard = self._heard[:whole] * np.float32(_SCALE), self._heard[whole:]
        made = np.empty_like(frames)
        for at in range(0, whole, FRAME):
            taken, given = frames[at:], made[at:]
            self._library.rnnoise_process_frame(self._state, given.ctypes.data, taken.ctypes.data)
        self._made = np.concatenate([self._made, made / np.float32(_SCALE)])
        out, self._made = self._made[: len(block)], self._made[len(block) :]
        return out

    def _start(self) -> None:
        if self._end is not None:
            self._end()
        self._state = ctypes.c_void_p(self._library.rnnoise_create(None))
        self._end = weakref.finalize(self, self._library.rnnoise_destroy, self._state)
        self._heard = np.zeros(0, np.float32)
        self._made = np.zeros(self._gathering, np.float32)


@cache
def load_library() -> ctypes.CDLL:
    """RNNoise. ConfigError with a remedy where it is not there."""
    spec = importlib.util.find_spec("pyrnnoise")  # found, not imported: it brings plotting along
    folders = (spec.submodule_search_locations if spec else None) or []
    name = _LIBRARIES.get(sys.platform, "librnnoise.so")
    path = next((Path(folder) / name for folder in folders), Path(name))
    try:
        if not path.is_file():
            raise FileNotFoundError
        library = ctypes.CDLL(str(path))
    except OSError:
        raise ConfigError(
            "noise suppression needs RNNoise; mend it with `pip install pyrnnoise` (not made for"
            " every system), or leave --suppress-noise out"
        ) from None
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.restype = None
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library
