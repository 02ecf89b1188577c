"""Gate: silence in is silence out. It hears the input, so the model's own breath cannot open it."""

from __future__ import annotations

import torch
from torch import Tensor


class Gate:
    """Opens with the first loud frame, stays open for a hold, opens and closes within one frame."""

    def __init__(self, hop_length: int, hold_frames: int = 10) -> None:
        self.hop_length, self.hold_frames = hop_length, hold_frames
        self.reset()

    def reset(self) -> None:
        """Closed, as before any sound."""
        self._left = 0
        self._gain = 0.0

    def __call__(self, loudness: Tensor, threshold_db: float) -> Tensor:
        """loudness of the next frames in dB (1, T) -> gain (1, T * hop), 0 to 1."""
        gains = [self._gain]
        for level in loudness[0].tolist():
            self._left = self.hold_frames if level > threshold_db else max(self._left - 1, 0)
            gains.append(1.0 if self._left else 0.0)
        self._gain = gains[-1]
        ends = torch.tensor(gains)
        ramp = torch.arange(1, self.hop_length + 1) / self.hop_length
        left, right = ends[:-1, None], ends[1:, None]
        return (left + (right - left) * ramp).reshape(1, -1)
