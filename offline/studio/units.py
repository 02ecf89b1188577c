"""Units of an encoder that the voice does not hold (a HuBERT): heard once, by several processes.

Each take's are kept in a file of their own, so work that was stopped goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from core.config import AudioConfig, ContentConfig
from core.content.windowed import WindowedUnits
from offline.cluster import on_cluster
from offline.preprocess import Utterance, load_wave
from offline.studio.encoder import chosen_content, windowed_units
from offline.studio.events import Tell
from offline.studio.manifest import TakesManifest, utterance
from offline.studio.preprocess import quiet_worker
from offline.studio.project import Project
from offline.units import kept


@dataclass(frozen=True)
class Hearing:
    """Hears takes with an encoder; what a worker needs to know."""

    features: Path
    audio: AudioConfig
    content: ContentConfig
    variants: int
    seed: int

    def units(self, take: Utterance, encoder: WindowedUnits | None = None) -> Tensor:
        """(variants, D, T) in half precision, from last time where they are kept.

        encoder: of this content; None makes one.
        """
        told = repr((self.content, self.variants, self.seed, take.path))

        def hear() -> list[Tensor]:
            key = hashlib.blake2b(told.encode(), digest_size=7).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(key, "big"))
            ear = encoder or WindowedUnits(self.audio, self.content)
            wave = torch.from_numpy(load_wave(self.features, take))[None]
            with torch.inference_mode():
                return [windowed_units(ear, wave, self.variants, generator)]

        (units,) = kept(self.features / "units", "take", told, hear)
        return units

    def keep(self, take: Utterance) -> None:
        """Hears the take, for later."""
        self.units(take)


def keep_units(
    project: Project,
    manifest: TakesManifest,
    audio: AudioConfig,
    tell: Tell,
    workers: int | None = None,
    cluster: str | None = None,
) -> None:
    """Hears every take with the encoder that the project names, if that is not the embedded one."""
    content, train = chosen_content(project.config.content), project.config.train
    if content is None:
        return
    features = project.features if cluster is None else project.features.resolve()
    hearing = Hearing(features, audio, content, train.variants, train.seed)
    name = project.config.name
    takes = [utterance(take, name, audio.sample_rate) for take in manifest.takes]
    done = _kept(hearing, takes, workers) if cluster is None else _kept_on(cluster, hearing, takes)
    for count, _ in enumerate(done, 1):
        tell({"event": "units", "done": count, "of": len(takes)})


def _kept(hearing: Hearing, takes: list[Utterance], workers: int | None) -> Iterator[None]:
    count = min(workers or os.cpu_count() or 1, len(takes))
    if count <= 1:
        yield from map(hearing.keep, takes)
        return
    with ProcessPoolExecutor(count, get_context("spawn"), quiet_worker) as pool:
        futures = [pool.submit(hearing.keep, take) for take in takes]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _kept_on(cluster: str, hearing: Hearing, takes: list[Utterance]) -> Iterator[None]:
    for _, nothing in on_cluster(cluster, partial(_keeper, hearing), takes):
        yield nothing


def _keeper(hearing: Hearing) -> Callable[[Utterance], None]:
    return hearing.keep
