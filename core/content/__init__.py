"""Content encoders: what was said, without who said it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from core.config import AudioConfig, ContentConfig
from core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from core.content.phonetic import PhoneticEncoder
    from core.content.windowed import WindowedUnits
    from core.streaming.plan import StreamPlan


class ContentEncoder(Protocol):
    """A wave in, content features ("units") on the voice's frame grid out, whole or live."""

    streams_exactly: bool

    @property
    def dim(self) -> int: ...
    def lookahead(self, delay: int | None = None) -> int:
        """Samples after a frame's end that its units depend on, at so many frames of delay."""
        ...

    def __call__(self, wave: Tensor, delay: int | None = None) -> Tensor:
        """wave: (B, T) -> units (B, D, frames), frames = ceil(T / hop_length)."""
        ...

    def heard_live(self, wave: Tensor, plan: StreamPlan) -> Tensor:
        """As a live run of the plan hears the wave."""
        ...

    def begin(self, plan: StreamPlan) -> Any:
        """The state before the first sample of a live run."""
        ...

    def step(self, wave: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The next samples (1, n) -> the units (1, D, frames) that have their lookahead now."""
        ...

    def clear(self, units: Tensor, clarity: float) -> Tensor:
        """units (B, D, T), moved to say more surely what they say; as they are, where the encoder
        names no sounds."""
        ...


EMBEDDED = "phonetic"


def content_encoder(audio: AudioConfig, config: ContentConfig) -> PhoneticEncoder | WindowedUnits:
    """The encoder that `config` names, untrained or not read yet; an unknown name lists all."""
    if config.encoder == EMBEDDED:
        from core.content.phonetic import PhoneticEncoder

        return PhoneticEncoder(audio, config)
    if config.encoder in UNIT_ENCODERS:
        from core.content.windowed import WindowedUnits

        return WindowedUnits(audio, config)
    raise unknown_name("content encoder", config.encoder, [EMBEDDED, *UNIT_ENCODERS])


_PAD = 40  # zeros on each side: half of what a unit hears beyond its hop


class UnitEncoder(Protocol):
    """What foreign voices hear with: defined for a whole wave at 16 kHz, not for its parts."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def hop_length(self) -> int: ...
    @property
    def dim(self) -> int: ...

    def __call__(self, wave16: Tensor) -> Tensor:
        """wave16: (B, n) in [-1, 1] -> units (B, N, D)."""
        ...


@dataclass(frozen=True)
class UnitOptions:
    """How a unit encoder is to be read.

    layer, final_proj: of `Hubert.load`; where they are None the name decides, and a name that
    already decides takes no other. int8: linear layers in int8 (`core/int8.py`). pad: n samples
    give n // 320 units, none fewer.
    """

    layer: int | None = None
    final_proj: bool | None = None
    int8: bool = False
    pad: bool = False


def _hubert_soft(source: str | Path, options: UnitOptions) -> UnitEncoder:
    from core.content.hubert_soft import HubertSoft

    return HubertSoft.load(source, options.int8)


def _hubert(source: str | Path, options: UnitOptions) -> UnitEncoder:
    from core.content.hubert import Hubert

    pad = _PAD if options.pad else 0
    return Hubert.load(source, options.layer, bool(options.final_proj), pad, options.int8)


def _fixed(
    layer: int | None, final_proj: bool, make: Callable[[str | Path, UnitOptions], UnitEncoder]
) -> Callable[[str | Path, UnitOptions], UnitEncoder]:
    """A maker whose name says layer and projection."""

    def fixed(source: str | Path, options: UnitOptions) -> UnitEncoder:
        if options.layer not in (None, layer) or options.final_proj not in (None, final_proj):
            raise ConfigError(
                f"this encoder's name stands for layer {layer}, final_proj {final_proj}, got "
                f'layer {options.layer}, final_proj {options.final_proj}; take "hubert" to choose'
            )
        return make(source, replace(options, layer=layer, final_proj=final_proj))

    return fixed


UNIT_ENCODERS: dict[str, Callable[[str | Path, UnitOptions], UnitEncoder]] = {
    "hubert-soft": _fixed(None, False, _hubert_soft),
    "hubert": _hubert,
    "contentvec": _fixed(9, True, _hubert),
    "contentvec768": _fixed(9, False, _hubert),
    "contentvec768l12": _fixed(12, False, _hubert),
}


def unit_encoder(name: str, source: str | Path, options: UnitOptions | None = None) -> UnitEncoder:
    """The unit encoder of that name, read from a file (hubert-soft), a folder or a hub id.

    Raises ConfigError for an unknown name, listing the known ones; VoiceFileError for the file.
    """
    if name not in UNIT_ENCODERS:
        raise unknown_name("unit encoder", name, UNIT_ENCODERS)
    return UNIT_ENCODERS[name](source, options or UnitOptions())
