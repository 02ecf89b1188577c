"""The noise tape: random numbers keyed by absolute frame, so that any two looks at a frame agree.

Philox is counter-based: a chunk of frames follows from (seed, stream, chunk) alone. Bits become
normals by Box-Muller here, not by numpy's `standard_normal`, whose stream numpy may change. As
Box-Muller rejects nothing, a platform's last-bit difference never shifts the values after it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK_FRAMES = 16
"""Frames made at a time. Part of the key: another value is another tape."""

CACHED_CHUNKS = 16
"""How many of the latest chunks are remembered, for small blocks and overlapping windows."""


class NoiseTape:
    """An endless tape of standard normal frames, the same on every run, chunking and platform.

    seed: which tape. stream: which use of it (denoiser, vocoder), independent of the others.
    channels: values a frame: mel bins, or samples (hop_length) for noise in the time domain.
    """

    def __init__(self, seed: int, channels: int, stream: int = 0) -> None:
        self.channels = channels
        self._key = np.array([seed % 2**64, stream % 2**64], dtype=np.uint64)
        self._chunks: dict[int, NDArray[np.float32]] = {}

    def frames(self, start: int, n: int) -> Tensor:
        """Frames [start, start + n), start >= 0 -> (1, channels, n) float32, a fresh tensor.

        A frame is contiguous in memory, so `.transpose(1, 2).reshape(1, -1)` to a wave is free.
        """
        if start < 0 or n < 0:
            raise ValueError(f"the tape starts at frame 0; asked for {n} frames from {start}")
        out = np.empty((n, self.channels), dtype=np.float32)
        position = start
        while position < start + n:
            index, offset = divmod(position, CHUNK_FRAMES)
            piece = self._chunk(index)[offset : offset + start + n - position]
            out[position - start : position - start + len(piece)] = piece
            position += len(piece)
        return torch.from_numpy(out).T[None]  # (n, C) -> (1, C, n)

    def prepare(self, start: int, n: int) -> None:
        """Makes frames [start, start + n) now, as many as are remembered, for `frames` to find."""
        first, stop = start // CHUNK_FRAMES, -(-(start + n) // CHUNK_FRAMES)
        for index in range(first, min(stop, first + CACHED_CHUNKS)):
            self._chunk(index)

    def _chunk(self, index: int) -> NDArray[np.float32]:
        """Chunk `index` of the tape: (CHUNK_FRAMES, channels)."""
        if index not in self._chunks:
            if len(self._chunks) >= CACHED_CHUNKS:
                del self._chunks[next(iter(self._chunks))]  # the oldest
            self._chunks[index] = self._make_chunk(index)
        return self._chunks[index]

    def _make_chunk(self, index: int) -> NDArray[np.float32]:
        # The low counter word counts within the chunk, so that chunks lie 2**64 draws apart.
        counter = np.array([0, index, 0, 0], dtype=np.uint64)
        philox = np.random.Philox(key=self._key, counter=counter)
        half = CHUNK_FRAMES * self.channels // 2
        bits = philox.random_raw(2 * half) >> np.uint64(11)  # 53 bits, what a float64 holds
        uniform = bits.astype(np.float64) * 2.0**-53
        radius = np.sqrt(-2.0 * np.log1p(-uniform[:half]))
        angle = (2.0 * math.pi) * uniform[half:]
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        return normal.astype(np.float32).reshape(CHUNK_FRAMES, self.channels)
