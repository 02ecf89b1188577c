"""A toy project: a few synthetic recordings, the toy voice to adapt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from offline.studio.events import Event
from offline.studio.preprocess import preprocess
from offline.studio.project import SETTINGS, Project, write_text
from offline.studio.settings import to_toml
from tests.toy import TOY, speechlike, toy_voice

RATE = 16_000


def recording(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray[Any, Any]:
    """Phrases of 2.5 s between pauses of half a second."""
    wave = speechlike(round(seconds * rate), seed=seed, sample_rate=rate)
    t = np.arange(len(wave)) / rate
    wave = wave * ((t % 3.0) < 2.5) + 1e-4 * np.random.default_rng(seed).standard_normal(len(wave))
    return wave.astype(np.float32)


def make_recordings(folder: Path, lengths: tuple[float, ...] = (3.0, 4.5, 7.0, 5.0)) -> Path:
    folder.mkdir(parents=True)
    for i, seconds in enumerate(lengths):
        soundfile.write(folder / f"{i}.wav", recording(seconds, seed=i), RATE)
    return folder


QUICK = {
    "polish": False,
    "precision": "float32",
    "max_minutes": 0.0,
    "max_steps": 4,
    "speaker_steps": 1,
    "warmup_steps": 2,
    "frames_per_batch": 300,
    "crop_frames": 0,
    "save_every": 2,
    "validate_every": 4,
    "log_every": 1,
    "validation_share": 0.25,
    "variants": 2,
    "words": 0.0,
    "threads": 1,
    "device": "cpu",
}
"""Settings of a training that is a test's."""


def make_project(root: Path, **train: Any) -> Project:
    """With features; trains on the toy voice for four steps, but for `train`."""
    recordings = make_recordings(root / "recordings")
    toy_voice().save(root / "toy.safetensors")
    project = Project.create(root / "projects", "anna", recordings)
    start = {"start": str(root / "toy.safetensors")}
    project = with_settings(project, **(QUICK | start | train))
    preprocess(project, lambda event: None, workers=1, voice=TOY)
    return project


def with_settings(project: Project, **train: Any) -> Project:
    """The same project with other settings of training, on disk, too."""
    config = replace(project.config, train=replace(project.config.train, **train))
    write_text(project.folder / SETTINGS, to_toml(config))
    return replace(project, config=config)


class Told(list[Event]):
    """Collects events."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self if event["event"] == kind]
