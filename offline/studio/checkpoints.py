"""Checkpoints of a training: whole or not at all, checked by hash, few kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import VoiceChangerError, first_line
from offline.studio.manifest import file_hash
from offline.studio.project import read_json, write_text

INDEX = "index.json"


@dataclass(frozen=True)
class Saved:
    """One checkpoint. score: of the newest check at that step or before, lower is better."""

    step: int
    file: str
    size: int
    hash: str
    score: float | None


class Checkpoints:
    """The checkpoints in a folder."""

    def __init__(self, folder: Path, warn: Callable[[str], None] = lambda words: None) -> None:
        self.folder, self._warn = folder, warn
        known = read_json(folder / INDEX)
        self.saved = [Saved(**entry) for entry in known] if isinstance(known, list) else []

    def save(
        self,
        state: dict[str, Any],
        step: int,
        score: float | None,
        keep_last: int = 1,
        keep_every: int = 0,
    ) -> Path:
        """Writes a state, then removes what need not be kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step_{step:08d}.pt"
        temporary = path.with_suffix(".part")
        try:
            torch.save(state, temporary)
            temporary.replace(path)
            entry = Saved(step, path.name, path.stat().st_size, file_hash(path), score)
            self.saved = sorted(
                [s for s in self.saved if s.step != step] + [entry], key=lambda s: s.step
            )
            self._write_index()
        except (OSError, RuntimeError) as error:  # torch says a full disk as a RuntimeError
            temporary.unlink(missing_ok=True)
            raise VoiceChangerError(
                f"could not save step {step} into {self.folder}: {first_line(error)}; free some"
                " space and train again, it goes on from the checkpoint before"
            ) from None
        self._clean(keep_last, keep_every)
        return path

    def load(self, wish: str = "last") -> tuple[Saved, dict[str, Any]] | None:
        """The newest whole checkpoint, the best one, or that of a step; None where there is none.

        A damaged one is named in a warning and the one before it is taken.
        """
        if wish in ("last", "best"):
            candidates = list(reversed(self.saved))
            if wish == "best" and (best := self.best()) is not None:
                candidates.insert(0, best)
        else:
            candidates = [s for s in self.saved if str(s.step) == wish]
            if not candidates:
                known = ", ".join(str(s.step) for s in self.saved) or "none"
                raise VoiceChangerError(f"no checkpoint of step {wish}; known: {known}, best, last")
        for entry in candidates:
            path = self.folder / entry.file
            whole = path.is_file() and path.stat().st_size == entry.size
            if whole and file_hash(path) == entry.hash:
                return entry, torch.load(path, weights_only=True, map_location="cpu")
            self._warn(f"checkpoint {path} is missing or damaged; taking the one before it")
        if candidates:
            raise VoiceChangerError(
                f"no checkpoint in {self.folder} is whole; remove the folder to train anew"
            )
        return None

    def best(self) -> Saved | None:
        """The one with the lowest score."""
        scored = [s for s in self.saved if s.score is not None]
        return min(scored, key=lambda s: s.score or 0.0, default=None)

    def forget_after(self, step: int) -> None:
        """Removes the checkpoints of later steps: the training goes another way from there."""
        gone = [s for s in self.saved if s.step > step]
        self.saved = [s for s in self.saved if s.step <= step]
        self._write_index()
        for entry in gone:
            (self.folder / entry.file).unlink(missing_ok=True)

    def _clean(self, keep_last: int, keep_every: int) -> None:
        best = self.best()
        gone = [
            s
            for s in self.saved[:-keep_last]
            if s != best and not (keep_every and s.step % keep_every == 0)
        ]
        self.saved = [s for s in self.saved if s not in gone]
        self._write_index()
        for entry in gone:
            (self.folder / entry.file).unlink(missing_ok=True)

    def _write_index(self) -> None:
        write_text(self.folder / INDEX, json.dumps([asdict(s) for s in self.saved], indent=1))
