"""The command line: sub-commands whose heavy imports happen when they are used.

Results go to stdout, words to stderr; an error a user can mend is one line and exit code 1.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline.recipe_commands import add_recipe_commands
from offline.studio.commands import add_studio_commands
from realtime.options import add_latency_options, add_live_options

if TYPE_CHECKING:
    from core.config import StreamConfig, VoiceConfig, VoiceParams
    from core.diff_svc.config import ForeignConfig
    from core.diff_svc.wish import ForeignWish
    from core.streaming.converter import StreamingConverter
    from core.voice import VoiceModel
    from offline.convert import Converted, Progress
    from offline.convert_jobs import ConvertGroup
    from offline.import_voice import FileConverter

Command = Callable[[argparse.Namespace], int]
_WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
"""How long threads of OpenMP wait for each other awake: turns with GNU's, ms with Intel's.

As long as they choose, a conversion takes ten times its time beside a busy core (docs/latency.md).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code."""
    for name, value in _WAITING.items():  # read when torch is loaded, which nothing has done yet
        os.environ.setdefault(name, value)
    args = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name the terminal cannot show is no failure
            stream.reconfigure(errors="backslashreplace")
    from core.errors import VoiceChangerError

    command: Command = args.command
    try:
        with _ended_in_order():
            code = command(args)
            sys.stdout.flush()
            return code
    except VoiceChangerError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; `voices import ...` is a command of its own, named by two words."""
    words = list(arguments)
    if words[:2] == ["voices", "import"]:
        words[:2] = ["voices import"]
    return build_parser().parse_args(words or ["gui"])


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: files completed or dropped, devices closed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    from realtime.run import signals

    with signals({signal.SIGTERM: interrupt}):
        yield


