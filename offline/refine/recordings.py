"""Recordings in the memory of a device, their units made ahead; crops of them without waiting."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from core.content.phonetic import PhoneticEncoder
from core.errors import VoiceChangerError
from core.features import loudness
from core.level import speech_level
from core.mel import LogMel
from core.voice import VoiceModel
from offline.distil.disguise import Disguise
from offline.distil.spectra import side_by_side
from offline.preprocess import Utterance, load_f0, load_wave, wave_path
from offline.tasks.content import log_power

_TOGETHER = 8  # recordings that are heard at once
_DISGUISES = 2  # of each recording and of each copy, beside the plain one
_OWN_DELAY = 0.6  # share of the disguises heard at the voice's own delay, the rest at any


class Crops(NamedTuple):
    """recording (B,); place (B, T): frames of all recordings, one after another."""

    recording: Tensor
    place: Tensor


@dataclass(frozen=True)
class Recordings:
    """Of all frames: units (variants, frames, D), the first as they are, and log mel (frames, M) in
    half precision; loudness in dB, f0 in Hz, voiced (frames,). wave (frames, hop): int16, or none.

    Of each recording: start, length in frames, owner (an index), level of its speech in dB, weight.
    median (owners,): f0 of each owner's voiced frames in Hz.
    """

    units: Tensor
    mel: Tensor
    loudness: Tensor
    f0: Tensor
    voiced: Tensor
    wave: Tensor
    start: Tensor
    length: Tensor
    owner: Tensor
    level: Tensor
    weight: Tensor
    median: Tensor

    @staticmethod
    def load(
        voice: VoiceModel,
        disguise: Disguise,
        features: Path,
        utterances: Sequence[Utterance],
        owners: Sequence[str],
        *,
        least: int,
        exponent: float = 1.0,
        waves: bool = True,
        others: Sequence[Path] = (),
        seed: int = 0,
    ) -> Recordings:
        """On the device of the voice. Those under `least` frames or without voice are left out.

        owners: all speakers, in the order of the indices. exponent: a speaker's share grows with so
        much power of what is there of them; 0 gives all the same. waves: whether they are kept.
        others: feature folders with the same recordings in other disguises.
        """
        hop, encoder, dice = voice.config.audio.hop_length, voice.encoder, random.Random(seed)
        assert isinstance(encoder, PhoneticEncoder)
        device = encoder.window.device
        log_mel = LogMel(voice.config.audio, voice.config.mel).to(device)
        units, mels, louds, f0s, voiceds, kept = [], [], [], [], [], []
        lengths, owner, levels = [], [], []
        order = sorted(utterances, key=lambda u: u.samples)
        known = _usable(features, tqdm(order, "units", disable=None), hop, least)
        for group in _in_groups(known):
            copies = [[r.wave for r in group]]
            copies += [[_copy(folder, recording) for recording in group] for folder in others]
            heard = [_units(encoder, disguise, copy, hop, dice) for copy in copies]
            units.append(torch.cat(heard))
            for recording in group:
                wave = torch.from_numpy(recording.wave)[None].to(device)
                level = loudness(wave, hop)[0]
                voiced = torch.from_numpy(recording.voiced).to(device)
                mels.append(log_mel(wave)[0].T.half())
                louds.append(level)
                f0s.append(torch.from_numpy(recording.f0).to(device))
                voiceds.append(voiced)
                if waves:
                    kept.append((wave[0] * 32768).short().view(-1, hop))
                lengths.append(len(level))
                owner.append(owners.index(recording.utterance.speaker))
                spoken = speech_level(level, voiced)
                assert spoken is not None, "there is voice"
                levels.append(spoken)
        if not lengths:
            raise VoiceChangerError(
                f"none of {len(utterances)} recordings in {features}, {utterances[0].path} and so"
                f" on, has voice and lasts {least / voice.config.audio.frame_rate:.1f} s; give"
                " longer ones"
            )
        length, owned = torch.tensor(lengths, device=device), torch.tensor(owner, device=device)
        frames = torch.zeros(len(owners), device=device).index_add_(0, owned, length.float())
        f0, voiced = torch.cat(f0s), torch.cat(voiceds)
        theirs = owned.repeat_interleave(length)
        medians = [f0[voiced & (theirs == i)].median() for i in range(len(owners))]
        return Recordings(
            torch.cat(units, 1),
            torch.cat(mels),
            torch.cat(louds),
            f0,
            voiced,
            torch.cat(kept) if kept else torch.empty(0, hop, dtype=torch.short, device=device),
            length.cumsum(0) - length,
            length,
            owned,
            torch.tensor(levels, device=device),
            length * frames[owned] ** (exponent - 1),
            torch.stack(medians),
        )

    def draw(self, batch: int, frames: int) -> Crops:
        """Crops of recordings drawn by weight."""
        device = self.length.device
        shares = self.weight.cumsum(0)
        drawn = torch.searchsorted(shares, torch.rand(batch, device=device) * shares[-1])
        recording = drawn.clamp(max=len(shares) - 1)
        room = self.length[recording] - frames + 1
        first = self.start[recording] + (torch.rand(batch, device=device) * room).long()
        return Crops(recording, first[:, None] + torch.arange(frames, device=device))


@dataclass(frozen=True)
class _Recording:
    """A whole number of frames. wave (frames * hop,); f0 in Hz and voiced (frames,)."""

    utterance: Utterance
    wave: NDArray[np.float32]
    f0: NDArray[np.float32]
    voiced: NDArray[np.bool_]


def _usable(
    features: Path, utterances: Sequence[Utterance], hop: int, least: int
) -> Iterator[_Recording]:
    for utterance in utterances:
        if utterance.samples // hop < least:
            continue
        f0, voiced = load_f0(features, utterance)
        n = min(len(f0), utterance.samples // hop)
        if n >= least and voiced[:n].any():
            wave = load_wave(features, utterance)[: n * hop]
            yield _Recording(utterance, wave, f0[:n], voiced[:n])


def _in_groups(recordings: Iterator[_Recording]) -> Iterator[list[_Recording]]:
    group: list[_Recording] = []
    for recording in recordings:
        group.append(recording)
        if len(group) == _TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _copy(folder: Path, recording: _Recording) -> NDArray[np.float32]:
    """The same recording in another folder, as long; itself where there is none."""
    if not wave_path(folder, recording.utterance.path).is_file():
        return recording.wave
    wave = load_wave(folder, recording.utterance)[: len(recording.wave)]
    return np.pad(wave, (0, len(recording.wave) - len(wave)))


def _units(
    encoder: PhoneticEncoder,
    disguise: Disguise,
    waves: Sequence[NDArray[np.float32]],
    hop: int,
    dice: random.Random,
) -> Tensor:
    """Units of waves, one after another, (1 + _DISGUISES, frames, D) in half precision."""
    own, delays = encoder.config.lookahead_frames, encoder.config.delays
    logs = [log_power(encoder, wave)[:, : disguise.bins].float() for wave in waves]
    power = side_by_side(logs, after=max(delays))
    variants = []
    for variant in range(1 + _DISGUISES):
        plain = variant == 0
        delay = own if plain or dice.random() < _OWN_DELAY else dice.choice(delays)
        heard = power if plain else disguise.power(power)
        units = encoder.encode(disguise.bands(heard, warped=not plain), delay)[0][:, delay:]
        whole = [said[: len(wave) // hop] for said, wave in zip(units, waves, strict=True)]
        variants.append(torch.cat(whole).half())
    return torch.stack(variants)
