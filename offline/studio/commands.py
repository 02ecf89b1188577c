"""`moksori new|preprocess|train|export|evaluate NAME`: options, and what they run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_studio_commands(commands: Any) -> None:
    """Adds the studio's commands to the command line's table."""
    new = _add(commands, "new", _new, "begin a voice of your own: a project with its settings")
    new.add_argument("--recordings", type=Path, required=True, metavar="DIR", help="your audio")

    preprocess = _add(commands, "preprocess", _preprocess, "recordings of a project -> features")
    preprocess.add_argument("--workers", type=int, help="processes (default: one a core)")
    preprocess.add_argument("--cluster", metavar="ADDRESS", help="of a Ray cluster, in their place")
    preprocess.add_argument("--json", action="store_true", help="one line of JSON for each event")

    train = _add(commands, "train", _train, "adapt the voice to the project, or go on with it")
    train.add_argument("--minutes", type=float, help="in place of max_minutes")
    train.add_argument("--steps", type=int, help="in place of max_steps")
    train.add_argument(
        "--step", default="last", help="go on from that checkpoint or from best, and drop the later"
    )
    train.add_argument("--json", action="store_true", help="one line of JSON for each event")

    export = _add(commands, "export", _export, "the trained voice -> one voice file")
    export.add_argument("--step", help="a number, best or last (default: best)")
    export.add_argument("--output", type=Path, help="default: voices/NAME.safetensors")
    export.add_argument("--json", action="store_true")

    evaluate = _add(commands, "evaluate", _evaluate, "one HTML page to look at and listen to")
    evaluate.add_argument("--step", help="a number, best or last (default: as exported, or best)")
    evaluate.add_argument("--sources", nargs="+", type=Path, default=[], help="to convert, too")
    evaluate.add_argument("--output", type=Path, help="default: report.html in the project")


def _add(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], words: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.add_argument("name", metavar="NAME", help="of the project")
    parser.add_argument(
        "--projects", type=Path, default=Path("projects"), help="folder of all projects"
    )
    parser.set_defaults(command=command)
    return parser


def _new(args: argparse.Namespace) -> int:
    from offline.studio.project import SETTINGS, Project

    project = Project.create(args.projects, args.name, args.recordings)
    print(project.folder / SETTINGS)
    return 0


def _preprocess(args: argparse.Namespace) -> int:
    from core.voice import DEFAULT_VOICE, find_voice, read_config
    from offline.studio.events import teller
    from offline.studio.preprocess import preprocess
    from offline.studio.project import Project
    from offline.studio.settings import SCRATCH
    from offline.studio.units import keep_units

    project = Project.open(args.projects, args.name)
    start = project.config.train.start
    voice = read_config(find_voice(DEFAULT_VOICE if start == SCRATCH else start))
    tell = teller(args.json)
    with project.locked():
        manifest = preprocess(project, tell, args.workers, voice, args.cluster)
        keep_units(project, manifest, voice.audio, tell, args.workers, args.cluster)
    return 0


def _train(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from offline.studio.events import teller
    from offline.studio.project import Project
    from offline.studio.train import train_project

    project = Project.open(args.projects, args.name)
    changes = {"max_minutes": args.minutes, "max_steps": args.steps}
    wished = {key: value for key, value in changes.items() if value is not None}
    settings = replace(project.config.train, **wished)
    project = replace(project, config=replace(project.config, train=settings))
    train_project(project, teller(args.json), args.step)
    return 0


def _export(args: argparse.Namespace) -> int:
    from offline.studio.events import as_json
    from offline.studio.export import export_project
    from offline.studio.project import Project

    project = Project.open(args.projects, args.name)
    target, step = export_project(project, args.step or "best", args.output)
    if args.json:
        as_json({"event": "exported", "voice": str(target), "step": step})
    else:
        print(target)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from offline.studio.evaluate import evaluate_project
    from offline.studio.events import Terminal
    from offline.studio.export import export_project
    from offline.studio.project import Project

    project = Project.open(args.projects, args.name)
    if args.step or not project.voice.is_file():
        export_project(project, args.step or "best", None)
    print(evaluate_project(project, args.sources, args.output, Terminal()))
    return 0
