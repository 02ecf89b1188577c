"""A project's settings: frozen dataclasses, and the commented TOML file they are written to.

Each field says what it is for in its metadata; that sentence becomes its comment in the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.config import F0Config, Speaker
from core.errors import ConfigError
from core.tables import from_dict

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _set(default: Any, words: str) -> Any:
    return field(default=default, metadata={"words": words})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True)
class SlicerConfig:
    """Where long recordings are cut: in the middle of pauses, never elsewhere."""

    min_seconds: float = _set(2.0, "shorter pieces are joined to a neighbour, else dropped")
    max_seconds: float = _set(15.0, "longer pieces are cut, where a pause allows it")
    min_pause_ms: int = _set(200, "only pauses as long as this are cut")
    max_pause_ms: int = _set(1000, "pauses longer than this are left out")
    pause_db: float = _set(-38.0, "a pause is this far under the recording's loud parts")
    keep_ms: int = _set(120, "of a pause, kept on each side of the speech")

    def __post_init__(self) -> None:
        _require(
            0 < self.min_seconds < self.max_seconds,
            f"min_seconds must lie between 0 and max_seconds, got {self.min_seconds} and"
            f" {self.max_seconds}",
        )
        _require(
            20 <= self.min_pause_ms <= self.max_pause_ms,
            f"min_pause_ms must lie between 20 and max_pause_ms, got {self.min_pause_ms}",
        )
        _require(self.pause_db < 0, f"pause_db must be below 0, got {self.pause_db}")
        _require(self.keep_ms >= 0, f"keep_ms must not be negative, got {self.keep_ms}")


FLAGS = ("clipped", "noisy", "duplicate", "stranger")


@dataclass(frozen=True)
class TakesConfig:
    """What is wrong with a piece, and which pieces are left out for it."""

    level_db: float = _set(-24.0, "each recording's speech is brought to this level, dB")
    clipped_share: float = _set(0.0005, "clipped: more samples at full scale than this share")
    min_snr_db: float = _set(15.0, "noisy: the pauses are nearer to the speech than this")
    stranger_distance: float = _set(1.6, "stranger: further from the others' sound than this")
    drop: tuple[str, ...] = _set(("duplicate",), f"flags to leave out, of {', '.join(FLAGS)}")

    def __post_init__(self) -> None:
        unknown = sorted(set(self.drop) - set(FLAGS))
        _require(not unknown, f"drop: unknown flag {', '.join(unknown)}; known: {', '.join(FLAGS)}")
        _require(-60 <= self.level_db <= 0, f"level_db must lie in -60 to 0, got {self.level_db}")


@dataclass(frozen=True)
class PitchConfig:
    """How the pitch of the recordings is found, for training alone."""

    estimator: str = _set("autocorrelation", "as in the voice itself; a wrong name lists all")
    f0_min: float = _set(55.0, "Hz")
    f0_max: float = _set(1100.0, "Hz")

    def __post_init__(self) -> None:
        self.config()

    def config(self) -> F0Config:
        """As the estimators take it."""
        return F0Config(self.estimator, self.f0_min, self.f0_max)


@dataclass(frozen=True)
class EncoderSettings:
    """What hears the words. Another one is read from where it is, and must stay there."""

    encoder: str = _set("embedded", "or a hubert_soft.pt, or a HuBERT, ContentVec, WavLM: see docs")
    layer: int = _set(-1, "of such a folder or hub id: what that layer says; -1: the last")

    def __post_init__(self) -> None:
        _require(bool(self.encoder), 'encoder must name one, or be "embedded"')
        _require(self.layer >= -1, f"layer must be -1 or more, got {self.layer}")


SCRATCH = "scratch"
METHODS = ("full", "low-rank", "speaker")


@dataclass(frozen=True)
class TrainSettings:
    """How the voice learns."""

    start: str = _set("embedded", "a voice to adapt (name or file), or scratch")
    network: str = _set("wavenet", "from scratch: wavenet or attention")
    causal: bool = _set(True, "from scratch: false: wavenet hears ahead, too; live waits longer")
    channels: int = _set(0, "from scratch: width of the network; 0: that of the default voice")
    method: str = _set("full", f"what adapts: {', '.join(METHODS)}")
    rank: int = _set(16, "of the low-rank changes")
    polish: bool = _set(True, "listen through the vocoder and its critics, and adapt it, too")
    speaker_steps: int = _set(30, "the first steps move the speaker's vector alone")
    max_steps: int = _set(0, "ends there; 0: no such limit")
    max_minutes: float = _set(20.0, "ends there; 0: no such limit")
    learning_rate: float = _set(3e-4, "the highest")
    last_rate: float = _set(0.05, "share of it at the end")
    warmup_steps: int = _set(50, "of rising rate")
    weight_decay: float = _set(0.01, "")
    clip_norm: float = _set(1.0, "longest gradient")
    accumulate: int = _set(1, "batches a step")
    ema_decay: float = _set(0.99, "of the averaged weights that are exported")
    frames_per_batch: int | str = _set(768, 'padding included; or "auto", by free memory')
    crop_frames: int = _set(128, "of an utterance, at random; 0: whole utterances")
    words: float = _set(3.0, "weight of being understood with strangers' words; 0: not practised")
    variants: int = _set(4, "disguises of each recording that the units are heard from")
    precision: str = _set("auto", "auto, float32, bfloat16 or float16")
    device: str = _set("auto", "auto, cpu, cuda")
    threads: int = _set(0, "of the processor; 0: all")
    seed: int = _set(0, "of everything random")
    save_every: int = _set(100, "steps")
    validate_every: int = _set(100, "steps")
    validation_share: float = _set(0.08, "of the recordings, never learned from")
    keep_last: int = _set(2, "checkpoints")
    keep_every: int = _set(0, "steps whose checkpoints stay for good; 0: none")
    log_every: int = _set(10, "steps")

    def __post_init__(self) -> None:
        _require(
            self.method in METHODS,
            f'unknown method "{self.method}"; known: {", ".join(METHODS)}',
        )
        _require(
            self.start != SCRATCH or self.method == "full",
            f'nothing is there to adapt from scratch: set method = "full", got "{self.method}"',
        )
        _require(self.channels >= 0, f"channels must not be negative, got {self.channels}")
        _require(
            self.precision in ("auto", "float32", "bfloat16", "float16"),
            f'unknown precision "{self.precision}"; known: auto, bfloat16, float16, float32',
        )
        _require(
            self.max_steps > 0 or self.max_minutes > 0,
            "training needs an end: set max_steps or max_minutes above 0",
        )
        budget = self.frames_per_batch
        _require(
            budget == "auto" or (isinstance(budget, int) and budget > 0),
            f'frames_per_batch must be a number above 0 or "auto", got {budget!r}',
        )
        for name in ("rank", "accumulate", "variants", "save_every", "validate_every", "log_every"):
            value = getattr(self, name)
            _require(value >= 1, f"{name} must be at least 1, got {value}")
        _require(self.words >= 0, f"words must not be negative, got {self.words}")
        _require(self.keep_last >= 1, f"keep_last must be at least 1, got {self.keep_last}")
        _require(
            0 < self.validation_share < 0.5,
            f"validation_share must lie between 0 and 0.5, got {self.validation_share}",
        )


@dataclass(frozen=True)
class ExportSettings:
    """What becomes of the trained weights."""

    blend: float = _set(0.8, "1: as trained; less is nearer to the start: clearer, less alike")
    sharpness: float = _set(0.0, "how much more formants stand out, 0 to 1: more alike, rougher")
    retrieval_share: float = _set(
        0.5, "of what --retrieval asks, 0 to 2; less is clearer, less alike"
    )

    def __post_init__(self) -> None:
        _require(0 <= self.blend <= 1, f"blend must lie between 0 and 1, got {self.blend}")
        Speaker("", sharpness=self.sharpness, retrieval_share=self.retrieval_share)  # checks them


@dataclass(frozen=True)
class ProjectConfig:
    """Everything in project.toml."""

    name: str = _set("", "of the voice and its speaker")
    recordings: str = _set("", "folder of recordings, any format, rate and length")
    credit: str = _set("", "whose voice this is, and its licence; stored in the voice")
    slicer: SlicerConfig = field(default_factory=SlicerConfig)
    takes: TakesConfig = field(default_factory=TakesConfig)
    pitch: PitchConfig = field(default_factory=PitchConfig)
    content: EncoderSettings = field(default_factory=EncoderSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    export: ExportSettings = field(default_factory=ExportSettings)


def read_toml(path: Path) -> ProjectConfig:
    """The settings in a file; unknown keys and wrong types are errors that say where."""
    try:
        with path.open("rb") as handle:
            return from_dict(ProjectConfig, tomllib.load(handle), path.name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from None
    except ConfigError as error:
        text = str(error)
        where = f"{path.parent}/" if text.startswith(path.name) else f"{path}: "
        raise ConfigError(where + text) from None


def to_toml(config: Any, table: str = "") -> str:
    """Every setting with its comment; what `read_toml` reads back."""
    lines = [f"[{table}]  # {(type(config).__doc__ or '').strip()}"] if table else []
    rest = []
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            rest.append("\n" + to_toml(value, each.name))
            continue
        words = each.metadata.get("words", "")
        text = f"{each.name} = {json.dumps(value, ensure_ascii=False)}"
        lines.append(f"{text:<34} # {words}" if words else text)
    return "\n".join(lines + rest) + ("" if table else "\n")


def settings_hash(*configs: Any) -> str:
    """Names settings, so that what was made with them is known again."""
    text = json.dumps([asdict(c) for c in configs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
