"""Vocoders: mel and f0 in, a wave out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from core.config import AudioConfig, MelConfig, VocoderConfig
from core.errors import unknown_name

if TYPE_CHECKING:
    from core.vocoder.source_filter import SourceFilter


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


def _source_filter(audio: AudioConfig, mel: MelConfig, config: VocoderConfig) -> SourceFilter:
    from core.vocoder.source_filter import SourceFilter

    return SourceFilter(audio, mel, config)


VOCODERS: dict[str, Callable[[AudioConfig, MelConfig, VocoderConfig], SourceFilter]] = {
    "source_filter": _source_filter,
}


def make_vocoder(audio: AudioConfig, mel: MelConfig, config: VocoderConfig) -> SourceFilter:
    """The vocoder that `config` names, untrained; an unknown name lists the known ones."""
    if config.vocoder not in VOCODERS:
        raise unknown_name("vocoder", config.vocoder, VOCODERS)
    return VOCODERS[config.vocoder](audio, mel, config)
