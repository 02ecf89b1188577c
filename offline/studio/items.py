"""A project's features as training items, some of them held back to check on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from core.content.windowed import WindowedUnits
from core.features import loudness
from core.mel import LogMel
from core.voice import VoiceModel
from offline.augment import SpectralAugment
from offline.preprocess import Utterance, load_f0
from offline.studio.batches import Item
from offline.studio.manifest import TakesManifest, utterance
from offline.studio.project import Project
from offline.studio.units import Hearing
from offline.units import disguised_units

_NOISY, _SNR_DB = 0.4, (3.0, 35.0)  # of what the encoder hears


def load_items(project: Project, manifest: TakesManifest, base: VoiceModel) -> list[Item]:
    """Every take with its units in disguises, computed once and kept beside the features."""
    config, folder = base.config, project.features
    name = project.config.name
    chosen = [utterance(take, name, config.audio.sample_rate) for take in manifest.takes]
    units = _units(project, base, chosen)
    log_mel = LogMel(config.audio, config.mel)
    items = []
    for take, variations in zip(chosen, units, strict=True):
        stored = np.load(Path(folder) / "waves" / f"{take.path}.npy", allow_pickle=False)
        wave = torch.from_numpy(stored.astype(np.float32) / 32768)[None]
        f0, voiced = load_f0(folder, take)
        with torch.inference_mode():
            mel = log_mel(wave)[0].half()
            level = loudness(wave, config.audio.hop_length)[0]
        items.append(
            Item(stored, mel, variations, torch.from_numpy(f0), torch.from_numpy(voiced), level)
        )
    return items


def _units(project: Project, base: VoiceModel, chosen: list[Utterance]) -> list[Tensor]:
    """Of each take (variants, D, T) in half precision."""
    settings, encoder, folder = project.config.train, base.encoder, project.features
    cache = folder / "units"
    if not isinstance(encoder, WindowedUnits):
        audio, content = base.config.audio, base.config.content
        augment = SpectralAugment(audio, content, [], noisy=_NOISY, snr_db=_SNR_DB)
        return disguised_units(
            *(encoder, folder, chosen, (), augment, settings.variants, settings.seed), cache=cache
        )
    hearing = Hearing(
        folder, base.config.audio, base.config.content, settings.variants, settings.seed
    )
    return [hearing.units(take, encoder) for take in tqdm(chosen, "units", disable=None)]


def split(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """(to learn from, to check on): every n-th is held back; of a single one both see the same."""
    every = max(2, round(1 / share))
    held = list(range(every // 2, len(items), every)) or ([len(items) - 1] if items else [])
    learned = [item for i, item in enumerate(items) if i not in held]
    checked = [items[i] for i in held]
    return learned or checked, checked
