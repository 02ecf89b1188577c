"""`moksori recipe ...`: the steps that made the embedded voice, one network each.

docs/embedded-voice.md calls them. Voices of one's own are the studio's (`offline/studio`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_recipe_commands(commands: Any) -> None:
    """Adds `recipe` and the commands below it to the command line's table."""
    words = "train the embedded voice again, one network a command"
    parser = commands.add_parser("recipe", help=words, description=words)
    recipe = parser.add_subparsers(title="steps", required=True, metavar="STEP")

    preprocess = _add(recipe, "preprocess", _preprocess, "audio folder -> training features")
    preprocess.add_argument(
        "data", type=Path, help="folder; each recording's folder is its speaker"
    )
    preprocess.add_argument("features", type=Path, help="folder to write")
    preprocess.add_argument("--hold-out", nargs="*", default=[], metavar="SPEAKER")
    preprocess.add_argument(
        "--f0-speakers", nargs="*", default=[], metavar="SPEAKER", help="only these need pitch"
    )

    train = _add(recipe, "train", _train, "train one network, or resume it")
    train.add_argument("network", choices=("content", "denoiser", "vocoder", "judges", "polish"))
    train.add_argument("features", type=Path, help="folder that preprocess wrote")
    train.add_argument("run", type=Path, help="folder of the training's state")
    train.add_argument("--minutes", type=float, default=60.0)
    train.add_argument("--rate", type=float, help="highest learning rate; else the network's own")
    train.add_argument("--threads", type=int, default=1)
    train.add_argument(
        "--start", type=Path, metavar="RUN", help="begin with the weights of a run or a voice file"
    )
    train.add_argument(
        "--alignments", nargs="+", type=Path, default=[], help="content: tables of aligned phones"
    )
    train.add_argument(
        "--more",
        nargs="+",
        action="append",
        default=[],
        metavar="PATH",
        help="content: another feature folder, then its tables",
    )
    train.add_argument("--noise", type=Path, help="all but vocoder: folder of noises to mix in")
    train.add_argument(
        "--others",
        nargs="+",
        type=Path,
        default=[],
        metavar="FEATURES",
        help="denoiser, polish: the same recordings in other disguises",
    )
    train.add_argument(
        "--sung", type=Path, metavar="FEATURES", help="denoiser, polish: copies, too"
    )
    train.add_argument(
        "--validation", nargs="*", default=[], metavar="SPEAKER", help="content: never learned from"
    )
    train.add_argument("--content", type=Path, metavar="RUN", help="denoiser: the encoder's run")
    train.add_argument("--denoiser", type=Path, metavar="RUN", help="polish: begin with that one")
    train.add_argument("--vocoder", type=Path, metavar="RUN", help="polish: begin with that one")
    train.add_argument("--judges", type=Path, metavar="RUN", help="polish: convert others, too")
    train.add_argument("--speakers", nargs="+", default=[], help="all but content: the targets")
    train.add_argument("--shares", nargs="+", type=float, help="denoiser: of each target")
    train.add_argument(
        "--objective",
        choices=("edm", "consistency", "regression"),
        default="edm",
        help="denoiser: what it learns",
    )
    train.add_argument(
        "--adversarial-after", type=int, metavar="STEP", help="vocoder: when the critics join"
    )

    export = _add(recipe, "export", _export, "three trained networks -> one voice file")
    export.add_argument("features", type=Path)
    export.add_argument("target", type=Path, metavar="VOICE.safetensors")
    for network in ("content", "denoiser", "vocoder"):
        words = "its training, or a voice file"
        export.add_argument(f"--{network}", type=Path, required=True, metavar="RUN", help=words)
    export.add_argument("--name", default="embedded")
    export.add_argument("--credit", default="", help="whose voices these are, and their licence")
    export.add_argument("--speakers", nargs="+", required=True)
    export.add_argument(
        "--sharpness", nargs="+", type=float, help="of each speaker's formants (default: 0)"
    )
    export.add_argument(
        "--retrieval-share", nargs="+", type=float, help="of each speaker (default: 1)"
    )


def _add(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], words: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def _preprocess(args: argparse.Namespace) -> int:
    from core.config import VoiceConfig
    from offline.preprocess import preprocess

    config = VoiceConfig()
    manifest = preprocess(
        args.data, args.features, config.audio, config.f0, args.hold_out, args.f0_speakers
    )
    hours = sum(u.samples for u in manifest.utterances) / config.audio.sample_rate / 3600
    print(f"{len(manifest.utterances)} recordings, {hours:.2f} h")
    return 0


def _train(args: argparse.Namespace) -> int:
    from offline.recipe import make_task
    from offline.train import TrainConfig, train

    task, rate = make_task(args)
    config = TrainConfig(
        minutes=args.minutes, threads=args.threads, learning_rate=args.rate or rate
    )
    state = train(task, args.run, config, args.start)
    print(f"{state.step} steps in {state.minutes:.0f} minutes, state in {args.run}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from offline.recipe import export_voice

    export_voice(args)
    print(args.target)
    return 0
