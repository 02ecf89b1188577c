"""RefineConfig: how much is drawn, how fast it is learned, and what each opinion weighs."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError
from offline.tasks.spoken import WARM_FRAMES


@dataclass(frozen=True)
class RefineConfig:
    """Lengths in frames. The numbers are those of the run that the embedded voice came from.

    batch, conversions: crops of recordings and conversions in a step. frames: of a crop; spoken: so
    many of its last ones are judged as a wave. channels: of the critics. settle: steps in which
    only those learn who judge, warmup: so many more until the rate is there. rate, watching_rate:
    of denoiser and vocoder, and of those who judge them.
    The rest are weights beside the spectral distance and the mel's error: edm of the denoiser's own
    objective; fooled, converted: critics of recordings and of conversions; matched: their
    activations; phones, likeness: the judges of mels; heard: the content encoder.
    """

    batch: int = 24
    conversions: int = 24
    frames: int = 128
    spoken: int = 84
    channels: int = 32
    settle: int = 250
    warmup: int = 150
    rate: float = 2e-4
    watching_rate: float = 3e-4
    average: float = 0.9985
    edm: float = 0.5
    fooled: float = 0.3
    converted: float = 0.3
    matched: float = 0.5
    phones: float = 1.0
    heard: float = 0.5
    likeness: float = 0.5

    def __post_init__(self) -> None:
        for name in ("batch", "conversions", "channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.spoken <= self.frames - WARM_FRAMES:
            raise ConfigError(
                f"of {self.frames} frames at most {self.frames - WARM_FRAMES} can be spoken, as the"
                f" vocoder needs {WARM_FRAMES} before them; got {self.spoken}"
            )
