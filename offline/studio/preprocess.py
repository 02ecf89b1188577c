"""Recordings -> pieces with wave and pitch, in parallel, going on where it stopped.

Every file's result is kept under the hash of the file's identity and of the settings it depends on,
so a changed setting recomputes what depends on it and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from core.config import AudioConfig, MelConfig, VoiceConfig
from core.errors import VoiceChangerError, first_line
from offline.cluster import on_cluster
from offline.studio.manifest import (
    Dropped,
    Statistics,
    Take,
    TakesManifest,
    features_hash,
    file_hash,
    save_hashed,
    source_files,
)
from offline.studio.project import Project, read_json, write_text
from offline.studio.settings import PitchConfig, SlicerConfig, TakesConfig, settings_hash
from offline.studio.slicer import levels, slice_recording
from offline.studio.takes import (
    clipped_share,
    duplicates,
    portrait,
    snr_db,
    speech_gain,
    strangers,
)

Report = Callable[[dict[str, Any]], None]
"""Called with events: "file" after each recording, "report" last."""


class FullDiskError(Exception):
    """Features could not be written; unlike a bad recording, this ends the work."""


@dataclass(frozen=True)
class _Work:
    """One recording to be cut, for a worker process."""

    identity: str
    source: Path
    features: Path
    slicer: SlicerConfig
    level_db: float
    pitch: PitchConfig
    audio: AudioConfig

    @property
    def key(self) -> str:
        """Names the pieces: by recording, slicer and level."""
        text = settings_hash(self.slicer, self.audio) + f"{self.level_db}:{self.identity}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def pitch_key(self) -> str:
        """Names the pieces' f0."""
        return f"{self.key}-{settings_hash(self.pitch)}"


def preprocess(
    project: Project,
    report: Report,
    workers: int | None = None,
    voice: VoiceConfig | None = None,
    cluster: str | None = None,
) -> TakesManifest:
    """Makes every feature that is missing, then the manifest.

    workers: processes, None for one a core. voice: whose frame grid; the default voice's if None.
    cluster: address of a Ray cluster, whose machines reach recordings and project.
    """
    voice = voice or VoiceConfig()
    config = project.config
    sources = source_files(config)
    works = [
        _Work(
            identity,
            path,
            project.features,
            config.slicer,
            config.takes.level_db,
            config.pitch,
            voice.audio,
        )
        for identity, path in sources
    ]
    found: dict[str, dict[str, Any]] = {}
    worked = _worked(works, workers) if cluster is None else _worked_on(cluster, works)
    for done in range(1, len(works) + 1):
        try:
            identity, result = next(worked)
        except FullDiskError as error:
            raise VoiceChangerError(str(error)) from None
        found[identity] = result
        name = identity.rsplit(":", 2)[0]
        kept = sum("path" in piece for piece in result["pieces"])
        report(
            {"event": "file", "file": name, "done": done, "of": len(works), "pieces": kept}
            | ({"error": result["error"]} if result.get("error") else {})
        )
    takes, dropped = _judged(
        [(identity.rsplit(":", 2)[0], found[identity]) for identity, _ in sources], config.takes
    )
    report(_summary(takes, dropped))
    if not takes:
        reasons = Counter(each.why for each in dropped).most_common(3)
        told = ", ".join(f"{count} x {why}" for why, count in reasons) or "nothing spoken"
        raise VoiceChangerError(
            f"nothing to learn from in {config.recordings} ({told}); record at least a minute of"
            " clear speech"
        )
    manifest = TakesManifest(
        features_hash(config, voice.audio),
        tuple(identity for identity, _ in sources),
        takes,
        dropped,
        _statistics(takes, project.features, voice.audio, voice.mel),
    )
    manifest.save(project.features)
    return manifest


