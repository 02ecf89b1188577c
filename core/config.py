"""Every setting as a frozen dataclass, validated on construction. No torch here.

Lengths are in samples unless the name says frames, bands or Hz; derived sizes are properties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from core.errors import ConfigError

MAX_STEPS = 1000


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _require_positive(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _require(value >= 1, f"{name} must be at least 1, got {value}")


@dataclass(frozen=True)
class AudioConfig:
    """The frame grid everything shares. Frame i covers hop_length samples from i * hop_length."""

    sample_rate: int = 44_100
    hop_length: int = 512  # the grid of the public 44.1 kHz vocoders

    def __post_init__(self) -> None:
        _require(self.sample_rate > 0, f"sample_rate must be positive, got {self.sample_rate}")
        _require(self.hop_length > 0, f"hop_length must be positive, got {self.hop_length}")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def frames(self, samples: int) -> int:
        """Frames that cover `samples`, the last one possibly in part."""
        return -(-samples // self.hop_length)


@dataclass(frozen=True)
class MelConfig:
    """The mel spectrogram the denoiser makes and the vocoder hears: natural log of magnitude."""

    n_fft: int = 2048
    win_length: int = 2048
    n_mels: int = 128
    f_min: float = 40.0
    f_max: float = 16_000.0
    floor: float = 1e-5

    def __post_init__(self) -> None:
        _require_positive(self, "win_length", "n_mels")
        _require(self.win_length <= self.n_fft, "win_length must not exceed n_fft")
        _require(0 <= self.f_min < self.f_max, "f_min must lie below f_max")


@dataclass(frozen=True)
class ContentConfig:
    """The content encoder, on the voice's own frame grid (`core/content/phonetic.py`).

    delays: frames of lookahead the network was trained for; lookahead_frames: the one it takes.
    bank_size: units a target keeps of its own (`core/content/bank.py`), 0 for none. bank_width: how
    far a neighbour may lie, in the space of the units. source, layer, fingerprint: of an encoder
    that the voice hears with but does not hold (`core/content/windowed.py`).
    """

    encoder: str = "phonetic"
    dim: int = 64
    delays: tuple[int, ...] = (0, 1, 2, 3, 4, 7, 14)
    lookahead_frames: int = 3
    n_fft: int = 1024
    n_bands: int = 80
    f_min: float = 60.0
    f_max: float = 7600.0
    channels: int = 256
    kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8)
    n_phones: int = 40
    bank_size: int = 2048
    bank_width: float = 1.2
    source: str = ""
    layer: int | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        _require_positive(self, "dim", "n_fft", "n_bands", "channels", "kernel", "n_phones")
        _require(min(self.delays, default=-1) >= 0, "delays must be 0 or more, at least one")
        self.delay(self.lookahead_frames)
        _require(self.bank_size >= 0, f"bank_size must not be negative, got {self.bank_size}")
        _require(self.bank_width > 0, f"bank_width must be above 0, got {self.bank_width}")
        _require(len(self.dilations) > 0, "dilations must not be empty")
        _require(min(self.dilations) >= 1, f"dilations must be 1 or more, got {self.dilations}")

    def delay(self, wanted: int | None) -> int:
        """The wanted frames of lookahead, the own choice for None; an untrained one is an error."""
        delay = self.lookahead_frames if wanted is None else wanted
        known = ", ".join(str(d) for d in self.delays)
        _require(delay in self.delays, f"lookahead of {delay} frames was not trained; try {known}")
        return delay


@dataclass(frozen=True)
class F0Config:
    """Which estimator hears the pitch, and between which bounds (Hz).

    lookahead_frames: the most it may wait for after a frame's end; None is what suits it best.
    """

    estimator: str = "autocorrelation"
    f0_min: float = 55.0
    f0_max: float = 1100.0
    lookahead_frames: int | None = None

    def __post_init__(self) -> None:
        _require(
            self.lookahead_frames is None or self.lookahead_frames >= 1,
            f"the lookahead of f0 must be at least 1 frame, got {self.lookahead_frames}",
        )
        _require(
            0 < self.f0_min < self.f0_max,
            f"f0_min must lie between 0 and f0_max, got {self.f0_min} and {self.f0_max}",
        )


@dataclass(frozen=True)
class DenoiserConfig:
    """The denoising network and its noise levels (the normalised mel has deviation 1).

    network: by name (`core/diffusion/networks.py`). heads, attention_frames: of "attention" alone.
    causal: false is for "wavenet" alone, whose convolutions then look as far ahead as back.
    """

    channels: int = 160
    kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2)
    condition_channels: int = 256
    condition_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    sigma_data: float = 0.4
    sigma_min: float = 0.05
    sigma_max: float = 4.0
    rho: float = 7.0
    network: str = "wavenet"
    heads: int = 4
    attention_frames: int = 64
    causal: bool = True

    def __post_init__(self) -> None:
        _require_positive(self, "channels", "kernel", "condition_channels", "attention_frames")
        _require(
            self.causal or (self.network == "wavenet" and self.kernel % 2 == 1),
            "causal = false needs the network wavenet and an odd kernel, got"
            f" {self.network} and {self.kernel}",
        )
        _require(
            self.heads >= 1 and self.channels % self.heads == 0,
            f"channels must be a whole number of heads ({self.heads}), got {self.channels}",
        )
        _require(len(self.dilations) > 0, "dilations must not be empty")
        _require(min(self.dilations) >= 1, f"dilations must be 1 or more, got {self.dilations}")
        _require(0 < self.sigma_min < self.sigma_max, "sigma_min must lie between 0 and sigma_max")


@dataclass(frozen=True)
class VocoderConfig:
    """The source-filter vocoder: a causal frame-rate network shapes a pulse train and noise."""

    vocoder: str = "source_filter"
    channels: int = 256
    kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4)
    n_fft: int = 1024

    def __post_init__(self) -> None:
        _require_positive(self, "channels", "kernel", "n_fft")
        _require(self.n_fft % 2 == 0, "n_fft must be even")


@dataclass(frozen=True)
class Speaker:
    """One target in a voice.

    f0_median in Hz. level_db: what the networks are told so that the voiced frames come out as loud
    as the target's own, full scale being 0; None where unknown. spectrum_db: mean power of each mel
    band of the target's speech (`core/colour.py`), or none. sharpness: how much more formants stand
    out of what is denoised, 0 to 1 (`core/postfilter.py`). retrieval_share: of what retrieval asks,
    how much suits this target, 0 to 2.
    """

    name: str
    f0_median: float = 0.0
    level_db: float | None = None
    spectrum_db: tuple[float, ...] = ()
    sharpness: float = 0.0
    retrieval_share: float = 1.0
    credit: str = ""

    def __post_init__(self) -> None:
        _require(
            0 <= self.sharpness <= 1, f"sharpness must lie between 0 and 1, got {self.sharpness}"
        )
        _require(
            0 <= self.retrieval_share <= 2,
            f"retrieval_share must lie between 0 and 2, got {self.retrieval_share}",
        )


@dataclass(frozen=True)
class VoiceConfig:
    """Everything about a voice but its weights; stored as JSON in the voice file's metadata."""

    name: str = "unnamed"
    speakers: tuple[Speaker, ...] = (Speaker("default"),)
    audio: AudioConfig = field(default_factory=AudioConfig)
    mel: MelConfig = field(default_factory=MelConfig)
    content: ContentConfig = field(default_factory=ContentConfig)
    f0: F0Config = field(default_factory=F0Config)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    sampler: str = "dpmpp_2m"
    steps: int = 1

    def __post_init__(self) -> None:
        _require(len(self.speakers) > 0, "a voice needs at least one speaker")
        _require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        hop, n_fft = self.audio.hop_length, self.vocoder.n_fft
        for speaker in self.speakers:
            bands = len(speaker.spectrum_db)
            _require(
                bands in (0, self.mel.n_mels),
                f"spectrum_db of {speaker.name} needs {self.mel.n_mels} bands, got {bands}",
            )
        _require(
            self.content.n_fft >= hop and (self.content.n_fft - hop) % 2 == 0,
            f"content n_fft must exceed hop_length ({hop}) evenly, got {self.content.n_fft}",
        )
        _require(hop % 2 == 0, f"hop_length must be even (the vocoder halves it), got {hop}")
        _require(
            n_fft >= hop and n_fft % (hop // 2) == 0,
            f"vocoder n_fft must be a whole number of half frames, {hop} or more, got {n_fft}",
        )

    def speaker_index(self, name: str) -> int:
        """Position of a speaker; an unknown name is an error that lists the known ones."""
        names = self._names()
        if name not in names:
            raise ConfigError(
                f'unknown speaker "{name}" in voice "{self.name}"; known: {", ".join(names)}'
            )
        return names.index(name)

    def _names(self) -> list[str]:
        return [speaker.name for speaker in self.speakers]

    def mix(self, words: str) -> tuple[float, ...]:
        """ "kathleen", or "kathleen:0.6,flemishguy:0.4" -> the weight of each speaker, sum 1."""
        weights = [0.0] * len(self.speakers)
        names = self._names()
        for part in (part.strip() for part in words.split(",")):
            name, colon, weight = (part, "", "") if part in names else part.rpartition(":")
            index = self.speaker_index(name.strip() if colon else part)
            try:
                weights[index] += float(weight) if colon else 1.0
            except ValueError:
                raise ConfigError(
                    f'the weight of speaker "{name}" must be a number, got "{weight}"'
                ) from None
        return self.weights(tuple(weights))

    def weights(self, speakers: tuple[float, ...]) -> tuple[float, ...]:
        """The weights of `VoiceParams.speakers`, one for each of the voice's speakers, sum 1."""
        count = len(self.speakers)
        beyond = [i for i, weight in enumerate(speakers) if i >= count and weight]
        _require(
            not beyond,
            f"speaker {max(beyond, default=0)} does not exist; the voice has 0 to {count - 1}",
        )
        total = _sum_of_weights(speakers)
        padded = (*speakers, *([0.0] * count))[:count]
        return tuple(weight / total for weight in padded)


@dataclass(frozen=True)
class StreamConfig:
    """What fixes the lengths of a live stream; changing it means a new converter.

    block_frames: mel frames a push. context_frames: past a windowed analysis sees.
    lookahead_frames: what the content encoder hears ahead, one of the delays it was trained for;
    f0 waits no longer.
    lookahead_frames, steps and sampler: None takes the voice's own.
    """

    block_frames: int = 3
    context_frames: int = 24
    steps: int | None = None
    sampler: str | None = None
    seed: int = 0
    lookahead_frames: int | None = None

    def __post_init__(self) -> None:
        _require(
            self.block_frames >= 1, f"block_frames must be at least 1, got {self.block_frames}"
        )
        _require(self.context_frames >= 0, "context_frames must not be negative")
        _require(
            self.steps is None or self.steps >= 1, f"steps must be at least 1, got {self.steps}"
        )
        _require(
            self.steps is None or self.steps <= MAX_STEPS,
            f"steps must be at most {MAX_STEPS}, got {self.steps}",
        )


LOW_LATENCY = StreamConfig(block_frames=2, lookahead_frames=1)
"""52 ms with the embedded voice, for more computing and some clarity."""


@dataclass(frozen=True)
class VoiceParams:
    """Live knobs: what may change while sound runs.

    pitch_shift: semitones; None brings the speaker's median onto the target's (`core/shift.py`).
    formant: semitones by which the voice's resonances move, its pitch staying what it is: above 0 a
    smaller throat, below a larger one.
    level_shift: dB; None brings the speaker's level onto the target's (`core/level.py`).
    gate_db: input level (dB) under which the output is silent.
    gain_db: output gain. dry_mix: share of the input left as it is, 0 to 1.
    speakers: how much of each of the voice's speakers, in its order and on any scale; none of those
    left out. `VoiceConfig.mix` makes them from names.
    retrieval: how far what is said moves to the target's own units, 0 to 2; above 1 it goes past
    them, away from the source; less keeps more of the accent. Each target takes its share of it.
    clarity: how far what is said moves to the phone it is most like, 0 and above
    (`PhoneticEncoder.clear`); nothing to encoders that name no phones.
    """

    pitch_shift: float | None = None
    level_shift: float | None = None
    gate_db: float = -65.0
    gain_db: float = 0.0
    dry_mix: float = 0.0
    speakers: tuple[float, ...] = (1.0,)
    retrieval: float = 0.3
    clarity: float = 10.0
    formant: float = 0.0

    def __post_init__(self) -> None:
        _require(
            -12 <= self.formant <= 12,
            f"formant must lie within +-12 semitones, got {self.formant}",
        )
        _require(
            self.pitch_shift is None or -48 <= self.pitch_shift <= 48,
            f"pitch_shift must lie within +-48 semitones, got {self.pitch_shift}",
        )
        _require(
            self.level_shift is None or -60 <= self.level_shift <= 60,
            f"level_shift must lie within +-60 dB, got {self.level_shift}",
        )
        _require(
            -120 <= self.gain_db <= 60,
            f"gain_db must lie between -120 and 60, got {self.gain_db}",
        )
        _require(not math.isnan(self.gate_db), "gate_db must be a number, got nan")
        _require(0 <= self.dry_mix <= 1, f"dry_mix must lie between 0 and 1, got {self.dry_mix}")
        _require(
            0 <= self.retrieval <= 2, f"retrieval must lie between 0 and 2, got {self.retrieval}"
        )
        _require(
            0 <= self.clarity <= 100, f"clarity must lie between 0 and 100, got {self.clarity}"
        )
        _sum_of_weights(self.speakers)


def _sum_of_weights(speakers: tuple[float, ...]) -> float:
    """Of the weights of speakers, none below 0 and one above."""
    total = sum(speakers)
    _require(
        min(speakers, default=0.0) >= 0 and 0 < total < math.inf,
        f"the weights of speakers must be 0 or more, one above 0, got {speakers}",
    )
    return total
