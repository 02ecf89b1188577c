"""The manifest of a project's features: what was made of which file, with the hash of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig
from core.errors import ConfigError, VoiceChangerError
from core.tables import from_dict
from offline.preprocess import Utterance, save_array
from offline.studio.project import Project, read_json, write_text
from offline.studio.settings import ProjectConfig, settings_hash

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Take:
    """One piece that is learned from. start, end: seconds in its source; snr_db, distance: dB and
    deviations. wave and f0 are the first bytes of the files' hashes.
    """

    path: str
    source: str
    start: float
    end: float
    samples: int
    snr_db: float
    distance: float
    f0_low: float
    f0_median: float
    f0_high: float
    flags: tuple[str, ...]
    wave: str
    f0: str


@dataclass(frozen=True)
class Dropped:
    """One piece, or a whole file, that is not learned from, and why."""

    source: str
    start: float
    end: float
    why: str


@dataclass(frozen=True)
class Statistics:
    """Of the kept takes. spec_min, spec_max: log mel, a number a bin; f0 in Hz; loudness in dB."""

    seconds: float
    f0_min: float
    f0_median: float
    f0_max: float
    loudness_min: float
    loudness_max: float
    spec_min: tuple[float, ...] = field(repr=False)
    spec_max: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True)
class TakesManifest:
    """What the features hold. settings: hash of all that they depend on; sources: hash by file."""

    settings: str
    sources: tuple[str, ...]
    takes: tuple[Take, ...]
    dropped: tuple[Dropped, ...]
    statistics: Statistics

    def save(self, folder: Path) -> None:
        """Writes it into the feature folder."""
        write_text(folder / MANIFEST, json.dumps(asdict(self)))


def features_hash(config: ProjectConfig, audio: AudioConfig) -> str:
    """Names the settings that features depend on."""
    return settings_hash(config.slicer, config.takes, config.pitch, audio)


def load_manifest(project: Project, audio: AudioConfig) -> TakesManifest:
    """Reads it back; a stale one, or one whose files changed, is refused."""
    path = project.features / MANIFEST
    again = f"run: moksori preprocess {project.config.name}"
    data = read_json(path)
    if data is None:
        raise VoiceChangerError(f"{project.config.name} has no features at {path}; {again}")
    try:
        manifest = from_dict(TakesManifest, data, path.name)  # type: ignore[arg-type]
    except ConfigError as error:
        raise VoiceChangerError(f"{error}; {again}") from None
    if manifest.settings != features_hash(project.config, audio):
        raise VoiceChangerError(f"the features were made with other settings; {again}")
    if manifest.sources != tuple(name for name, _ in source_files(project.config)):
        raise VoiceChangerError(f"recordings were added, removed or changed; {again}")
    for take in manifest.takes:
        for kind, wanted in (("waves", take.wave), ("f0", take.f0)):
            file = project.features / kind / f"{take.path}.npy"
            if not file.is_file() or file_hash(file) != wanted:
                raise VoiceChangerError(f"{file} is missing or damaged; {again}")
    return manifest


def utterance(take: Take, speaker: str, rate: int) -> Utterance:
    """The take as the training's loaders know recordings."""
    return Utterance(take.path, speaker, take.samples, rate)


def file_hash(path: Path) -> str:
    """The first 16 digits of a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def save_hashed(path: Path, array: NDArray[np.generic]) -> str:
    """Writes an array whole or not at all; its hash."""
    save_array(path, array)
    return file_hash(path)


def source_files(config: ProjectConfig) -> list[tuple[str, Path]]:
    """(identity, path) of every recording; the identity changes with name, size and time."""
    from offline.preprocess import SUFFIXES

    folder = Path(config.recordings)
    if not folder.is_dir():
        raise VoiceChangerError(f"recordings = {folder} is no folder; set it in project.toml")
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
    if not files:
        raise VoiceChangerError(f"no audio under {folder}; expected {', '.join(sorted(SUFFIXES))}")
    named: list[tuple[str, Path]] = []
    for path in files:
        stat: Any = path.stat()
        identity = f"{path.relative_to(folder).as_posix()}:{stat.st_size}:{stat.st_mtime_ns}"
        named.append((identity, path))
    return named
