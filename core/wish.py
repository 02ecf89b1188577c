"""What the options of a command ask of a voice, checked before anything slow is loaded."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError

if TYPE_CHECKING:
    from core.config import StreamConfig, VoiceConfig, VoiceParams
    from core.diff_svc.wish import ForeignWish
    from core.streaming.converter import StreamingConverter
    from core.voice import VoiceModel


def add_voice_option(parser: argparse.ArgumentParser) -> None:
    """Which voice."""
    parser.add_argument("--voice", default="embedded", help="name, or a voice file")


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """How the voice is changed: `VoiceParams`."""
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


def add_stream_options(parser: argparse.ArgumentParser) -> None:
    """How it is computed: `StreamConfig`, and where."""
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


def number_or_auto(text: str) -> float | None:
    """A number, or None for `auto`."""
    return None if text == "auto" else float(text)


@dataclass(frozen=True)
class Wish:
    """What the options ask of a voice, checked before anything slow is loaded."""

    path: Path
    config: VoiceConfig
    stream: StreamConfig
    params: VoiceParams
    threads: int = 1

    def load(self) -> VoiceModel:
        """The voice itself."""
        from core.voice import VoiceModel

        return VoiceModel.load(self.path)

    def converter(self) -> StreamingConverter:
        """The voice as a block processor."""
        from core.streaming.converter import StreamingConverter

        return StreamingConverter(self.load(), self.stream, self.params)


def native_wish(args: argparse.Namespace) -> Wish:
    """Of a voice of moksori; an imported one is an error."""
    wish = any_wish(args)
    if not isinstance(wish, Wish):
        raise wish.refusal()
    return wish


def any_wish(args: argparse.Namespace) -> Wish | ForeignWish:
    """Of whatever voice the options name."""
    from core.config import VoiceParams
    from core.diff_svc.wish import foreign_wish
    from core.diffusion.samplers import get_sampler
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
        return Wish(path, config, stream, VoiceParams())
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
    return Wish(path, config, stream, params, threads)


def _stream(args: argparse.Namespace, config: VoiceConfig) -> StreamConfig:
    from core.config import LOW_LATENCY
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
