"""`moksori export NAME`: trained weights, a unit bank and measured figures -> one voice file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from core.config import Speaker, VoiceParams
from core.errors import VoiceChangerError
from core.features import loudness
from core.level import speech_level
from core.pipeline import convert
from core.voice import VoiceModel
from offline.bank import speaker_units
from offline.preprocess import load_f0, load_wave
from offline.spectrum import RECORDINGS, asked_spectrum
from offline.studio.checkpoints import Checkpoints
from offline.studio.encoder import base_voice
from offline.studio.manifest import Take, TakesManifest, load_manifest, utterance
from offline.studio.network import SPEAKER, Adapting, voice_of
from offline.studio.project import Project, write_text
from offline.studio.settings import SCRATCH

_LEVEL_TAKES = 8  # to measure what level the voice comes out at
_AUDIBLE_DB = -50.0  # frames softer than this do not count there
_FRAMES_A_UNIT = 6  # a bank's unit stands for at least so many frames


def export_project(project: Project, wish: str, target: Path | None) -> tuple[Path, int]:
    """Writes a voice file of a checkpoint (a step, best or last); its path and step."""
    settings = project.config.train
    base = base_voice(project)
    manifest = load_manifest(project, base.config.audio)
    warnings: list[str] = []
    found = Checkpoints(project.checkpoints, warnings.append).load(wish)
    if found is None:
        raise VoiceChangerError(
            f"{project.config.name} has no checkpoint yet; run: moksori train {project.config.name}"
        )
    saved, data = found
    network = Adapting(base, project.config.name, settings)
    network.load_state_dict(data["ema"])
    voice = finished_voice(project, manifest, network, base)
    target = target or project.voice
    target.parent.mkdir(parents=True, exist_ok=True)
    card = _card(project, manifest, saved.step)
    voice.save(target, card)
    write_text(target.with_suffix(".json"), card)
    return target, saved.step


def finished_voice(
    project: Project, manifest: TakesManifest, network: Adapting, base: VoiceModel
) -> VoiceModel:
    """The voice with its bank, median pitch, level and spectrum."""
    config, rate = network.config, network.config.audio.sample_rate
    own = [utterance(take, project.config.name, rate) for take in manifest.takes]
    frames = sum(config.audio.frames(take.samples) for take in manifest.takes)
    size = min(config.content.bank_size, frames // _FRAMES_A_UNIT)
    speaker = Speaker(
        project.config.name,
        f0_median=manifest.statistics.f0_median,
        level_db=_level(project, manifest.takes, config.audio.hop_length),
        credit=project.config.credit,
    )
    content = replace(config.content, bank_size=size)
    config = replace(config, content=content, speakers=(speaker,))
    voice = voice_of(network, base, config)
    if project.config.train.start != SCRATCH:
        blend(voice, base, project.config.export.blend)
    if size:
        voice.bank.units[0] = speaker_units(voice.encoder, project.features, own, size)
    if speaker.level_db is not None:
        asked = round(speaker.level_db + _softer(voice, project, manifest), 1)
        takes = manifest.takes[:: max(len(manifest.takes) // RECORDINGS, 1)]
        waves = (load_wave(project.features, take) for take in takes)
        same = VoiceParams(pitch_shift=0.0, level_shift=0.0)
        spectrum = asked_spectrum(voice, same, waves, speaker.level_db)
        speaker = replace(speaker, level_db=asked, spectrum_db=spectrum)
    # level and spectrum are measured without these
    export = project.config.export
    speaker = replace(speaker, sharpness=export.sharpness, retrieval_share=export.retrieval_share)
    voice.config = replace(config, speakers=(speaker,))
    return voice


def blend(voice: VoiceModel, base: VoiceModel, share: float) -> None:
    """Moves the denoiser's weights to `share` of their way from the base's; the speaker's stay.

    What little data cost in clarity comes back sooner than the likeness goes (Wortsman et al. 2022,
    "Robust fine-tuning of zero-shot models"). The vocoder stays: it costs no words.
    """
    start = base.state_dict()
    with torch.no_grad():
        for key, weight in voice.state_dict().items():
            if key.startswith("denoiser.") and key != SPEAKER:
                weight.copy_(torch.lerp(start[key].to(weight), weight, share))


def _level(project: Project, takes: Sequence[Take], hop: int) -> float | None:
    """The level of the target's voiced frames, dB."""
    levels, voices = [], []
    for take in takes:
        _, voiced = load_f0(project.features, take)
        wave = torch.from_numpy(load_wave(project.features, take))
        level = loudness(wave[None], hop)[0]
        levels.append(level[: len(voiced)])
        voices.append(torch.from_numpy(voiced[: len(level)]))
    level_db = speech_level(torch.cat(levels), torch.cat(voices))
    return None if level_db is None else round(level_db, 1)


def _softer(voice: VoiceModel, project: Project, manifest: TakesManifest) -> float:
    """dB that the voice says the target's own words softer than told.

    Networks that learn from log spectra speak about 1 dB softer than they are told.
    """
    hop = voice.config.audio.hop_length
    params = VoiceParams(pitch_shift=0.0, level_shift=0.0)
    short = []
    for take in manifest.takes[:: max(len(manifest.takes) // _LEVEL_TAKES, 1)]:
        wave = load_wave(project.features, take)
        said = torch.from_numpy(convert(voice, wave, params))[None]
        told = loudness(torch.from_numpy(wave)[None], hop)[0]
        _, voiced = load_f0(project.features, take)
        heard = torch.from_numpy(voiced[: len(told)]) & (told > _AUDIBLE_DB)
        short.append(float((told - loudness(said, hop)[0])[heard].mean()))
    return float(np.nanmean(short)) if short else 0.0


def _card(project: Project, manifest: TakesManifest, step: int) -> str:
    """What the voice was made of, in and beside it: settings, statistics of the recordings."""
    settings = asdict(project.config)
    settings.pop("recordings")  # a path of this machine
    table = {"step": step, "statistics": asdict(manifest.statistics), "settings": settings}
    return json.dumps(table, indent=1, ensure_ascii=False)
