"""A folder of audio -> a wave and an f0 file an utterance, and a manifest of how they were made.

The folder an audio file lies in names its speaker. What exists already is kept, so an interrupted
run goes on where it stopped. The speakers of `held_out.txt`, on whom the voices are judged, are
left out, and a manifest that has any of them is refused.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from core.config import AudioConfig, F0Config
from core.errors import VoiceChangerError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
MANIFEST = "manifest.json"
_HELD_OUT_LIST = Path(__file__).with_name("held_out.txt")


@dataclass(frozen=True)
class Utterance:
    """path: relative to the data folder; samples: at the grid's rate; rate: as recorded, Hz."""

    path: str
    speaker: str
    samples: int
    rate: int


@dataclass(frozen=True)
class Manifest:
    """What a feature folder holds. `grid` is the hash of the configs its files were made with."""

    grid: str
    utterances: tuple[Utterance, ...]

    def save(self, folder: Path) -> None:
        """Writes the manifest into a feature folder."""
        text = json.dumps({"grid": self.grid, "utterances": [asdict(u) for u in self.utterances]})
        (folder / MANIFEST).write_text(text, encoding="utf-8")

    @staticmethod
    def load(folder: Path, audio: AudioConfig, f0: F0Config) -> Manifest:
        """Reads it back; one made with other configs is refused."""
        path = folder / MANIFEST
        if not path.is_file():
            raise VoiceChangerError(
                f"no {MANIFEST} in {folder}; make one with: moksori recipe preprocess DATA {folder}"
            )
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["grid"] != grid_hash(audio, f0):
            raise VoiceChangerError(
                f"{path} was made with other settings than today's; preprocess into a new folder"
            )
        manifest = Manifest(data["grid"], tuple(Utterance(**u) for u in data["utterances"]))
        held = sorted({u.speaker for u in manifest.utterances} & set(held_out()))
        if held:
            raise VoiceChangerError(
                f"{path} has recordings of {', '.join(held)}: {_HELD_OUT_LIST.name} keeps these "
                "speakers for tests, and nothing may learn from them. If they are others of the "
                "same name, rename their folders; either way preprocess into a new folder"
            )
        return manifest


def held_out() -> tuple[str, ...]:
    """The speakers no network learns from, in the order of `held_out.txt`."""
    lines = _HELD_OUT_LIST.read_text(encoding="utf-8").splitlines()
    names = (line.partition("#")[0].strip() for line in lines)
    return tuple(name for name in names if name)


def grid_hash(audio: AudioConfig, f0: F0Config) -> str:
    """Identifies the settings that features depend on."""
    text = json.dumps([asdict(audio), asdict(f0)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wave_path(folder: Path, utterance: str) -> Path:
    """Where an utterance's wave lies: int16 at the grid's rate."""
    return folder / "waves" / f"{utterance}.npy"


def f0_path(folder: Path, utterance: str) -> Path:
    """Where an utterance's f0 lies: float32 (2, frames), Hz and voiced."""
    return folder / "f0" / f"{utterance}.npy"


def preprocess(
    data: Path,
    folder: Path,
    audio: AudioConfig,
    f0: F0Config,
    hold_out: Sequence[str] = (),
    f0_speakers: Sequence[str] = (),
) -> Manifest:
    """Makes every feature file that is missing.

    hold_out: speakers (folder names) to leave out altogether, besides those of `held_out.txt`.
    f0_speakers: those whose f0 is needed, all where empty (content training needs none).
    """
    files = sorted(p for p in data.rglob("*") if p.suffix.lower() in SUFFIXES)
    files = [p for p in files if not set(p.relative_to(data).parts) & set(hold_out)]
    tests = {p for p in files if set(p.relative_to(data).parts) & set(held_out())}
    if tests:
        names = ", ".join(sorted({p.parent.name for p in tests}))
        print(
            f"left out {len(tests)} recordings of {names}: {_HELD_OUT_LIST.name} keeps these "
            "speakers for tests; if yours are others of the same name, rename their folders",
            file=sys.stderr,
        )
        files = [p for p in files if p not in tests]
    if not files:
        raise VoiceChangerError(f"no audio under {data}; expected {', '.join(sorted(SUFFIXES))}")
    utterances = []
    for path in tqdm(files, "waves", disable=None):
        utterances.append(_extract_wave(path, data, folder, audio))
    needed = [u for u in utterances if not f0_speakers or u.speaker in f0_speakers]
    for utterance in tqdm(needed, "f0", disable=None):
        _extract_f0(utterance, folder, audio, f0)
    manifest = Manifest(grid_hash(audio, f0), tuple(utterances))
    manifest.save(folder)
    return manifest


class Named(Protocol):
    """What has files in a feature folder under its path."""

    @property
    def path(self) -> str: ...


def load_wave(folder: Path, utterance: Named) -> NDArray[np.float32]:
    """The utterance's wave, float32 in [-1, 1]."""
    stored = np.load(wave_path(folder, utterance.path), allow_pickle=False)
    wave: NDArray[np.float32] = stored.astype(np.float32) / np.float32(32768)
    return wave


def load_f0(folder: Path, utterance: Named) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The utterance's f0 in Hz, continuous, and its voiced frames."""
    stored = np.load(f0_path(folder, utterance.path), allow_pickle=False)
    return stored[0], stored[1] > 0.5


def _extract_wave(path: Path, data: Path, folder: Path, audio: AudioConfig) -> Utterance:
    import soundfile
    import soxr

    name = path.relative_to(data).as_posix()
    target = wave_path(folder, name)
    rate = int(soundfile.info(path).samplerate)
    if not target.exists():
        wave, _ = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(wave.mean(axis=1), rate, audio.sample_rate, "HQ")
        save_array(target, np.clip(mono * 32768, -32768, 32767).astype(np.int16))
    samples = np.load(target, mmap_mode="r", allow_pickle=False).shape[0]
    return Utterance(name, path.parent.name, samples, rate)


def _extract_f0(utterance: Utterance, folder: Path, audio: AudioConfig, config: F0Config) -> None:
    from core.f0 import f0_estimator

    target = f0_path(folder, utterance.path)
    if target.exists():
        return
    f0, voiced = f0_estimator(audio, config)(load_wave(folder, utterance))
    save_array(target, np.stack([f0, voiced.astype(np.float32)]).astype(np.float32))


def save_array(path: Path, array: NDArray[np.generic]) -> None:
    """Under a temporary name first, so that an interrupted run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)
    temporary.replace(path)
