"""Content encoders: what was said, without who said it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from core.config import AudioConfig, ContentConfig
from core.errors import unknown_name

if TYPE_CHECKING:
    from core.content.phonetic import PhoneticEncoder


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


def _phonetic(audio: AudioConfig, config: ContentConfig) -> PhoneticEncoder:
    from core.content.phonetic import PhoneticEncoder

    return PhoneticEncoder(audio, config)


CONTENT_ENCODERS: dict[str, Callable[[AudioConfig, ContentConfig], PhoneticEncoder]] = {
    "phonetic": _phonetic,
}


def content_encoder(audio: AudioConfig, config: ContentConfig) -> PhoneticEncoder:
    """The encoder that `config` names, untrained; an unknown name lists the known ones."""
    if config.encoder not in CONTENT_ENCODERS:
        raise unknown_name("content encoder", config.encoder, CONTENT_ENCODERS)
    return CONTENT_ENCODERS[config.encoder](audio, config)