def _say(words: str) -> None:
    print(f"moksori: {words}", file=sys.stderr, flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Every command and option."""
    parser = argparse.ArgumentParser(
        prog="moksori", description="A real-time streaming voice changer, live and for files."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    gui = _add(commands, "gui", _gui, "open the app (also without any command)")
    gui.add_argument("--loopback", type=Path, metavar="FILE", help="hear a file, not a microphone")

    demo = _add(commands, "demo", _demo, "hear the packaged recording changed by the live engine")
    demo.add_argument("--output", type=Path, default=Path("moksori-demo"), help="folder")
    _change_options(demo)
    _voice_options(demo)
    _stream_options(demo)

    convert = _add(commands, "convert", _convert, "convert audio files or folders")
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
    _change_options(convert)
    _voice_options(convert)
    _stream_options(convert)

    live = _add(commands, "live", _live, "microphone to speaker, until Ctrl-C")
    add_live_options(live)
    _change_options(live)
    _voice_options(live)
    _stream_options(live)

    latency = _add(commands, "latency", _latency, "measure speech to sound with chirps")
    add_latency_options(latency)
    _voice_options(latency)
    _stream_options(latency)

    tune = _add(commands, "tune", _tune, "find the least latency this machine can hold")
    tune.add_argument("--seconds", type=float, default=20.0, help="to measure for")
    tune.add_argument("--json", action="store_true")
    _voice_options(tune)
    _stream_options(tune)

    virtual = _add(commands, "virtual", _virtual, "a microphone that other programs can choose")
    virtual.add_argument("action", choices=("create", "remove", "status"))

    devices = _add(commands, "devices", _devices, "list audio devices")
    devices.add_argument("--json", action="store_true")

    doctor = _add(commands, "doctor", _doctor, "what is installed, what is missing, how to mend it")
    doctor.add_argument("--json", action="store_true")

    voices = _add(commands, "voices", _voices, "list the voices, or look into one")
    voices.add_argument("voice", nargs="?", help="name or file")
    voices.add_argument("--json", action="store_true")

    imports = _add(commands, "voices import", _import_voice, "bring a voice of another program")
    imports.add_argument(
        "family", choices=("diff-svc", "diffusion-svc"), help="what it was made with"
    )
    imports.add_argument("checkpoint", type=Path, metavar="CKPT", help="the weights")
    imports.add_argument("--config", type=Path, help="its config.yaml (default: the one beside it)")
    imports.add_argument("--hubert", type=Path, help="hubert_soft.pt (default: as in the config)")
    imports.add_argument("--vocoder", type=Path, help="folder or file (default: as in the config)")
    imports.add_argument("--name", help="for --voice (default: the checkpoint's folder)")
    imports.add_argument("--exact", action="store_true", help="always convert as the original does")
    imports.add_argument(
        "--quick", action="store_true", help="fit no sampler to it: later conversions take longer"
    )

    bench = _add(commands, "bench", _bench, "latency, speed and streaming errors on this machine")
    bench.add_argument("--threads", type=int, default=1, help="of the live path")
    bench.add_argument("--json", action="store_true")
    _voice_options(bench)
    _stream_options(bench)

    add_studio_commands(commands)
    add_recipe_commands(commands)
    return parser


def _add(commands: Any, name: str, command: Command, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def _voice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--voice", default="embedded", help="name, or a voice file")


def _change_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shift",
        type=number_or_auto,
        metavar="SEMITONES",
        help="up (or down), or auto: from your median pitch to the speaker's (default: auto)",
    )
    parser.add_argument(
        "--formant", type=float, metavar="SEMITONES", help="a smaller throat, below 0 a larger one"
    )
    parser.add_argument(
        "--level",
        type=number_or_auto,
        metavar="DB",
        help="louder (or softer) than you, or auto: as loud as the speaker (default: auto)",
    )
    parser.add_argument(
        "--speaker",
        metavar="NAME[:WEIGHT,...]",
        help="one of the voice's speakers, or a mix such as kathleen:0.6,flemishguy:0.4",
    )
    parser.add_argument(
        "--retrieval",
        type=float,
        help="how far to move to the target's own sounds, 0 to 2 (less keeps more of the accent)",
    )
    parser.add_argument(
        "--clarity",
        type=float,
        help="how far to move to the phone each sound is most like, 0 to 100 (default: 10)",
    )
    parser.add_argument("--gain-db", type=float, help="output gain")
    parser.add_argument("--gate-db", type=float, help="silent below this input level")


def number_or_auto(text: str) -> float | None:
    """A number, or None for `auto`."""
    return None if text == "auto" else float(text)


def _stream_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, help="of the sampler (default: the voice's)")
    parser.add_argument("--sampler", help="by name; a wrong one lists all (default: the voice's)")
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        help="of an imported voice's networks (default: the fastest that holds)",
    )
    parser.add_argument(
        "--compute", help="an imported voice's networks on: cpu, cuda, cuda:1 (default: a card)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument(
        "--low-latency", action="store_true", help="live: the least delay, for a faster computer"
    )
    parser.add_argument("--block-ms", type=float, help="live block, whole frames (default: 35)")
    parser.add_argument(
        "--lookahead-ms",
        type=float,
        help="what is heard ahead, of the lengths a voice was trained for (default: the voice's)",
    )


@dataclass(frozen=True)
class _Wish:
    """What the options ask of a voice, checked before anything slow is loaded."""

    path: Path
    config: VoiceConfig
    stream: StreamConfig
    params: VoiceParams
    threads: int = 1

    def load(self) -> VoiceModel:
        from core.voice import VoiceModel

        return VoiceModel.load(self.path)

    def converter(self) -> StreamingConverter:
        """The voice as a block processor."""
        from core.streaming.converter import StreamingConverter

        return StreamingConverter(self.load(), self.stream, self.params)


def _wish(args: argparse.Namespace) -> _Wish:
    """Of a voice of moksori; an imported one is an error."""
    wish = _live_wish(args)
    if not isinstance(wish, _Wish):
        raise wish.refusal()
    return wish


def _live_wish(args: argparse.Namespace) -> _Wish | ForeignWish:
    from core.config import VoiceParams
    from core.diff_svc.wish import foreign_wish
    from core.diffusion.samplers import get_sampler
    from core.errors import ConfigError
    from core.voice import NATIVE, find_voice, kind_of, read_config, read_metadata

    path = find_voice(args.voice)
    if kind_of(read_metadata(path)) != NATIVE:
        return foreign_wish(path, args)
    if args.sampler is not None:
        get_sampler(args.sampler)
    if args.precision is not None:
        raise ConfigError("--precision is for imported voices; leave it out")
    if args.compute is not None:
        raise ConfigError("--compute is for imported voices; leave it out")
    config = read_config(path)
    stream = _stream(args, config)
    if not hasattr(args, "speaker"):  # bench and latency measure the voice as it is
        return _Wish(path, config, stream, VoiceParams())
    wishes = {
        "pitch_shift": args.shift,
        "formant": args.formant,
        "level_shift": args.level,
        "gate_db": args.gate_db,
        "gain_db": args.gain_db,
        "retrieval": args.retrieval,
        "clarity": args.clarity,
        "speakers": config.mix(args.speaker) if args.speaker else None,
    }
    params = VoiceParams(**{key: value for key, value in wishes.items() if value is not None})
    threads = os.cpu_count() or 1 if config.content.source else 1  # windows are long blocks
    return _Wish(path, config, stream, params, threads)


def _stream(args: argparse.Namespace, config: VoiceConfig) -> StreamConfig:
    from core.config import LOW_LATENCY
    from core.errors import ConfigError
    from core.streaming.plan import block_frames_from_ms, delay_from_ms, live_stream

    stream = LOW_LATENCY if args.low_latency else live_stream(config)
    if args.low_latency and (args.block_ms is not None or args.lookahead_ms is not None):
        raise ConfigError(
            "--low-latency chooses block and lookahead; leave out --block-ms and --lookahead-ms"
        )
    if args.block_ms is not None:
        block_frames = block_frames_from_ms(config.audio, args.block_ms)
        stream = replace(stream, block_frames=block_frames)
    if args.lookahead_ms is not None:
        delay = delay_from_ms(config.audio, config.content, args.lookahead_ms)
        stream = replace(stream, lookahead_frames=delay)
    config.content.delay(stream.lookahead_frames)
    return replace(stream, steps=args.steps, sampler=args.sampler, seed=args.seed)


def _live_threads(count: int = 1) -> None:
    from core.threads import use_threads

    use_threads(count)


def _gui(args: argparse.Namespace) -> int:
    from gui.app import run

    return run(args.loopback)


def _demo(args: argparse.Namespace) -> int:
    from core.audio import load_mono, make_folder, save_audio
    from core.streaming.meter import StageMeter
    from core.voice import VOICES_FOLDER
    from realtime.loopback import LoopbackBackend
    from realtime.run import play
    from realtime.session import LiveSession

    make_folder(args.output)
    original, converted = args.output / "original.wav", args.output / "converted.wav"
    source = VOICES_FOLDER / "demo.flac"
    backend = LoopbackBackend(source, converted, clock="real")
    wish = _live_wish(args)
    save_audio(original, *load_mono(source))
    _live_threads(wish.threads)
    converter = wish.converter()
    meter = StageMeter(converter)
    session = LiveSession(meter, backend, params=wish.params)
    _say("streaming the packaged recording at its own speed ...")
    play(session, None, _say)
    stats, parts = session.stats, session.stats.latency
    if stats.bypassed_blocks:
        _say("this machine is too busy for that now; once more, as fast as it can ...")
        converter.reset()
        again = LoopbackBackend(source, converted, clock="virtual")
        play(LiveSession(converter, again, params=wish.params), None, _say)
    speaker = args.speaker or wish.config.speakers[0].name
    print(f"voice              {wish.config.name} ({speaker})")
    by_itself = isinstance(wish, _Wish) and wish.params.pitch_shift is None
    automatic = ", automatic, at its end" if by_itself else ""
    print(f"pitch shift        {converter.pitch_shift:+.1f} semitones{automatic}")
    print(f"block              {parts.block_ms:.1f} ms")
    print(f"declared latency   {parts.algorithmic_ms:.1f} ms, the block included", end="")
    print(f" ({parts.total_ms:.1f} ms with resampling and cushion)")
    print(f"real-time factor   {stats.rtf:.2f}")
    for stage, (p50, p95, p99) in meter.quantiles().items():
        name = "whole block" if stage == "block" else stage
        print(f"{name:<18} p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f} ms")
    print(f"underruns          {stats.xruns}")
    print(f"original           {original}")
    print(f"converted          {converted}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    from core.audio import AudioReader, check_writable, make_folder
    from core.errors import VoiceChangerError
    from offline.convert import plan_targets
    from offline.convert_jobs import is_done

    pairs = plan_targets(args.sources, args.target)
    one_by_name = len(pairs) == 1 and not args.sources[0].is_dir()
    if args.skip_done:
        pairs = [pair for pair in pairs if not is_done(*pair)]
        if not pairs:
            _say("every file is done already")
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
    wish = _wish(args)
    return partial(convert_group, wish.load(), params=wish.params, stream=wish.stream)


def _tell_failed(source: Path, target: Path, error: Exception, args: argparse.Namespace) -> None:
    _say(str(error))
    if args.json:
        record = {"source": str(source), "target": str(target), "error": str(error)}
        print(json.dumps(record, ensure_ascii=False), flush=True)


def _tell_all(failed: Sequence[Path], count: int) -> int:
    if failed:
        names = ", ".join(str(source) for source in failed)
        _say(f"{len(failed)} of {count} files failed: {names}")
    return 1 if failed else 0


def _converter(args: argparse.Namespace) -> FileConverter:
    """What converts one file with the voice of the options, native or imported."""
    from core.voice import NATIVE, find_voice, kind_of, read_metadata
    from offline.convert import convert_file

    path = find_voice(args.voice)
    if kind_of(read_metadata(path)) != NATIVE:
        from offline.import_voice import foreign_converter

        return foreign_converter(path, args)
    wish = _wish(args)
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
        _say(
            f"warning: {done.source} is clipped ({done.clipped} samples at full scale);"
            " record it at a lower level for a cleaner voice"
        )
    speed = done.seconds / max(done.compute_seconds, 1e-9)
    if args.json:
        table = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(done).items()}
        print(json.dumps({**table, "speed": round(speed, 3)}, ensure_ascii=False), flush=True)
    else:
        print(f"{done.target}  {done.seconds:.2f} s, {speed:.1f} x real time", flush=True)


def _as_tuned(wish: _Wish, args: argparse.Namespace) -> _Wish:
    """With the block and threads that `moksori tune` has found, unless the options choose a block,
    steps or a file.
    """
    from realtime.settings import load_tuned

    chosen = args.block_ms, args.lookahead_ms, args.steps, args.sampler
    if args.low_latency or args.backend == "loopback" or any(c is not None for c in chosen):
        return wish
    tuned = load_tuned(wish.config.name)
    if tuned is None:
        return wish
    stream = replace(wish.stream, block_frames=tuned.block_frames)
    return replace(wish, stream=stream, threads=tuned.threads)


def _tune(args: argparse.Namespace) -> int:
    from core.audio import load_mono
    from core.streaming.converter import StreamingConverter
    from core.voice import VOICES_FOLDER
    from realtime.tune import tune

    wish = _wish(args)
    voice = wish.load()
    wave = load_mono(VOICES_FOLDER / "demo.flac", wish.config.audio.sample_rate)[0]

    def make(block_frames: int, threads: int) -> StreamingConverter:
        _live_threads(threads)
        return StreamingConverter(voice, replace(wish.stream, block_frames=block_frames))

    tune(wish.config.name, make, wave, args, _say)
    return 0


def _live(args: argparse.Namespace) -> int:
    from realtime.run import advise, announcer, check_options, opened, play
    from realtime.sound import SoundParams
    from realtime.stats import figures

    check_options(args)
    sound = SoundParams(input_gain_db=args.input_gain_db, ceiling_db=args.ceiling_db)
    wish = _live_wish(args)
    wish = _as_tuned(wish, args) if isinstance(wish, _Wish) else wish
    with opened(args, wish.config.audio.sample_rate) as (backend, words):
        from realtime.session import LiveSession
        from realtime.suppress import Suppressed

        _live_threads(wish.threads)
        converter = wish.converter()
        session = LiveSession(
            Suppressed(converter) if args.suppress_noise else converter,
            backend,
            params=wish.params,
            sound=sound,
            bypass=args.bypass,
            on_event=announcer(_say),
            record=args.record,
            record_input=args.record_input,
        )
        play(session, args.seconds, _say, f"{words}; Ctrl-C ends")
    table = figures(session.stats)
    if args.json:
        print(json.dumps(table))
    else:
        for key, value in table.items():
            print(f"{key:<16} {value}")
    advise(session.stats, _say)
    if session.recording_error is not None:
        raise session.recording_error
    return 0


def _latency(args: argparse.Namespace) -> int:
    from realtime.latency import describe, report

    wish = _live_wish(args)
    _live_threads(wish.threads)
    parts = report(wish.converter(), args)
    if args.json:
        print(json.dumps({name: asdict(part) for name, part in parts.items()}))
    else:
        print("\n".join(describe(parts)))
    return 0


def _virtual(args: argparse.Namespace) -> int:
    from realtime.virtual import act

    print(act(args.action))
    return 0


def _devices(args: argparse.Namespace) -> int:
    from realtime.devices import by_host_api
    from realtime.portaudio import list_devices

    devices = list_devices(probe=True)
    if args.json:
        print(json.dumps([asdict(device) for device in devices], ensure_ascii=False))
        return 0
    for api, group in by_host_api(devices).items():
        print(api)
        for device in group:
            marks = [" default input"] * device.default_input
            marks += [" default output"] * device.default_output
            print(
                f"  {device.index:>3}  {device.name}  in {device.input_channels}"
                f"  out {device.output_channels}  {'/'.join(map(str, device.rates))} Hz"
                f"  {device.id}{','.join(marks)}"
            )
    if not devices:
        _say("no audio devices found; plug one in or start the sound server")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from core.doctor import Finding, Sound, diagnose
    from realtime.portaudio import list_devices, portaudio_version
    from realtime.priority import raise_priority
    from realtime.remedy import portaudio_remedy

    def look_at_sound() -> Sound:
        devices = list_devices()
        inputs = sum(device.input_channels > 0 for device in devices)
        outputs = sum(device.output_channels > 0 for device in devices)
        return Sound(portaudio_version(), inputs, outputs)

    findings = diagnose(look_at_sound, portaudio_remedy())
    asked = raise_priority()
    findings.append(Finding("priority", asked.granted, asked.words, asked.remedy, needed=False))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "MISS" if finding.needed else "-   "
            print(f"{mark} {finding.what:<12} {finding.state}")
            if finding.remedy:
                print(f"     {'':<12} -> {finding.remedy}")
    return 0 if all(finding.ok or not finding.needed for finding in findings) else 1


def _voices(args: argparse.Namespace) -> int:
    from core.config import to_dict
    from core.errors import VoiceFileError
    from core.voice import embedded_voices, find_voice, imported_voices

    if args.voice is None:
        found: dict[str, VoiceConfig | ForeignConfig] = {}
        for name, path in {**imported_voices(), **embedded_voices()}.items():
            try:
                found[name] = _config_of(path)
            except VoiceFileError as error:  # one broken file must not hide the others
                _say(str(error))
        if args.json:
            table = {name: to_dict(config) for name, config in found.items()}
            print(json.dumps(table, ensure_ascii=False))
            return 0
        for name, config in found.items():
            print(f"{name}: {_in_brief(config)}")
        if not found:
            _say("no voice is installed; give the path of a voice file with --voice FILE")
        return 0
    path = find_voice(args.voice)
    config = _config_of(path)
    if args.json:
        print(json.dumps({"path": str(path), "config": to_dict(config)}, ensure_ascii=False))
        return 0
    print(f"{config.name}  {path}  {path.stat().st_size / 2**20:.1f} MiB")
    for line in _in_detail(config):
        print(f"  {line}")
    return 0


def _config_of(path: Path) -> VoiceConfig | ForeignConfig:
    from core.diff_svc.foreign import read_foreign_config
    from core.voice import NATIVE, kind_of, read_config, read_metadata

    native = kind_of(read_metadata(path)) == NATIVE
    return read_config(path) if native else read_foreign_config(path)


def _in_brief(config: VoiceConfig | ForeignConfig) -> str:
    from core.config import VoiceConfig

    if isinstance(config, VoiceConfig):
        return ", ".join(speaker.name for speaker in config.speakers)
    return f"{config.family}, trained {config.step} steps"


def _in_detail(config: VoiceConfig | ForeignConfig) -> list[str]:
    from core.config import VoiceConfig

    if not isinstance(config, VoiceConfig):
        from offline.import_voice import describe_foreign

        return describe_foreign(config)
    audio = config.audio
    return [
        *(
            f"{speaker.name}: median pitch {speaker.f0_median:.0f} Hz. {speaker.credit}".rstrip()
            for speaker in config.speakers
        ),
        f"{audio.sample_rate} Hz, hop {audio.hop_length}, {config.mel.n_mels} mel bins",
        f"content {' '.join(_hears(config))}, f0 {config.f0.estimator}, sampler {config.sampler},"
        f" {config.steps} steps",
    ]


def _hears(config: VoiceConfig) -> list[str]:
    content = config.content
    layer = [] if content.layer is None else [f"layer {content.layer}"]
    return [content.encoder, *layer, *([f"from {content.source}"] if content.source else [])]


def _import_voice(args: argparse.Namespace) -> int:
    from offline.import_voice import import_voice

    print("\n".join(import_voice(args, _say)))
    return 0


def _bench(args: argparse.Namespace) -> int:
    from offline.bench import bench, bench_foreign, describe

    wish = _live_wish(args)
    if isinstance(wish, _Wish):
        figures = bench(wish.load(), wish.stream, args.threads)
    else:
        figures = bench_foreign(wish.converter(), args.threads)
    print(json.dumps(figures) if args.json else "\n".join(describe(figures)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
