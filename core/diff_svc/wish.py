"""What the options of a live command ask of an imported voice, checked before it is loaded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import AudioConfig, Speaker, StreamConfig, VoiceConfig, VoiceParams
from core.errors import ConfigError, VoiceChangerError, unknown_name

if TYPE_CHECKING:
    from core.diff_svc.config import ForeignConfig
    from core.diff_svc.converter import ForeignConverter, LiveVoices


@dataclass(frozen=True)
class ForeignWish:
    """config: name, speakers (by number) and grid of the voice, as other voices have them."""

    path: Path
    config: VoiceConfig
    family: str
    stream: StreamConfig
    params: VoiceParams
    threads: int
    precision: str = "auto"
    device: str = "auto"

    def converter(self) -> ForeignConverter:
        """The voice as a block processor."""
        from core.diff_svc.converter import ForeignConverter

        voice = load_foreign(self.path, self.family, self.precision, self.device)
        return ForeignConverter(voice, self.stream, self.params)

    def refusal(self) -> VoiceChangerError:
        """For commands that know only voices of moksori."""
        return ConfigError(
            f"voice {self.config.name} is a {self.family} voice; convert, live, demo, latency and"
            " bench take it, this command does not"
        )


def load_foreign(
    path: Path, family: str, precision: str = "auto", device: str = "auto"
) -> LiveVoices:
    """An imported voice on a device; all but its vocoder in that precision.

    See `core/precision.py` and `core/diff_svc/place.py`.
    """
    from core.content.precision import content_in_precision
    from core.diff_svc.diffusion_svc_voice import DiffusionSvcVoice
    from core.diff_svc.place import find_device, place
    from core.diff_svc.voice import DiffSvcVoice
    from core.diffusion.precision import in_precision

    loads: dict[str, Callable[[Path], LiveVoices]] = {
        "diff-svc": DiffSvcVoice.load,
        "diffusion-svc": DiffusionSvcVoice.load,
    }
    voice, found = loads[family](path), find_device(device)
    voice.diffusion.to(found)
    voice.diffusion.denoise_fn = in_precision(voice.diffusion.denoise_fn, precision)
    if voice.content is not None:
        voice.content = content_in_precision(voice.content.to(found), precision)
    place(voice, found)
    return voice


def foreign_wish(path: Path, args: argparse.Namespace) -> ForeignWish:
    """Options that mean nothing to an imported voice, or do not fit it, are errors."""
    from core.diff_svc.foreign import read_foreign_config
    from core.diff_svc.live import check_live
    from core.precision import AUTO

    foreign = read_foreign_config(path)
    check_live(foreign)
    form = foreign.mel
    config = VoiceConfig(
        foreign.name,
        tuple(Speaker(str(number + 1)) for number in range(foreign.speakers)),
        AudioConfig(form.sample_rate, form.hop_length),
    )
    stream, threads = _stream(foreign, config, args), os.cpu_count() or 1
    wish = ForeignWish(path, config, foreign.family, stream, VoiceParams(), threads)
    wish = replace(wish, precision=args.precision or AUTO, device=args.compute or AUTO)
    if not hasattr(args, "speaker"):
        return wish
    refuse_changes(foreign, args)
    wishes = {
        "pitch_shift": args.shift,
        "level_shift": args.level,
        "gate_db": args.gate_db,
        "gain_db": args.gain_db,
        "speakers": config.mix(args.speaker) if args.speaker else None,
    }
    params = VoiceParams(**{key: value for key, value in wishes.items() if value is not None})
    return replace(wish, params=params)


def refuse_changes(foreign: ForeignConfig, args: argparse.Namespace) -> None:
    """Changes that only voices of moksori know are errors."""
    if args.formant is not None:
        raise ConfigError(
            f"voice {foreign.name} is a {foreign.family} voice; --formant is for voices of moksori;"
            " leave it out"
        )
    if args.retrieval is not None:
        raise ConfigError(
            f"voice {foreign.name} is a {foreign.family} voice and keeps no sounds to retrieve;"
            " leave out --retrieval"
        )
    if args.clarity is not None:
        raise ConfigError(
            f"voice {foreign.name} is a {foreign.family} voice, whose encoder names no phones;"
            " leave out --clarity"
        )


def _stream(foreign: ForeignConfig, config: VoiceConfig, args: argparse.Namespace) -> StreamConfig:
    from core.diff_svc.config import SAMPLERS
    from core.diff_svc.live import live_stream
    from core.streaming.plan import block_frames_from_ms

    if args.low_latency:
        raise ConfigError(
            f"--low-latency is for voices of moksori; {foreign.name} takes --block-ms and"
            " --lookahead-ms"
        )
    if args.sampler is not None and args.sampler not in SAMPLERS:
        raise unknown_name("sampler of imported voices", args.sampler, SAMPLERS)
    if args.steps is not None and not 2 <= args.steps <= foreign.k_step:
        raise ConfigError(
            f"--steps must lie between 2 and {foreign.k_step} for this voice, got {args.steps}"
        )
    stream = replace(
        live_stream(foreign.mel), steps=args.steps, sampler=args.sampler, seed=args.seed
    )
    if args.block_ms is not None:
        stream = replace(stream, block_frames=block_frames_from_ms(config.audio, args.block_ms))
    if args.lookahead_ms is not None:
        if not 0 <= args.lookahead_ms <= 2000:
            raise ConfigError(
                f"lookahead must lie between 0 and 2000 ms, got {args.lookahead_ms:g}; try 100"
            )
        frames = round(args.lookahead_ms * config.audio.frame_rate / 1000)
        stream = replace(stream, lookahead_frames=frames)
    return stream
