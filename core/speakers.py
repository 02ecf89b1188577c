"""SpeakerRamp: who speaks, frame by frame. A change of speakers is a short glide, not a cut."""

from __future__ import annotations

import torch
from torch import Tensor

RAMP_FRAMES = 8  # 93 ms: too short to be heard as a voice between, too long to click


class SpeakerRamp:
    """Weights for every frame, from the wish of the moment. Constant wishes have no ramp."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As before the first frame, which needs no ramp."""
        self._start: Tensor | None = None
        self._goal = torch.zeros(0)
        self._passed = RAMP_FRAMES  # frames since the goal was set

    def __call__(self, weights: Tensor, frames: int) -> Tensor:
        """weights (S,), wanted from the next frame on -> those of these frames, (1, S, frames)."""
        if self._start is None:
            self._start = self._goal = weights
        elif not torch.equal(weights, self._goal):
            share = self._passed / RAMP_FRAMES
            self._start, self._goal = torch.lerp(self._start, self._goal, share), weights
            self._passed = 0
        passed = torch.arange(self._passed + 1, self._passed + frames + 1)
        shares = (passed / RAMP_FRAMES).clamp(max=1.0)
        self._passed = min(self._passed + frames, RAMP_FRAMES)
        return torch.lerp(self._start[:, None], self._goal[:, None], shares)[None]
