"""From the command line's words to a training task, and from trained networks to a voice file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.config import Speaker, VoiceConfig, VoiceParams
from core.content.phonetic import PhoneticEncoder
from core.errors import ConfigError, VoiceChangerError
from core.features import loudness
from core.level import speech_level
from core.pipeline import convert
from core.voice import VoiceModel
from offline.bank import speaker_units
from offline.checkpoint import load_start
from offline.preprocess import Manifest, load_f0, load_wave
from offline.spectrum import RECORDINGS, asked_spectrum
from offline.train import Task

_LEVEL_RECORDINGS = 12  # of each speaker, to measure what level a voice comes out at
_AUDIBLE_DB = -50.0  # frames softer than this do not count there
_SHARE = 0.4  # of a further corpus: what is made by machine is less varied than it is many
LEARNING_RATES = {
    "content": 1e-3,
    "denoiser": 1e-3,
    "vocoder": 6e-4,
    "judges": 1e-3,
    "polish": 2e-4,
}


def make_task(args: argparse.Namespace) -> tuple[Task, float]:
    """The task `moksori recipe train` asks for, and its learning rate."""
    config = voice_config("", args.speakers)
    manifest = Manifest.load(args.features, config.audio, config.f0)
    if args.network == "content":
        from offline.tasks.content import ContentTask, Corpus

        if not args.alignments:
            raise ConfigError("training the content encoder needs --alignments TABLE")
        corpora = [Corpus(args.features, manifest, tuple(args.alignments))]
        for folder, *tables in args.more:
            other = Manifest.load(Path(folder), config.audio, config.f0)
            corpora.append(Corpus(Path(folder), other, tuple(Path(t) for t in tables), _SHARE))
        task: Task = ContentTask(
            config.audio, config.content, corpora, args.noise, tuple(args.validation)
        )
    elif args.network == "judges":
        from offline.tasks.judges import JudgesTask

        task = JudgesTask(
            config.audio,
            config.mel,
            args.features,
            manifest,
            args.alignments,
            tuple(args.validation),
        )
    elif args.network in ("denoiser", "polish"):
        if args.content is None or not args.speakers:
            raise ConfigError(
                f"training the {args.network} needs --content RUN and --speakers NAME ..."
            )
        encoder = PhoneticEncoder(config.audio, config.content).eval()
        encoder.load_state_dict(part(load_start(args.content), "encoder."))
        disguises = {
            "others": args.others,
            "sung": args.sung,
            "noise": args.noise,
            "cache": args.features,
        }
        if args.network == "denoiser":
            from offline.tasks.denoiser import DenoiserTask

            task = DenoiserTask(
                config,
                encoder,
                args.features,
                manifest,
                args.shares,
                objective=args.objective,
                **disguises,
            )
        else:
            from offline.tasks.polish import PolishTask

            if args.denoiser is None or args.vocoder is None:
                raise ConfigError("polishing needs --denoiser RUN and --vocoder RUN")
            task = PolishTask(
                config,
                encoder,
                _denoiser(args.denoiser),
                _spoken(args.vocoder),
                args.features,
                manifest,
                args.shares,
                judges=None if args.judges is None else load_start(args.judges),
                without=tuple(args.validation),
                **disguises,
            )
    else:
        from offline.tasks.vocoder import VocoderTask

        if not args.speakers:
            raise ConfigError("training the vocoder needs --speakers NAME ...")
        task = VocoderTask(
            config.audio,
            config.mel,
            config.vocoder,
            args.features,
            manifest,
            args.speakers,
            adversarial_after=args.adversarial_after or 10**9,
        )
    return task, LEARNING_RATES[args.network]


def export_voice(args: argparse.Namespace) -> None:
    """Puts the averaged weights of three runs (or of voice files) into one voice file."""
    config = voice_config(args.name, args.speakers)
    sharpness = _each(args.speakers, "--sharpness", args.sharpness, 0.0)
    shares = _each(args.speakers, "--retrieval-share", args.retrieval_share, 1.0)
    manifest = Manifest.load(args.features, config.audio, config.f0)
    speakers = tuple(
        replace(_measured(args.features, manifest, speaker), credit=args.credit)
        for speaker in config.speakers
    )
    config = replace(config, speakers=speakers)
    voice = VoiceModel(config)
    voice.encoder.load_state_dict(part(load_start(args.content), "encoder."))
    for index, speaker in enumerate(speakers if config.content.bank_size else ()):
        own = [u for u in manifest.utterances if u.speaker == speaker.name]
        size = config.content.bank_size
        voice.bank.units[index] = speaker_units(voice.encoder, args.features, own, size)
    voice.denoiser.load_state_dict(_denoiser(args.denoiser))
    voice.vocoder.load_state_dict(part(load_start(args.vocoder), "vocoder."))
    # level and spectrum are measured without them
    finished = zip(_audible(voice, args.features, manifest), sharpness, shares, strict=True)
    speakers = tuple(
        replace(speaker, sharpness=sharp, retrieval_share=share)
        for speaker, sharp, share in finished
    )
    voice.config = replace(config, speakers=speakers)
    voice.save(args.target)


def _each(
    speakers: Sequence[str], option: str, values: Sequence[float] | None, otherwise: float
) -> Sequence[float]:
    """One value a speaker."""
    if not values:
        return [otherwise] * len(speakers)
    if len(values) != len(speakers):
        raise VoiceChangerError(
            f"{option} needs one value a speaker ({len(speakers)}), got {len(values)}"
        )
    return values


def part(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one part of a trained network, under their own names."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _denoiser(run: Path) -> dict[str, Tensor]:
    """The denoiser of a voice or a run, trained by itself or polished together with a vocoder."""
    weights = load_start(run)
    return part(weights, "denoiser.") or weights


def _spoken(run: Path) -> dict[str, Tensor]:
    """The vocoder and its critics, of a run of its own or of a polish."""
    weights = load_start(run)
    return {k: v for k, v in weights.items() if k.startswith(("vocoder.", "critics."))}


def voice_config(name: str, speakers: Sequence[str]) -> VoiceConfig:
    """The default voice with these targets."""
    if not speakers:
        return VoiceConfig(name=name)
    return VoiceConfig(name=name, speakers=tuple(Speaker(speaker) for speaker in speakers))


def _audible(voice: VoiceModel, features: Path, manifest: Manifest) -> tuple[Speaker, ...]:
    """The speakers, with level and spectrum that must be asked for so that their own come out.

    Networks that learn from log spectra speak about 1 dB softer than they are told.
    """
    speakers = []
    hop = voice.config.audio.hop_length
    for index, speaker in enumerate(voice.config.speakers):
        own = [u for u in manifest.utterances if u.speaker == speaker.name]
        weights = tuple(float(i == index) for i in range(len(voice.config.speakers)))
        params = VoiceParams(speakers=weights, pitch_shift=0.0, level_shift=0.0)
        short = []
        for utterance in own[:: max(len(own) // _LEVEL_RECORDINGS, 1)]:
            wave = load_wave(features, utterance)
            said = torch.from_numpy(convert(voice, wave, params))[None]
            told = loudness(torch.from_numpy(wave)[None], hop)[0]
            _, voiced = load_f0(features, utterance)
            heard = torch.from_numpy(voiced[: len(told)]) & (told > _AUDIBLE_DB)
            short.append((told - loudness(said, hop)[0])[heard].mean())
        if speaker.level_db is not None:
            waves = (load_wave(features, u) for u in own[:: max(len(own) // RECORDINGS, 1)])
            spectrum = asked_spectrum(voice, params, waves, speaker.level_db)
            level = round(speaker.level_db + float(torch.stack(short).nanmean()), 1)
            speaker = replace(speaker, level_db=level, spectrum_db=spectrum)
        speakers.append(speaker)
    return tuple(speakers)


def _measured(features: Path, manifest: Manifest, speaker: Speaker) -> Speaker:
    """With the median f0 and the level of the speaker's voiced frames."""
    own = [u for u in manifest.utterances if u.speaker == speaker.name]
    if not own:
        raise VoiceChangerError(f"no recordings of {speaker.name} in {features}")
    hop = VoiceConfig().audio.hop_length
    pitches, levels, voices = [], [], []
    for utterance in own:
        f0, voiced = load_f0(features, utterance)
        level = loudness(torch.from_numpy(load_wave(features, utterance))[None], hop)[0]
        pitches.append(f0[voiced])
        levels.append(level[: len(voiced)])
        voices.append(torch.from_numpy(voiced[: len(level)]))
    level_db = speech_level(torch.cat(levels), torch.cat(voices))
    return replace(
        speaker,
        f0_median=round(float(np.median(np.concatenate(pitches))), 1),
        level_db=None if level_db is None else round(level_db, 1),
    )
