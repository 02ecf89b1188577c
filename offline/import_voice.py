"""The commands around imported voices: bring one in, say what it is, convert files with it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import VoiceParams
from core.diff_svc.config import SAMPLERS, ForeignConfig
from core.diff_svc.wish import load_foreign, refuse_changes
from core.errors import ConfigError, VoiceFileError, unknown_name
from core.voice import voice_path
from offline.convert import Converted, Progress

if TYPE_CHECKING:
    from core.imports.imported import Imported

FileConverter = Callable[[Path, Path, Progress], Converted]
"""(source, target, progress) -> what became of it."""


def import_voice(args: argparse.Namespace, say: Callable[[str], None] | None = None) -> list[str]:
    """Reads a foreign checkpoint, writes one voice file; what was found, a sentence a line.

    args: family, checkpoint, config, hubert, vocoder, name, exact, quick. say: is told what takes
    its time.
    """

    if args.name is not None and not re.fullmatch(r"[\w.-]+", args.name):
        raise ConfigError(
            f'--name "{args.name}" would be no good file name; expected letters, digits, dots,'
            " dashes and underscores"
        )
    voice = _read(args)
    target = voice_path(voice.config.name, voice.config.step)
    _write(target, voice)
    fitted: list[str] = []
    if not (args.quick or voice.config.exact):
        if say is not None:
            say("fitting samplers to the voice; minutes at full size, --quick leaves it out")
        fitted = _fit(target, voice)
    return [
        *voice.report,
        *fitted,
        f"written to {target}; use it with --voice {voice.config.name}",
    ]


def _write(target: Path, voice: Imported) -> None:
    from core.diff_svc.foreign import save_foreign

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_foreign(target, voice.config, voice.weights)
    except OSError as error:
        raise VoiceFileError(
            f"{target}: cannot be written ({error.strerror or error}); make room there and try"
            " again"
        ) from None


def _fit(target: Path, voice: Imported) -> list[str]:
    """Writes the voice anew with samplers fitted to it; what came of it, a sentence a line."""
    from core.diff_svc.fitting import fit_steps, with_fitted

    fitted = fit_steps(load_foreign(target, voice.config.family, "fp32", "cpu"))
    config = with_fitted(voice.config, fitted)
    _write(target, replace(voice, config=config))
    found = ", ".join(str(steps.calls) for steps in fitted.steps) or "none"
    return [
        f"samplers fitted to it: of {found} evaluations of the network;"
        f" {config.files} for files, {config.live} live"
    ]


def foreign_converter(path: Path, args: argparse.Namespace) -> FileConverter:
    """A converter for files; options that mean nothing to such a voice are errors."""
    from core.diff_svc.convert import ConvertParams
    from core.diff_svc.foreign import read_foreign_config
    from core.precision import AUTO
    from offline.convert_foreign import convert_foreign_file

    config = read_foreign_config(path)
    _refuse_foreign_options(config, args)
    params = ConvertParams(
        semitones=args.shift or 0.0,
        speedup=_speedup(config, args.steps),
        sampler=_sampler(args.sampler),
        exact=True if args.exact else None,
        gate_db=VoiceParams().gate_db if args.gate_db is None else args.gate_db,
        gain_db=args.gain_db or 0.0,
        seed=args.seed,
        speaker=_speaker(config, args.speaker),
    )
    exact = config.exact if params.exact is None else params.exact
    precision = args.precision or ("fp32" if exact else AUTO)
    voice = load_foreign(path, config.family, precision, args.compute or AUTO)

    def convert(source: Path, target: Path, progress: Progress) -> Converted:
        return convert_foreign_file(voice, source, target, params, progress)

    return convert


def describe_foreign(config: ForeignConfig) -> list[str]:
    """An imported voice in a few lines."""
    mel, pitch = config.mel, config.pitch
    return [
        f"{config.family}, trained {config.step} steps",
        f"{mel.sample_rate} Hz, hop {mel.hop_length}, {mel.n_mels} mel bins",
        f"content {config.content}, vocoder {config.vocoder}",
        f"pitch {pitch.f0_min:g} to {pitch.f0_max:g} Hz, {config.k_step} diffusion steps,"
        f" every {config.speedup}th taken",
        f"{config.files} evaluations of the network for files, {config.live} live,"
        f" {'fitted to it' if config.fitted else 'none fitted'}",
    ]


def _read(args: argparse.Namespace) -> Imported:
    from core.imports.diff_svc import import_diff_svc
    from core.imports.diffusion_svc import import_diffusion_svc

    readers = {"diff-svc": import_diff_svc, "diffusion-svc": import_diffusion_svc}
    read = readers[args.family]
    return read(args.checkpoint, args.config, args.hubert, args.vocoder, args.name, args.exact)


def _refuse_foreign_options(config: ForeignConfig, args: argparse.Namespace) -> None:
    if args.like_live:
        raise ConfigError(
            f"voice {config.name} is a {config.family} voice; --like-live is for voices of moksori;"
            " leave it out"
        )
    refuse_changes(config, args)


def _sampler(wanted: str | None) -> str | None:
    if wanted is not None and wanted not in SAMPLERS:
        raise unknown_name("sampler of imported voices", wanted, SAMPLERS)
    return wanted


def _speaker(config: ForeignConfig, wanted: str | None) -> int:
    """The number of a speaker, counted from 1."""
    if wanted is None:
        return 1
    if not wanted.isdigit() or not 1 <= int(wanted) <= config.speakers:
        raise ConfigError(
            f"voice {config.name} knows its speakers by number, 1 to {config.speakers}; got"
            f' --speaker "{wanted}"'
        )
    return int(wanted)


def _speedup(config: ForeignConfig, steps: int | None) -> int | None:
    """The stride that takes about so many steps; None for the voice's own."""
    if steps is None:
        return None
    if not 2 <= steps <= config.k_step:
        raise ConfigError(
            f"--steps must lie between 2 and {config.k_step} for this voice, got {steps}"
        )
    return max(round(config.k_step / steps), 1)
