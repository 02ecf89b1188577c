"""`moksori convert IN ... OUT`: its options, and one file or many."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import VoiceChangerError, say
from core.wish import add_change_options, add_stream_options, add_voice_option, native_wish

if TYPE_CHECKING:
    from offline.convert import Converted, Progress
    from offline.convert_jobs import ConvertGroup
    from offline.import_voice import FileConverter


def add_convert_command(commands: Any) -> None:
    """Adds `convert` to the command line's table."""
    words = "convert audio files or folders"
    convert = commands.add_parser("convert", help=words, description=words)
    convert.set_defaults(command=_convert)
    convert.add_argument("sources", nargs="+", type=Path, metavar="IN", help="files or folders")
    convert.add_argument("target", type=Path, metavar="OUT", help="a file, or a folder for several")
    convert.add_argument(
        "--like-live", action="store_true", help="as a listener hears it live, block by block"
    )
    convert.add_argument(
        "--exact", action="store_true", help="imported voices: as the original, its bugs included"
    )
    convert.add_argument("--json", action="store_true", help="one line of JSON for each file")
    convert.add_argument("--jobs", type=int, default=1, help="processes, for many files")
    convert.add_argument("--cluster", metavar="ADDRESS", help="of a Ray cluster, for very many")
    convert.add_argument(
        "--skip-done", action="store_true", help="leave out files whose result is newer than they"
    )
    add_change_options(convert)
    add_voice_option(convert)
    add_stream_options(convert)


def _convert(args: argparse.Namespace) -> int:
    from core.audio import AudioReader, check_writable, make_folder
    from offline.convert import plan_targets
    from offline.convert_jobs import is_done

    pairs = plan_targets(args.sources, args.target)
    one_by_name = len(pairs) == 1 and not args.sources[0].is_dir()
    if args.skip_done:
        pairs = [pair for pair in pairs if not is_done(*pair)]
        if not pairs:
            say("every file is done already")
            return 0
    if one_by_name:
        check_writable(pairs[0][1], [pairs[0][0]])
        AudioReader(pairs[0][0]).close()
    if len(pairs) > 1 and (args.cluster or args.jobs > 1 or _takes_several(args)):
        return _convert_many(pairs, args)
    convert = _converter(args)
    failed = []
    for source, target in pairs:
        try:
            if not one_by_name:
                make_folder(target.parent)
            _convert_one(convert, source, target, args)
        except VoiceChangerError as error:
            if len(pairs) == 1:
                raise
            failed.append(source)
            _tell_failed(source, target, error, args)
    return _tell_all(failed, len(pairs))


def _takes_several(args: argparse.Namespace) -> bool:
    """Whether the voice of the options converts several files in one pass."""
    from core.voice import NATIVE, find_voice, kind_of, read_metadata

    return not args.like_live and kind_of(read_metadata(find_voice(args.voice))) == NATIVE


def _convert_many(pairs: Sequence[tuple[Path, Path]], args: argparse.Namespace) -> int:
    from functools import partial

    from core.audio import make_folder
    from core.voice import find_voice
    from offline.convert import Converted
    from offline.convert_many import convert_many

    for folder in {target.parent for _, target in pairs}:
        make_folder(folder)
    if args.cluster and not find_voice(args.voice).is_absolute():
        args.voice = str(find_voice(args.voice).resolve())  # workers are elsewhere
    failed = []
    make = partial(_group_converter, args)
    for source, target, outcome in convert_many(pairs, make, args.jobs, args.cluster):
        if isinstance(outcome, Converted):
            _tell_converted(outcome, args)
        else:
            failed.append(source)
            _tell_failed(source, target, outcome, args)
    return _tell_all(failed, len(pairs))


def _group_converter(args: argparse.Namespace) -> ConvertGroup:
    """What converts several files, together where it can."""
    from functools import partial

    from offline.convert_together import convert_group, one_by_one

    if not _takes_several(args):
        convert = _converter(args)
        return partial(
            one_by_one, lambda source, target: convert(source, target, lambda done: None)
        )
    wish = native_wish(args)
    return partial(convert_group, wish.load(), params=wish.params, stream=wish.stream)


def _tell_failed(source: Path, target: Path, error: Exception, args: argparse.Namespace) -> None:
    say(str(error))
    if args.json:
        record = {"source": str(source), "target": str(target), "error": str(error)}
        print(json.dumps(record, ensure_ascii=False), flush=True)


def _tell_all(failed: Sequence[Path], count: int) -> int:
    if failed:
        names = ", ".join(str(source) for source in failed)
        say(f"{len(failed)} of {count} files failed: {names}")
    return 1 if failed else 0


def _converter(args: argparse.Namespace) -> FileConverter:
    """What converts one file with the voice of the options, native or imported."""
    from core.voice import NATIVE, find_voice, kind_of, read_metadata
    from offline.convert import convert_file

    path = find_voice(args.voice)
    if kind_of(read_metadata(path)) != NATIVE:
        from offline.import_voice import foreign_converter

        return foreign_converter(path, args)
    wish = native_wish(args)
    voice = wish.load()

    def convert(source: Path, target: Path, progress: Progress) -> Converted:
        return convert_file(
            voice, source, target, wish.params, wish.stream, args.like_live, progress
        )

    return convert


def _convert_one(
    convert: FileConverter, source: Path, target: Path, args: argparse.Namespace
) -> None:
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc=source.name, disable=None, leave=False, bar_format=form) as bar:
        done = convert(source, target, lambda share: bar.update(share - bar.n))
    _tell_converted(done, args)


def _tell_converted(done: Converted, args: argparse.Namespace) -> None:
    if done.clipped:
        say(
            f"warning: {done.source} is clipped ({done.clipped} samples at full scale);"
            " record it at a lower level for a cleaner voice"
        )
    speed = done.seconds / max(done.compute_seconds, 1e-9)
    if args.json:
        table = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(done).items()}
        print(json.dumps({**table, "speed": round(speed, 3)}, ensure_ascii=False), flush=True)
    else:
        print(f"{done.target}  {done.seconds:.2f} s, {speed:.1f} x real time", flush=True)
