"""Content encoders: what was said, without who said it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class ContentEncoder(Protocol):
    """A wave in, content features ("units") out, at the encoder's own rate and framing."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def hop_length(self) -> int: ...
    @property
    def dim(self) -> int: ...

    def __call__(self, wave: Tensor) -> Tensor:
        """wave: (B, T) -> units (B, D, frames), frames = ceil(T / hop_length)."""
        ...
