"""The live form of estimators that see a whole window: each frame is taken once, from one window.

[------ context ------|-- block --|- lookahead -]     the middle is committed, the window moves on
                                                      by one block
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.errors import ConfigError
from core.f0.frames import DEFAULT_F0, hold

# wave (T,) -> f0 (ceil(T / hop),), any value where not voiced, and voiced
RawEstimate = Callable[[NDArray[np.float32]], tuple[NDArray[np.float64], NDArray[np.bool_]]]


class WindowedStream:
    """See F0Stream. Windows start at whole frames: sizes pushed do not change what comes out."""

    def __init__(
        self,
        audio: AudioConfig,
        estimate: RawEstimate,
        block_frames: int,
        context_frames: int,
        lookahead_frames: int,
    ) -> None:
        if block_frames < 1 or context_frames < 0 or lookahead_frames < 0:
            raise ConfigError(
                "an f0 window needs a block of at least 1 frame and no negative length, got block "
                f"{block_frames}, context {context_frames}, lookahead {lookahead_frames}"
            )
        self._estimate = estimate
        self._hop = audio.hop_length
        self._context_frames = context_frames
        self._block_frames = block_frames
        self.block = block_frames * audio.hop_length
        self.lookahead = lookahead_frames * audio.hop_length
        self.reset()

    def reset(self) -> None:
        """Forgets everything pushed."""
        self._buffer = np.zeros(0, np.float32)
        self._past_frames = 0  # frames in the buffer that are committed already
        self._last_f0 = DEFAULT_F0

    def push(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """wave: (T,), any T -> f0 in Hz and voiced of the blocks that became committed."""
        self._buffer = np.concatenate([self._buffer, wave.astype(np.float32, copy=False)])
        tracks = [(np.zeros(0, np.float32), np.zeros(0, np.bool_))]
        while len(self._buffer) >= self._past_frames * self._hop + self.block + self.lookahead:
            end = self._past_frames * self._hop + self.block + self.lookahead
            f0, voiced = self._estimate(self._buffer[:end])
            mine = slice(self._past_frames, self._past_frames + self._block_frames)
            held = hold(f0[mine], voiced[mine], self._last_f0)
            self._last_f0 = float(held[-1])
            tracks.append((held, voiced[mine]))
            seen = self._past_frames + self._block_frames
            self._past_frames = min(seen, self._context_frames)
            self._buffer = self._buffer[(seen - self._past_frames) * self._hop :]
        return np.concatenate([f0 for f0, _ in tracks]), np.concatenate([v for _, v in tracks])

    def flush(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The frames still owed, as if zeros followed; then rewinds."""
        owed = -(-(len(self._buffer) - self._past_frames * self._hop) // self._hop)
        blocks = -(-owed // self._block_frames)
        full = self._past_frames * self._hop + blocks * self.block + self.lookahead
        f0, voiced = self.push(np.zeros(max(full - len(self._buffer), 0), np.float32))
        self.reset()
        return f0[:owed], voiced[:owed]


class Windowed:
    """See F0Estimator. Base of the estimators that wrap a library: they define `_estimate`."""

    context = 0
    streams_exactly = False

    def __init__(self, audio: AudioConfig, config: F0Config, lookahead_frames: int) -> None:
        """lookahead_frames: what suits the library, less where the config wants less."""
        self._audio = audio
        self._lookahead_frames = min(lookahead_frames, config.lookahead_frames or lookahead_frames)

    def _estimate(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        raise NotImplementedError

    def stream(self, block_frames: int = 4, context_frames: int = 24) -> WindowedStream:
        """A fresh stream that re-estimates a window of context + block + lookahead every block."""
        return WindowedStream(
            self._audio, self._estimate, block_frames, context_frames, self._lookahead_frames
        )

    def __call__(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """wave: (T,) -> f0 in Hz (frames,), voiced (frames,)."""
        if len(wave) == 0:
            return np.zeros(0, np.float32), np.zeros(0, np.bool_)
        f0, voiced = self._estimate(wave)
        return hold(f0, voiced), voiced


def on_grid(wave: NDArray[np.float32], hop_length: int) -> tuple[NDArray[np.float64], int]:
    """For libraries that centre frame k at sample k * hop: padded so that our i is their i + 1.

    Returns the padded wave and the number of our frames.
    """
    before = hop_length - hop_length // 2
    frames = -(-len(wave) // hop_length)
    after = frames * hop_length - len(wave) + hop_length
    return np.pad(wave.astype(np.float64), (before, after)), frames
