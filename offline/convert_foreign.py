"""Whole files through an imported voice: long windows joined at quiet places, or as the original.

    heard      |--context--|=========== piece ===========|--context--|
    kept                   |=============================|~~| overlap, spliced onto the next piece

The pieces end where the sound is quietest, so a splice is rarely heard; memory stays constant.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.audio import AudioReader, AudioWriter, check_writable, load_audio
from core.diff_svc.convert import ConvertParams, Prepared, convert_stretch, prepare
from core.diff_svc.foreign import UNIT_RATE, ForeignVoice
from core.diff_svc.slicer import slice_at_silence
from core.streaming.sola import Sola
from offline.convert import Converted, Progress

Wave = NDArray[np.float32]

_SHORTEST, _LONGEST = 6.0, 12.0  # seconds of a piece
_CONTEXT = 1.0  # seconds heard on each side of it
_STEP = 0.02  # seconds over which quietness is measured
_CROSSFADE, _SEARCH = 0.02, 0.0125  # seconds: a splice may shift by a period of 80 Hz


class _Piece(NamedTuple):
    """Samples [start, stop) of a recording, and what is heard with them from `begin` on (C, T)."""

    start: int
    stop: int
    begin: int
    heard: Wave
    last: bool


def convert_foreign_file(
    voice: ForeignVoice,
    source: Path,
    target: Path,
    params: ConvertParams,
    progress: Progress | None = None,
) -> Converted:
    """Converts a file to the voice's rate, its duration kept; on failure the old target stays."""
    check_writable(target, [source])
    started = time.perf_counter()
    exact = voice.config.exact if params.exact is None else params.exact
    if exact:
        seconds, clipped = _as_the_original(voice, source, target, params)
    else:
        seconds, clipped = _in_pieces(voice, source, target, params, progress)
    return Converted(source, target, seconds, time.perf_counter() - started, clipped)


def _in_pieces(
    voice: ForeignVoice,
    source: Path,
    target: Path,
    params: ConvertParams,
    progress: Progress | None,
) -> tuple[float, int]:
    """-> seconds of the source and its saturated samples."""
    form = voice.config.mel
    with AudioReader(source) as reader, AudioWriter(target, form.sample_rate) as writer:
        rate, written = reader.sample_rate, 0
        sola = Sola(round(_CROSSFADE * form.sample_rate), round(_SEARCH * form.sample_rate))
        total = 0
        for piece in _pieces(reader.channel_blocks(), rate, form.sample_rate):
            total = piece.stop
            made = sola.push(_rendering(voice, piece, rate, sola.overlap, params))
            wanted = round(piece.stop * form.sample_rate / rate)
            writer.write(made[: wanted - written])
            written += min(len(made), wanted - written)
            if progress is not None and reader.frames > 0:
                progress(min(piece.stop / reader.frames, 1.0))
        return total / rate, reader.clipped


def _rendering(
    voice: ForeignVoice, piece: _Piece, rate: int, overlap: int, params: ConvertParams
) -> Wave:
    """The piece in the voice with `overlap` samples more, silence beyond the end."""
    form = voice.config.mel
    sound = prepare(piece.heard, rate, form.sample_rate, left_only=False)
    shortest = form.sample_rate // 10
    if len(sound.wave) < shortest:
        sound = Prepared(
            np.pad(sound.wave, (0, shortest - len(sound.wave))),
            np.pad(sound.wave16, (0, max(UNIT_RATE // 10 - len(sound.wave16), 0))),
        )
    begin = piece.begin * form.sample_rate // rate
    made = convert_stretch(voice, sound, params, position=begin // form.hop_length)
    skip = piece.start * form.sample_rate // rate - begin
    length = math.ceil((piece.stop - piece.start) * form.sample_rate / rate) + overlap
    kept = made[skip : skip + length]
    return np.pad(kept, (0, length - len(kept)))


def _pieces(blocks: Iterator[Wave], rate: int, voice_rate: int) -> Iterator[_Piece]:
    """Cuts blocks (C, T) at quiet places that are whole samples at both of the voice's rates."""
    unit = math.lcm(rate // gcd(rate, voice_rate), rate // gcd(rate, UNIT_RATE))
    context = math.ceil(_CONTEXT * rate / unit) * unit
    longest = round(_LONGEST * rate)
    waiting = next(blocks)
    begin = start = 0  # of what is waiting, and of the next piece
    more = True
    while more or start < begin + waiting.shape[1]:
        while more and waiting.shape[1] < start - begin + longest + context:
            block = next(blocks, None)
            more = block is not None
            waiting = waiting if block is None else np.concatenate([waiting, block], axis=1)
        end = begin + waiting.shape[1]
        last = end - start <= longest + context and not more
        stop = end if last else start + _quiet_place(waiting[:, start - begin :], rate, unit)
        yield _Piece(start, stop, begin, waiting[:, : stop + context - begin], last)
        start = stop
        dropped = max(start - context - begin, 0) // unit * unit
        waiting, begin = waiting[:, dropped:], begin + dropped


def _quiet_place(channels: Wave, rate: int, unit: int) -> int:
    """Where to cut (C, T): the middle of the quietest step, a multiple of `unit`."""
    step = max(round(_STEP * rate), 1)
    first, stop = round(_SHORTEST * rate), round(_LONGEST * rate)
    power = np.square(channels[:, first:stop], dtype=np.float64).mean(0)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    quietest = int(np.argmin(sums[step:] - sums[:-step]))
    return max((first + quietest + step // 2) // unit, 1) * unit


def _as_the_original(
    voice: ForeignVoice, source: Path, target: Path, params: ConvertParams
) -> tuple[float, int]:
    """Slices at silences, each on its own, joined without a crossfade; silence becomes zeros."""
    channels, rate = load_audio(source)
    form = voice.config.mel
    seconds = channels.shape[1] / rate
    mono = channels.mean(axis=0, dtype=np.float32) if len(channels) > 1 else channels[0]
    params = replace(params, exact=True, gate_db=None)
    with AudioWriter(target, form.sample_rate) as writer:
        for chunk in slice_at_silence(mono, rate):
            length = math.ceil((chunk.stop - chunk.start) / rate * form.sample_rate)
            if chunk.silent:
                writer.write(np.zeros(length, np.float32))
                continue
            part = channels[:, chunk.start : chunk.stop]
            sound = prepare(part, rate, form.sample_rate, left_only=form.kind != "hifigan")
            writer.write(_to_length(convert_stretch(voice, sound, params), length))
    return seconds, 0


def _to_length(wave: Wave, length: int) -> Wave:
    """Filled up with its mean, or cut at the front, as the original does it."""
    if len(wave) >= length:
        return wave[len(wave) - length :]
    filled: Wave = np.pad(wave, (0, length - len(wave)), constant_values=wave.mean())
    return filled
