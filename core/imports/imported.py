"""A voice on its way into a file, and what completes it: encoder, vocoder, pitch extractor."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from core.diff_svc.config import ForeignConfig, MelFormat
from core.errors import VoiceFileError
from core.imports.checkpoint import Settings, State, read_config_file
from core.imports.voice_parts import Part, check_vocoder, plain_json


@dataclass(frozen=True)
class Imported:
    """A voice as it goes into a file, and what was found on the way, a sentence a line."""

    config: ForeignConfig
    weights: State
    report: tuple[str, ...]


def with_hubert(voice: Imported, part: Part) -> Imported:
    """The voice with its content encoder."""
    from core.content.hubert_soft import HubertSoft

    HubertSoft.from_state_dict(part.weights)
    width = len(part.weights["proj.weight"])
    if width != voice.config.units:
        raise VoiceFileError(
            f"{part.path}: proj.weight gives units of {width}, but the voice's hidden_size is"
            f" {voice.config.units}; it was trained with another encoder"
        )
    weights = {**voice.weights, **{f"content.{k}": v for k, v in part.weights.items()}}
    report = (*voice.report, f"content encoder: hubert-soft, units of {width}, from {part.path}")
    return Imported(replace(voice.config, content="hubert-soft"), weights, report)


def with_unit_encoder(voice: Imported, name: str, source: Path | None) -> Imported:
    """The voice with an encoder that transformers reads: where it is, not what is in it.

    name: of `UNIT_ENCODERS`. source: a folder with config.json and weights, or the id of a model.
    """
    from core.content import unit_encoder

    if source is None:
        raise VoiceFileError(
            f"voice {voice.config.name} hears units of {name}; name a folder of transformers with"
            " config.json and model.safetensors, or the id of such a model, with --hubert"
        )
    place = str(source.absolute() if source.exists() else source)
    width = unit_encoder(name, place).dim
    if width != voice.config.units:
        raise VoiceFileError(
            f"{place}: {name} gives units of {width}, but the voice hears {voice.config.units}; it"
            " was trained with another encoder"
        )
    config = replace(voice.config, content=name, content_source=place)
    report = f"content encoder: {name}, units of {width}, read from {place} each time; keep it"
    return Imported(config, voice.weights, (*voice.report, report))


def with_vocoder(voice: Imported, part: Part | None) -> Imported:
    """The voice with its vocoder, or with the embedded one where there is none of its own."""
    mel = voice.config.mel
    if part is None:
        return _with_embedded_vocoder(voice)
    check_vocoder(part, mel.sample_rate, mel.hop_length, mel.n_mels)
    if mel.kind == "hifigan":
        from core.vocoder.hifigan24k import HifiGan24k

        HifiGan24k.from_state_dict(part.weights, part.config)
        name = "hifigan-24k"
    else:
        from core.vocoder.nsf_hifigan import NsfHifiGan

        NsfHifiGan.from_state_dict(part.weights, part.config)
        name = "nsf-hifigan"
    config = replace(voice.config, vocoder=name, vocoder_config=plain_json(part.config))
    weights = {**voice.weights, **{f"vocoder.{k}": v for k, v in part.weights.items()}}
    return Imported(config, weights, (*voice.report, f"vocoder: {name}, from {part.path}"))


def with_pitch_extractor(voice: Imported, part: Part) -> Imported:
    """The voice with the network that reads the vocoder's f0 off the mel."""
    from core.f0.pitch_extractor import PitchExtractor

    PitchExtractor.from_state_dict(part.weights)
    weights = {**voice.weights, **{f"pitch_extractor.{k}": v for k, v in part.weights.items()}}
    config = replace(voice.config, pitch_extractor=True)
    return Imported(config, weights, (*voice.report, f"pitch extractor: from {part.path}"))


def settings_of(checkpoint: Path, config: Path | None = None) -> Settings:
    """The config of a checkpoint, by default the config.yaml beside it."""
    path = config or checkpoint.parent / "config.yaml"
    if not checkpoint.is_file():
        raise VoiceFileError(f"{checkpoint}: no such file; check the path")
    if not path.is_file():
        raise VoiceFileError(
            f"{checkpoint}: no config.yaml beside it; diff-svc saves one in the voice's folder,"
            " put it there or name it with --config"
        )
    return Settings(read_config_file(path), path)


def voice_name(checkpoint: Path) -> str:
    """What a voice is called if nobody says: as the folder of its checkpoint."""
    folder = checkpoint.absolute().parent.name
    return re.sub(r"[^\w.-]+", "-", folder or checkpoint.stem)


def _with_embedded_vocoder(voice: Imported) -> Imported:
    mel = voice.config.mel
    own = MelFormat(mel.kind)
    if mel != own:
        raise VoiceFileError(
            f"voice {voice.config.name} has {mel.n_mels} mel bins at {mel.sample_rate} Hz, hop"
            f" {mel.hop_length}; the embedded vocoder takes {own.n_mels} at {own.sample_rate} Hz,"
            f" hop {own.hop_length}; name the voice's own vocoder with --vocoder"
        )
    report = (*voice.report, "vocoder: none found, the embedded one will speak")
    return Imported(voice.config, voice.weights, report)
