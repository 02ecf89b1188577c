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
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import VoiceChangerError, say
from core.wish import (
    Wish,
    add_change_options,
    add_stream_options,
    add_voice_option,
    any_wish,
    native_wish,
)
from offline.convert_commands import add_convert_command
from offline.recipe_commands import add_recipe_commands
from offline.studio.commands import add_studio_commands
from offline.voices_commands import add_voices_commands
from realtime.options import add_latency_options, add_live_options

if TYPE_CHECKING:
    from core.streaming.converter import StreamingConverter

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

    command: Command = args.command
    try:
        with _ended_in_order():
            code = command(args)
            sys.stdout.flush()
            return code
    except VoiceChangerError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped")
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
    add_change_options(demo)
    add_voice_option(demo)
    add_stream_options(demo)

    add_convert_command(commands)

    live = _add(commands, "live", _live, "microphone to speaker, until Ctrl-C")
    add_live_options(live)
    add_change_options(live)
    add_voice_option(live)
    add_stream_options(live)

    latency = _add(commands, "latency", _latency, "measure speech to sound with chirps")
    add_latency_options(latency)
    add_voice_option(latency)
    add_stream_options(latency)

    tune = _add(commands, "tune", _tune, "find the least latency this machine can hold")
    tune.add_argument("--seconds", type=float, default=20.0, help="to measure for")
    tune.add_argument("--json", action="store_true")
    add_voice_option(tune)
    add_stream_options(tune)

    virtual = _add(commands, "virtual", _virtual, "a microphone that other programs can choose")
    virtual.add_argument("action", choices=("create", "remove", "status"))

    devices = _add(commands, "devices", _devices, "list audio devices")
    devices.add_argument("--json", action="store_true")

    doctor = _add(commands, "doctor", _doctor, "what is installed, what is missing, how to mend it")
    doctor.add_argument("--json", action="store_true")

    add_voices_commands(commands)

    bench = _add(commands, "bench", _bench, "latency, speed and streaming errors on this machine")
    bench.add_argument("--threads", type=int, default=1, help="of the live path")
    bench.add_argument("--json", action="store_true")
    add_voice_option(bench)
    add_stream_options(bench)

    add_studio_commands(commands)
    add_recipe_commands(commands)
    return parser


def _add(commands: Any, name: str, command: Command, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


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
    wish = any_wish(args)
    save_audio(original, *load_mono(source))
    _live_threads(wish.threads)
    converter = wish.converter()
    meter = StageMeter(converter)
    session = LiveSession(meter, backend, params=wish.params)
    say("streaming the packaged recording at its own speed ...")
    play(session, None, say)
    stats, parts = session.stats, session.stats.latency
    if stats.bypassed_blocks:
        say("this machine is too busy for that now; once more, as fast as it can ...")
        converter.reset()
        again = LoopbackBackend(source, converted, clock="virtual")
        play(LiveSession(converter, again, params=wish.params), None, say)
    speaker = args.speaker or wish.config.speakers[0].name
    print(f"voice              {wish.config.name} ({speaker})")
    by_itself = isinstance(wish, Wish) and wish.params.pitch_shift is None
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


def _as_tuned(wish: Wish, args: argparse.Namespace) -> Wish:
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

    wish = native_wish(args)
    voice = wish.load()
    wave = load_mono(VOICES_FOLDER / "demo.flac", wish.config.audio.sample_rate)[0]

    def make(block_frames: int, threads: int) -> StreamingConverter:
        _live_threads(threads)
        return StreamingConverter(voice, replace(wish.stream, block_frames=block_frames))

    tune(wish.config.name, make, wave, args, say)
    return 0


def _live(args: argparse.Namespace) -> int:
    from realtime.run import advise, announcer, check_options, opened, play
    from realtime.sound import SoundParams
    from realtime.stats import figures

    check_options(args)
    sound = SoundParams(input_gain_db=args.input_gain_db, ceiling_db=args.ceiling_db)
    wish = any_wish(args)
    wish = _as_tuned(wish, args) if isinstance(wish, Wish) else wish
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
            on_event=announcer(say),
            record=args.record,
            record_input=args.record_input,
        )
        play(session, args.seconds, say, f"{words}; Ctrl-C ends")
    table = figures(session.stats)
    if args.json:
        print(json.dumps(table))
    else:
        for key, value in table.items():
            print(f"{key:<16} {value}")
    advise(session.stats, say)
    if session.recording_error is not None:
        raise session.recording_error
    return 0


def _latency(args: argparse.Namespace) -> int:
    from realtime.latency import describe, report

    wish = any_wish(args)
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
        say("no audio devices found; plug one in or start the sound server")
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


def _bench(args: argparse.Namespace) -> int:
    from offline.bench import bench, bench_foreign, describe

    wish = any_wish(args)
    if isinstance(wish, Wish):
        figures = bench(wish.load(), wish.stream, args.threads)
    else:
        figures = bench_foreign(wish.converter(), args.threads)
    print(json.dumps(figures) if args.json else "\n".join(describe(figures)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
