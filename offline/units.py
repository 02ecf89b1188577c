"""Units of recordings in several disguises, computed once and kept."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from core.content.phonetic import PhoneticEncoder
from core.errors import VoiceChangerError, first_line
from offline.augment import SpectralAugment
from offline.preprocess import Utterance, load_wave, wave_path
from offline.tasks.content import log_power

log = logging.getLogger(__name__)

_OWN_DELAY = 0.6  # share of the disguises heard at the voice's own delay, the rest at any


def disguised_units(
    encoder: PhoneticEncoder,
    features: Path,
    utterances: Sequence[Utterance],
    others: Sequence[Path],
    augment: SpectralAugment,
    variants: int,
    seed: int = 0,
    cache: Path | None = None,
) -> list[Tensor]:
    """Of each recording (variants', D, T) in half precision, the first as it is.

    variants: how many in all of the recording itself. others: feature folders that may hold the
    same recording in another disguise; each adds its units, as they are and augmented.
    cache: folder to keep them in.
    """

    def hear() -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        units = []
        for utterance in tqdm(utterances, "units", disable=None):
            wave = load_wave(features, utterance)
            parts = [_units(encoder, wave, augment, 1, variants - 1, generator)]
            for folder in others:
                if wave_path(folder, utterance.path).is_file():
                    other = load_wave(folder, utterance)[: len(wave)]
                    other = np.pad(other, (0, len(wave) - len(other)))
                    parts.append(_units(encoder, other, augment, 1, 1, generator))
            units.append(torch.cat(parts).half())
        return units

    with torch.inference_mode():
        if cache is None:
            return hear()
        return kept(cache, "units", _told(encoder, features, utterances, others, variants), hear)


def kept(cache: Path, name: str, told: str, make: Callable[[], list[Tensor]]) -> list[Tensor]:
    """What `make` gives, kept in a file named by what it depends on; a damaged one is made anew."""
    file = cache / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.pt"
    if file.is_file():
        try:
            known: list[Tensor] = torch.load(file, weights_only=True)
            return known
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            log.warning("%s is damaged; making it anew", file)
    made = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".part")
    try:
        torch.save(made, temporary)
        temporary.replace(file)
    except (OSError, RuntimeError) as error:  # torch says a full disk as a RuntimeError
        temporary.unlink(missing_ok=True)
        raise VoiceChangerError(
            f"could not write {file}: {first_line(error)}; free some space and try again"
        ) from None
    return made


def _units(
    encoder: PhoneticEncoder,
    wave: NDArray[np.float32],
    augment: SpectralAugment,
    plain: int,
    disguised: int,
    generator: torch.Generator,
) -> Tensor:
    """(plain + disguised, D, frames): plain at the voice's own delay, the others at any."""
    delays = encoder.config.delays
    frames = encoder.audio.frames(len(wave))
    padded = np.pad(wave, (0, (frames + max(delays)) * encoder.hop_length - len(wave)))
    power = log_power(encoder, padded).float().exp()
    bands = [encoder.bands(power[None])] * plain
    if disguised:
        copies = augment.power(power.expand(disguised, -1, -1).clone(), generator)
        bands.append(encoder.bands(copies, augment.filters(disguised, generator)))
    units: list[Tensor] = []
    for i, heard in enumerate(torch.split(torch.cat(bands), 1)):
        delay = encoder.config.lookahead_frames
        if i >= plain and float(torch.rand(1, generator=generator)) > _OWN_DELAY:
            delay = delays[int(torch.randint(len(delays), (1,), generator=generator))]
        units.append(encoder.encode(heard[:, : frames + delay], delay)[0][:, delay:])
    return torch.cat(units).transpose(1, 2)


def _told(
    encoder: PhoneticEncoder,
    features: Path,
    utterances: Sequence[Utterance],
    others: Sequence[Path],
    variants: int,
) -> str:
    """Says the encoder's weights and what is asked of it."""
    digest = hashlib.sha256()
    for name, weight in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + weight.numpy().tobytes())
    paths = [utterance.path for utterance in utterances]
    return repr((variants, str(features), [str(o) for o in others], paths, digest.hexdigest()))
