"""Vocoders: mel and f0 in, a wave out."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Vocoder(Protocol):
    """state=None starts the signal; the wave lags the mel by `latency` samples."""

    streams_exactly: bool

    @property
    def latency(self) -> int: ...

    def __call__(
        self, mel: Tensor, f0: Tensor, voiced: Tensor, state: Any = None
    ) -> tuple[Tensor, Any]:
        """mel (B, M, T), f0 in Hz (B, T), voiced bool (B, T) -> wave (B, T * hop), next state."""
        ...
