"""Decimation by a whole factor through a short linear-phase FIR: exact across blocks, no delay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decimation_factor(sample_rate: int, hop_length: int, lowest_rate: int) -> int:
    """The largest divisor of the hop that leaves at least `lowest_rate`; frames stay on the gr"""
    factors = [k for k in range(1, hop_length + 1) if hop_length % k == 0]
    return max((k for k in factors if sample_rate >= k * lowest_rate), default=1)


class Decimator:
    """Output j is the low-passed input at sample j * factor; it needs `reach` samples after it."""

    def __init__(self, factor: int, taps_a_side: int = 8) -> None:
        self.factor = factor
        self.reach = 0 if factor == 1 else taps_a_side * factor
        n = np.arange(-self.reach, self.reach + 1)
        kernel = np.sinc(0.8 * n / factor) * np.kaiser(len(n), 5.0)
        self._kernel = kernel / kernel.sum()
        self.reset()

    def reset(self) -> None:
        """Forgets the past: silence before the first sample."""
        self._buffer = np.zeros(self.reach)

    def push(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        """wave: (T,) -> the outputs that now have all their samples, about T / factor."""
        self._buffer = np.concatenate([self._buffer, wave])
        n = (len(self._buffer) - 2 * self.reach - 1) // self.factor + 1
        if n <= 0:
            return np.zeros(0)
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, len(self._kernel))
        # einsum, not matmul: its sums do not depend on how many rows come at once
        out: NDArray[np.float64] = np.einsum("ij,j->i", windows[:: self.factor][:n], self._kernel)
        self._buffer = self._buffer[n * self.factor :]
        return out