def _worked(works: Sequence[_Work], workers: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    count = min(workers or os.cpu_count() or 1, len(works))
    if count <= 1:
        yield from ((work.identity, _cut(work)) for work in works)
        return
    with ProcessPoolExecutor(count, get_context("spawn"), quiet_worker) as pool:
        futures = {pool.submit(_cut, work): work for work in works}
        try:
            for future in as_completed(futures):
                yield futures[future].identity, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _worked_on(cluster: str, works: Sequence[_Work]) -> Iterator[tuple[str, dict[str, Any]]]:
    found = [replace(w, source=w.source.resolve(), features=w.features.resolve()) for w in works]
    for work, result in on_cluster(cluster, _cutter, found):
        words = f"{work.source.name} made its worker die; look into it, or leave it out"
        yield work.identity, {"pieces": [], "error": words} if result is None else result


def _cutter() -> Callable[[_Work], dict[str, Any]]:
    return _cut


def quiet_worker() -> None:
    """One thread a worker, and Ctrl-C left to the parent."""
    import signal

    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cut(work: _Work) -> dict[str, Any]:
    """The pieces of one recording, with their files; from last time where they are still whole."""
    try:
        pieces = _kept(work, f"pieces/{work.key}", "waves", _sliced)
        for piece, pitch in zip(
            pieces, _kept(work, f"pitch/{work.pitch_key}", "f0", _pitched), strict=True
        ):
            piece.update(pitch)
        return {"pieces": pieces}
    except VoiceChangerError as error:
        return {"pieces": [], "error": str(error)}


def _kept(
    work: _Work, note: str, kind: str, make: Callable[[_Work], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    path = work.features / f"{note}.json"
    known = read_json(path)
    if isinstance(known, list) and all(_whole(piece, work.features, kind) for piece in known):
        return known
    try:
        made = make(work)
        write_text(path, json.dumps(made))
    except OSError as error:
        raise FullDiskError(
            f"could not write the features of {work.source}: {first_line(error)}; free some space"
            " and run preprocess again, it goes on there"
        ) from None
    return made


def _whole(piece: dict[str, Any], features: Path, kind: str) -> bool:
    if "path" not in piece:
        return True
    file = features / kind / f"{piece['path']}.npy"
    return file.is_file() and file_hash(file) == piece[kind]


def _sliced(work: _Work) -> list[dict[str, Any]]:
    import soxr

    from core.audio import load_mono

    wave, rate = load_mono(work.source)
    if not np.isfinite(wave).all():
        raise VoiceChangerError(f"{work.source.name} has samples that are not numbers")
    gain = speech_gain(wave, rate, work.level_db)
    pieces: list[dict[str, Any]] = []
    for i, piece in enumerate(slice_recording(wave, rate, work.slicer)):
        told: dict[str, Any] = {"start": piece.start / rate, "end": piece.end / rate}
        if piece.dropped:
            pieces.append(told | {"why": piece.dropped})
            continue
        part = wave[piece.start : piece.end]
        made = soxr.resample(part * np.float32(gain), rate, work.audio.sample_rate, "HQ")
        stored = np.clip(made * 32768, -32768, 32767).astype(np.int16)
        path = f"{work.key}-{i}"
        pieces.append(
            told
            | {
                "path": path,
                "samples": len(stored),
                "clipped": clipped_share(part),
                "snr_db": snr_db(part, rate),
                "portrait": portrait(part, rate).tolist(),
                "envelope": levels(part, rate)[::5].tolist(),
                "waves": save_hashed(work.features / "waves" / f"{path}.npy", stored),
            }
        )
    return pieces


def _pitched(work: _Work) -> list[dict[str, Any]]:
    from core.f0 import f0_estimator

    estimate = f0_estimator(work.audio, work.pitch.config())
    pieces: list[dict[str, Any]] = []
    for piece in _kept(work, f"pieces/{work.key}", "waves", _sliced):
        if "path" not in piece:
            pieces.append({})
            continue
        file = work.features / "waves" / f"{piece['path']}.npy"
        wave = np.load(file, allow_pickle=False).astype(np.float32) / np.float32(32768)
        f0, voiced = estimate(wave)
        both = np.stack([f0, voiced.astype(np.float32)]).astype(np.float32)
        target = work.features / "f0" / f"{piece['path']}.npy"
        pieces.append(
            {
                "path": piece["path"],
                "f0": save_hashed(target, both),
                "f0_range": np.quantile(f0[voiced], (0.05, 0.5, 0.95)).tolist()
                if voiced.any()
                else [0.0, 0.0, 0.0],
            }
        )
    return pieces


def _judged(
    results: Sequence[tuple[str, dict[str, Any]]], config: TakesConfig
) -> tuple[tuple[Take, ...], tuple[Dropped, ...]]:
    """All pieces of all recordings, flagged; those with a flag of `drop` left out."""
    dropped = [Dropped(name, 0.0, 0.0, r["error"]) for name, r in results if "error" in r]
    pieces = [(name, piece) for name, r in results for piece in r["pieces"]]
    dropped += [Dropped(n, p["start"], p["end"], p["why"]) for n, p in pieces if "why" in p]
    pieces = [(name, piece) for name, piece in pieces if "path" in piece]
    away = strangers(
        [np.asarray(p["portrait"], np.float32) for _, p in pieces],
        [p["f0_range"][1] for _, p in pieces],
    )
    twice = set(duplicates([np.asarray(p["envelope"], np.float32) for _, p in pieces]))
    takes = []
    for i, (name, piece) in enumerate(pieces):
        found = {
            "clipped": piece["clipped"] > config.clipped_share,
            "noisy": piece["snr_db"] < config.min_snr_db,
            "duplicate": i in twice,
            "stranger": float(away[i]) > config.stranger_distance,
        }
        flags = tuple(flag for flag, true in found.items() if true)
        left_out = [flag for flag in flags if flag in config.drop]
        if piece["f0_range"][1] == 0.0:
            left_out.append("no voice in it")
        if left_out:
            dropped.append(Dropped(name, piece["start"], piece["end"], ", ".join(left_out)))
            continue
        takes.append(
            Take(
                path=piece["path"],
                source=name,
                start=round(piece["start"], 3),
                end=round(piece["end"], 3),
                samples=piece["samples"],
                snr_db=round(piece["snr_db"], 1),
                distance=round(float(away[i]), 2),
                f0_low=piece["f0_range"][0],
                f0_median=piece["f0_range"][1],
                f0_high=piece["f0_range"][2],
                flags=flags,
                wave=piece["waves"],
                f0=piece["f0"],
            )
        )
    return tuple(takes), tuple(dropped)


def _summary(takes: Sequence[Take], dropped: Sequence[Dropped]) -> dict[str, Any]:
    flagged = [take for take in takes if take.flags]
    return {
        "event": "report",
        "pieces": len(takes),
        "seconds": round(sum(take.end - take.start for take in takes), 1),
        "dropped_seconds": round(sum(each.end - each.start for each in dropped), 1),
        "dropped": [asdict(each) for each in dropped],
        "flagged": [
            {"source": t.source, "start": t.start, "end": t.end, "flags": list(t.flags)}
            for t in flagged
        ],
    }


def _statistics(
    takes: Sequence[Take], features: Path, audio: AudioConfig, mel: MelConfig
) -> Statistics:
    import torch

    from core.features import loudness
    from core.mel import LogMel

    log_mel = LogMel(audio, mel)
    lows, highs, levels_db = [], [], []
    for take in takes:
        stored = np.load(features / "waves" / f"{take.path}.npy", allow_pickle=False)
        wave = torch.from_numpy(stored.astype(np.float32) / 32768)[None]
        with torch.inference_mode():
            spectrum = log_mel(wave)[0]
            levels_db.append(loudness(wave, audio.hop_length)[0])
        lows.append(spectrum.amin(1))
        highs.append(spectrum.amax(1))
    level = torch.cat(levels_db)
    loud = level[level > level.quantile(0.95) - 40] if len(level) < 1 << 24 else level
    return Statistics(
        seconds=round(sum(take.samples for take in takes) / audio.sample_rate, 2),
        f0_min=round(min(take.f0_low for take in takes), 1),
        f0_median=round(float(np.median([take.f0_median for take in takes])), 1),
        f0_max=round(max(take.f0_high for take in takes), 1),
        loudness_min=round(float(loud.min()), 1),
        loudness_max=round(float(level.max()), 1),
        spec_min=tuple(round(x, 3) for x in torch.stack(lows).amin(0).tolist()),
        spec_max=tuple(round(x, 3) for x in torch.stack(highs).amax(0).tolist()),
    )
