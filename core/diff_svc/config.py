"""What a foreign voice says about itself, as frozen dataclasses that a voice file holds as JSON.

No torch here. Lengths in samples, frequencies in Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.diffusion.fitted_steps import FittedSteps
from core.errors import ConfigError

MEL_KINDS = ("nsf", "hifigan", "openvpi", "diffusion_svc")
"""nsf: 44.1 kHz diff-svc. hifigan: 24 kHz diff-svc. The others: newer natural-log front ends."""

FAMILIES = ("diff-svc", "diffusion-svc")
SAMPLERS = (
    *("pndm", "ddim", "dpm-solver", "unipc"),
    *("plms-log", "dpmpp-log", "unipc-log", "unipc-leap", "fitted"),
)
FAST_SAMPLER, LIVE_STEPS, FILE_STEPS = "fitted", 10, 20
"""Of every imported voice unless told otherwise; where none was fitted it is unipc-leap, see
docs/principles/foreign-samplers.md."""
FITTED_LIVE_STEPS = 8
VOCODERS = ("embedded", "nsf-hifigan", "hifigan-24k")


@dataclass(frozen=True)
class MelFormat:
    """A mel front end and its sizes.

    floor: the smallest mel magnitude. `hifigan` centres frame m on sample m * hop, the others in
    the middle of hop m; `nsf` and `hifigan` give log10, the others the natural log.
    """

    kind: str = "nsf"
    sample_rate: int = 44_100
    n_fft: int = 2048
    win_length: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min: float = 40.0
    f_max: float = 16_000.0
    floor: float = 1e-5

    def __post_init__(self) -> None:
        _require_known("mel front end", self.kind, MEL_KINDS)
        for name in ("sample_rate", "n_fft", "win_length", "hop_length", "n_mels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.hop_length <= self.win_length <= self.n_fft:
            raise ConfigError(
                f"expected hop_length <= win_length <= n_fft, got {self.hop_length},"
                f" {self.win_length} and {self.n_fft}"
            )
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2 or self.floor <= 0:
            raise ConfigError(
                f"expected 0 <= f_min < f_max <= {self.sample_rate / 2:g} and a floor above 0, got"
                f" {self.f_min:g}, {self.f_max:g} and {self.floor:g}"
            )

    @property
    def natural_log(self) -> bool:
        return self.kind in ("openvpi", "diffusion_svc")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def frames(self, samples: int) -> int:
        """Frames that a wave of so many samples has."""
        whole = samples // self.hop_length
        return whole + 1 if self.kind == "hifigan" else max(whole, 1)


@dataclass(frozen=True)
class PitchFormat:
    """How a voice hears pitch. bins: rows of the pitch table that are used.

    use_uv: unvoiced frames become 0 Hz; without it they keep the interpolated pitch.
    use_pitch, use_energy: whether the voice was trained with these terms at all.
    """

    f0_min: float = 40.0
    f0_max: float = 1100.0
    bins: int = 256
    use_uv: bool = False
    use_pitch: bool = True
    use_energy: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.f0_min < self.f0_max:
            raise ConfigError(
                f"f0_min must lie between 0 and f0_max, got {self.f0_min:g} and {self.f0_max:g}"
            )
        if self.bins < 3:
            raise ConfigError(f"f0_bin must be at least 3, got {self.bins}")


@dataclass(frozen=True)
class ForeignConfig:
    """A foreign voice but for its weights.

    step: of the training. k_step: steps of the diffusion that are sampled; speedup: the voice's own
    stride through them, with the sampler of that name. dilation_cycle: of the DiffNet. heads and
    activation: of the FFT encoder. mel_min, mel_max: what the mel is clipped to before the vocoder.
    content: name of the encoder, empty where there is none; content_source: folder or hub id it is
    read from, empty where the file holds it; units: its width. speakers: how many there are.
    vocoder_config: JSON of the vocoder's own. pitch_extractor: whether the vocoder's f0 is read off
    the mel. exact: the original's bugs, too. fitted: samplers of few calls, found at import;
    file_steps: how many of them files need, 0 where none is near enough.
    """

    name: str = "unnamed"
    family: str = "diff-svc"
    step: int = 0
    mel: MelFormat = field(default_factory=MelFormat)
    pitch: PitchFormat = field(default_factory=PitchFormat)
    k_step: int = 1000
    speedup: int = 10
    sampler: str = "pndm"
    dilation_cycle: int = 4
    heads: int = 2
    activation: str = "gelu"
    mel_min: float = -6.0
    mel_max: float = 1.5
    content: str = ""
    content_source: str = ""
    units: int = 256
    speakers: int = 1
    vocoder: str = "embedded"
    vocoder_config: str = "{}"
    pitch_extractor: bool = False
    exact: bool = False
    fitted: tuple[FittedSteps, ...] = ()
    file_steps: int = 0

    @property
    def files(self) -> int:
        """Calls for a file unless told otherwise."""
        return self.file_steps or min(FILE_STEPS, self._own_steps)

    @property
    def live(self) -> int:
        """Calls for a live block unless told otherwise."""
        fitted = FITTED_LIVE_STEPS in (steps.calls for steps in self.fitted)
        return min(FITTED_LIVE_STEPS if fitted else LIVE_STEPS, self._own_steps)

    @property
    def _own_steps(self) -> int:
        return max(self.k_step // self.speedup, 1)

    def __post_init__(self) -> None:
        _require_known("family of voices", self.family, FAMILIES)
        _require_known("vocoder", self.vocoder, VOCODERS)
        _require_known("sampler of imported voices", self.sampler, SAMPLERS)
        for name in ("k_step", "speedup", "dilation_cycle", "heads", "units", "speakers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.mel_min < self.mel_max:
            raise ConfigError(
                f"mel_vmin must lie below mel_vmax, got {self.mel_min:g} and {self.mel_max:g}"
            )


def _require_known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(f'unknown {what} "{name}"; known: {", ".join(known)}')
