"""The command line: sub-commands whose heavy imports happen when they are used.

Results go to stdout, words to stderr; an error a user can mend is one line and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.config import StreamConfig, VoiceParams
    from core.streaming.meter import StageMeter
    from core.voice import VoiceModel
    from realtime.session import LiveSession

DEMO_SHIFT = 5.0
"""Semitones from the demo's speaker (a man, median 110 Hz) to the embedded voice's first target."""

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code."""
    args = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from core.errors import VoiceChangerError

    command: Command = args.command
    try:
        return command(args)
    except VoiceChangerError as error:
        print(f"moksori: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("moksori: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Every command and option."""
    parser = argparse.ArgumentParser(
        prog="moksori", description="A real-time streaming voice changer, live and for files."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = _add(commands, "demo", _demo, "hear the packaged recording changed by the live engine")
    demo.add_argument("--output", type=Path, default=Path("moksori-demo"), help="folder")
    demo.add_argument("--speaker", help="one of the voice's speakers")
    _voice_options(demo)
    _stream_options(demo)

    convert = _add(commands, "convert", _convert, "convert audio files or folders")
    convert.add_argument("sources", nargs="+", type=Path, metavar="IN", help="files or folders")
    convert.add_argument("target", type=Path, metavar="OUT", help="a file, or a folder for several")
    convert.add_argument(
        "--like-live", action="store_true", help="as a listener hears it live, block by block"
    )
    convert.add_argument("--json", action="store_true", help="one line of JSON for each file")
    _change_options(convert)
    _voice_options(convert)
    _stream_options(convert)

    live = _add(commands, "live", _live, "microphone to speaker, until Ctrl-C")
    live.add_argument("--input-device", help="name (or part of it) or number")
    live.add_argument("--output-device", help="name (or part of it) or number")
    live.add_argument("--record", type=Path, metavar="FILE", help="keep what was said")
    live.add_argument("--backend", choices=("portaudio", "loopback"), default="portaudio")
    live.add_argument("--input", type=Path, metavar="FILE", help="loopback: what is heard")
    live.add_argument("--output", type=Path, metavar="FILE", help="loopback: what is played")
    live.add_argument("--clock", choices=("real", "virtual"), default="real", help="loopback's")
    live.add_argument("--seconds", type=float, help="stop by itself after so long")
    live.add_argument("--json", action="store_true", help="a last line of JSON with the figures")
    _change_options(live)
    _voice_options(live)
    _stream_options(live)

    devices = _add(commands, "devices", _devices, "list audio devices")
    devices.add_argument("--json", action="store_true")

    doctor = _add(commands, "doctor", _doctor, "what is installed, what is missing, how to mend it")
    doctor.add_argument("--json", action="store_true")

    voices = _add(commands, "voices", _voices, "list the voices, or look into one")
    voices.add_argument("voice", nargs="?", help="name or file")
    voices.add_argument("--json", action="store_true")

    bench = _add(commands, "bench", _bench, "latency, speed and streaming errors on this machine")
    bench.add_argument("--threads", type=int, default=1, help="of the live path")
    bench.add_argument("--json", action="store_true")
    _voice_options(bench)
    _stream_options(bench)

    preprocess = _add(commands, "preprocess", _preprocess, "audio folder -> training features")
    preprocess.add_argument(
        "data", type=Path, help="folder; each recording's folder is its speaker"
    )
    preprocess.add_argument("features", type=Path, help="folder to write")
    preprocess.add_argument("--hold-out", nargs="*", default=[], metavar="SPEAKER")
    preprocess.add_argument(
        "--f0-speakers", nargs="*", default=[], metavar="SPEAKER", help="only these need pitch"
    )

    train = _add(commands, "train", _train, "train one network, or resume it")
    train.add_argument("network", choices=("content", "denoiser", "vocoder"))
    train.add_argument("features", type=Path, help="folder that preprocess wrote")
    train.add_argument("run", type=Path, help="folder of the training's state")
    train.add_argument("--minutes", type=float, default=60.0)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--alignments", type=Path, help="content: table of aligned phones")
    train.add_argument("--noise", type=Path, help="content: folder of noises to mix in")
    train.add_argument(
        "--validation", nargs="*", default=[], metavar="SPEAKER", help="content: never learned from"
    )
    train.add_argument("--content", type=Path, metavar="RUN", help="denoiser: the encoder's run")
    train.add_argument("--speakers", nargs="+", default=[], help="denoiser, vocoder: the targets")
    train.add_argument("--shares", nargs="+", type=float, help="denoiser: of each target")
    train.add_argument(
        "--adversarial-after", type=int, metavar="STEP", help="vocoder: when the critics join"
    )

    export = _add(commands, "export", _export, "three trained networks -> one voice file")
    export.add_argument("features", type=Path)
    export.add_argument("target", type=Path, metavar="VOICE.safetensors")
    for network in ("content", "denoiser", "vocoder"):
        export.add_argument(f"--{network}", type=Path, required=True, metavar="RUN")
    export.add_argument("--name", default="embedded")
    export.add_argument("--speakers", nargs="+", required=True)
    return parser


def _add(commands: Any, name: str, command: Command, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def _voice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--voice", default="embedded", help="name, or a voice file")


def _change_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shift", type=float, default=0.0, help="semitones up (or down)")
    parser.add_argument("--speaker", help="one of the voice's speakers")
    parser.add_argument("--gain-db", type=float, default=0.0, help="output gain")
    parser.add_argument(
        "--gate-db", type=float, default=-65.0, help="silent below this input level"
    )


def _stream_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, help="of the sampler (default: the voice's)")
    parser.add_argument("--sampler", help="ddim, euler, heun, dpmpp_2m (default: the voice's)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--block-ms", type=float, default=46.0, help="live block, whole mel frames")


def _load(args: argparse.Namespace) -> tuple[VoiceModel, StreamConfig]:
    from core.config import StreamConfig
    from core.diffusion.samplers import get_sampler
    from core.streaming.plan import block_frames_from_ms
    from core.voice import VoiceModel, find_voice

    if args.sampler is not None:
        get_sampler(args.sampler)
    voice = VoiceModel.load(find_voice(args.voice))
    frames = block_frames_from_ms(voice.config.audio, args.block_ms)
    stream = StreamConfig(
        block_frames=frames, steps=args.steps, sampler=args.sampler, seed=args.seed
    )
    return voice, stream


def _params(args: argparse.Namespace, voice: VoiceModel) -> VoiceParams:
    from core.config import VoiceParams

    speaker = voice.config.speaker_index(args.speaker) if args.speaker else 0
    return VoiceParams(
        pitch_shift=args.shift, gate_db=args.gate_db, gain_db=args.gain_db, speaker=speaker
    )


def _live_threads(threads: int = 1) -> None:
    """Small blocks lose more to waiting threads than they gain from them."""
    import torch

    torch.set_num_threads(threads)


def _demo(args: argparse.Namespace) -> int:
    from core.config import VoiceParams
    from core.streaming.converter import StreamingConverter
    from core.streaming.meter import StageMeter
    from core.voice import VOICES_FOLDER
    from realtime.loopback import LoopbackBackend
    from realtime.session import LiveSession

    voice, stream = _load(args)
    _live_threads()
    speaker = voice.config.speaker_index(args.speaker) if args.speaker else 0
    params = VoiceParams(pitch_shift=DEMO_SHIFT, speaker=speaker)
    meter = StageMeter(StreamingConverter(voice, stream, params))
    source = VOICES_FOLDER / "demo.flac"
    original, converted = args.output / "original.wav", args.output / "converted.wav"
    args.output.mkdir(parents=True, exist_ok=True)
    _as_wav(source, original)
    print("moksori: streaming the packaged recording at its own speed ...", file=sys.stderr)
    session = LiveSession(meter, LoopbackBackend(source, converted, clock="real"), params=params)
    session.start()
    session.wait()
    session.stop()
    if session.error is not None:
        raise session.error
    name = voice.config.speakers[speaker].name
    print(f"voice              {voice.config.name} ({name})")
    _print_figures(session, meter)
    print(f"original           {original}")
    print(f"converted          {converted}")
    return 0


def _as_wav(source: Path, target: Path) -> None:
    from core.audio import load_mono, save_audio

    wave, rate = load_mono(source)
    save_audio(target, wave, rate)


def _print_figures(session: LiveSession, meter: StageMeter) -> None:
    stats = session.stats
    block_ms = 1e3 * meter.block / meter.sample_rate
    print(f"block              {block_ms:.1f} ms")
    parts = stats.latency
    print(f"declared latency   {parts.algorithmic_ms:.1f} ms (block included), ", end="")
    print(f"{parts.total_ms:.1f} ms with cushion and resampling")
    print(f"real-time factor   {stats.rtf:.2f}")
    for stage, (p50, p95, p99) in meter.quantiles().items():
        print(f"{stage:<18} p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f} ms")
    print(f"underruns          {stats.xruns}")


def _convert(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from core.errors import VoiceChangerError
    from offline.convert import convert_file, plan_targets

    pairs = plan_targets(args.sources, args.target)
    voice, stream = _load(args)
    params = _params(args, voice)
    failed = 0
    for source, target in pairs:
        if len(pairs) > 1 or args.sources[0].is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
        with tqdm(
            total=1.0,
            desc=source.name,
            disable=None,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
        ) as bar:

            def show(share: float, bar: Any = bar) -> None:
                bar.update(share - bar.n)

            try:
                done = convert_file(voice, source, target, params, stream, args.like_live, show)
            except VoiceChangerError as error:
                if len(pairs) == 1:
                    raise
                print(f"moksori: {error}", file=sys.stderr)
                failed += 1
                continue
        if done.clipped:
            print(
                f"moksori: warning: {source} is clipped ({done.clipped} samples at full scale);"
                " record it at a lower level for a cleaner voice",
                file=sys.stderr,
            )
        if args.json:
            print(
                json.dumps(
                    {k: str(v) if isinstance(v, Path) else v for k, v in asdict(done).items()}
                )
            )
        else:
            speed = done.seconds / max(done.compute_seconds, 1e-9)
            print(f"{target}  {done.seconds:.2f} s, {speed:.1f} x real time")
    if failed:
        print(f"moksori: {failed} of {len(pairs)} files failed, see above", file=sys.stderr)
    return 1 if failed else 0


def _live(args: argparse.Namespace) -> int:
    from core.errors import ConfigError
    from core.streaming.converter import StreamingConverter
    from realtime.session import LiveSession

    if args.backend == "loopback" and (args.input is None or args.output is None):
        raise ConfigError("--backend loopback needs --input FILE and --output FILE")
    backend: Any
    if args.backend == "loopback":
        from realtime.loopback import LoopbackBackend

        backend = LoopbackBackend(args.input, args.output, clock=args.clock)
    else:
        from realtime.portaudio import PortAudioBackend

        backend = PortAudioBackend(args.input_device, args.output_device)
    voice, stream = _load(args)
    _live_threads()
    params = _params(args, voice)
    converter = StreamingConverter(voice, stream, params)
    session = LiveSession(converter, backend, params=params, record=args.record)
    session.start()
    print("moksori: speak; Ctrl-C ends", file=sys.stderr)
    try:
        session.wait(args.seconds)
    except KeyboardInterrupt:
        print("moksori: stopping ...", file=sys.stderr)
    session.stop()
    if session.error is not None:
        raise session.error
    stats = session.stats
    figures = {
        "latency_ms": stats.latency.total_ms,
        "algorithmic_ms": stats.latency.algorithmic_ms,
        "rtf": stats.rtf,
        "block_ms": 1e3 * converter.block / converter.sample_rate,
        "p50_ms": stats.p50_ms,
        "p95_ms": stats.p95_ms,
        "p99_ms": stats.p99_ms,
        "xruns": stats.xruns,
        "dropped_samples": stats.dropped_samples,
        "blocks": stats.blocks,
    }
    if args.json:
        print(json.dumps({k: round(v, 3) for k, v in figures.items()}))
    else:
        for key, value in figures.items():
            print(f"{key:<16} {value:.1f}" if isinstance(value, float) else f"{key:<16} {value}")
    return 0


def _devices(args: argparse.Namespace) -> int:
    from realtime.portaudio import list_devices

    devices = list_devices()
    if args.json:
        print(json.dumps([asdict(device) for device in devices], ensure_ascii=False))
        return 0
    api = ""
    for device in devices:
        if device.host_api != api:
            api = device.host_api
            print(api)
        marks = "*" * device.default_input + "*" * device.default_output
        print(
            f"  {device.index:>3}  {device.name}  in {device.input_channels}"
            f"  out {device.output_channels}  {device.sample_rate} Hz {marks}"
        )
    if not devices:
        print("moksori: no audio devices found", file=sys.stderr)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from core.doctor import diagnose
    from realtime.portaudio import list_devices

    findings = diagnose(lambda: len(list_devices()))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'MISS'} {finding.what:<12} {finding.state}")
            if finding.remedy:
                print(f"     -> {finding.remedy}")
    return 0 if all(finding.ok or not finding.needed for finding in findings) else 1


def _voices(args: argparse.Namespace) -> int:
    from core.config import to_dict
    from core.voice import embedded_voices, find_voice, read_config

    if args.voice is None:
        found = {name: read_config(path) for name, path in embedded_voices().items()}
        if args.json:
            print(json.dumps({name: to_dict(config) for name, config in found.items()}))
        for name, config in found.items() if not args.json else ():
            print(f"{name}: {', '.join(speaker.name for speaker in config.speakers)}")
        return 0
    path = find_voice(args.voice)
    config = read_config(path)
    if args.json:
        print(json.dumps({"path": str(path), "config": to_dict(config)}, ensure_ascii=False))
        return 0
    print(f"{config.name}  {path}  {path.stat().st_size / 2**20:.1f} MiB")
    for speaker in config.speakers:
        print(f"  {speaker.name}: median pitch {speaker.f0_median:.0f} Hz. {speaker.credit}")
    audio = config.audio
    print(f"  {audio.sample_rate} Hz, hop {audio.hop_length}, {config.mel.n_mels} mel bins")
    print(f"  content {config.content.encoder}, f0 {config.f0.estimator}", end="")
    print(f", sampler {config.sampler}, {config.steps} steps")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from offline.bench import bench

    voice, stream = _load(args)
    figures = bench(voice, stream, args.threads)
    if args.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:<28} {value:.3g}" if isinstance(value, float) else f"{key:<28} {value}")
    return 0


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
    config = TrainConfig(minutes=args.minutes, threads=args.threads, learning_rate=rate)
    state = train(task, args.run, config)
    print(f"{state.step} steps in {state.minutes:.0f} minutes, state in {args.run}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from offline.recipe import export_voice

    export_voice(args)
    print(args.target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
