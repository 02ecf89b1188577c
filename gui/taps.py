"""Processors of the app's own: one that lets the window see the sound, a level check, a tone."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import VoiceChangerError
from realtime.recorder import Recorder

Wave = NDArray[np.float32]

KEPT_BLOCKS = 64  # what a window that does not look may miss


class Tap:
    """A converter, its blocks in and out kept for the window, and recorded when wanted.

    Threads: the worker pushes; the window takes from `seen` and hands over recorders, each by one
    operation that the interpreter does whole.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.sample_rate: int = inner.sample_rate
        self.block: int = inner.block
        self.latency: int = inner.latency
        self.seen: deque[tuple[Wave, Wave]] = deque(maxlen=KEPT_BLOCKS)
        self._recorder: Recorder | None = None

    @property
    def params(self) -> VoiceParams:
        params: VoiceParams = self.inner.params
        return params

    @params.setter
    def params(self, params: VoiceParams) -> None:
        self.inner.params = params

    @property
    def steps(self) -> int:
        return int(self.inner.steps)

    @steps.setter
    def steps(self, steps: int) -> None:
        self.inner.steps = steps

    @property
    def pitch_shift(self) -> float:
        """Semitones, whoever chose them."""
        return float(self.inner.pitch_shift)

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        out: Wave = self.inner.push(block)
        self.seen.append((block.copy(), out.copy()))
        if (recorder := self._recorder) is not None:
            recorder.put(out.copy())
        return out

    def reset(self) -> None:
        """See BlockProcessor."""
        self.inner.reset()

    @property
    def recording(self) -> bool:
        return self._recorder is not None

    def record(self, path: Path) -> None:
        """From the next block on, until `end_recording`."""
        self._recorder = Recorder(path, self.sample_rate)

    def end_recording(self) -> Path | None:
        """Completes the file; waits for the disk. None: no sound came, so there is no file.

        Raises VoiceChangerError with what spoilt it.
        """
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        recorder.close()
        if recorder.error is not None:
            raise VoiceChangerError(str(recorder.error))
        return recorder.path if recorder.path.exists() else None


class Silence:
    """Plays nothing: to see what a microphone hears."""

    latency = 0

    def __init__(self, sample_rate: int = 44_100, block: int = 1024) -> None:
        self.sample_rate, self.block = sample_rate, block

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        return np.zeros_like(block)

    def reset(self) -> None:
        """See BlockProcessor."""


class Tone(Silence):
    """A soft 440 Hz with a slow beat, to hear where the sound goes."""

    def __init__(self, sample_rate: int = 44_100, block: int = 1024) -> None:
        super().__init__(sample_rate, block)
        self._at = 0

    def push(self, block: Wave) -> Wave:
        """See BlockProcessor."""
        t = (self._at + np.arange(len(block))) / self.sample_rate
        self._at += len(block)
        beat = 0.5 - 0.5 * np.cos(2 * np.pi * 2 * t)
        return (0.1 * beat * np.sin(2 * np.pi * 440 * t)).astype(np.float32)

    def reset(self) -> None:
        """See BlockProcessor."""
        self._at = 0
