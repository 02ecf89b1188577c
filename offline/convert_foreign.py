"""Whole files through an imported voice: in long windows, by the law of live, or as the original.

    heard      |--context--|========== block ==========|--lookahead--|
    committed              |===========================|

Each frame is committed once and the vocoder carries its state, so there is no seam; memory stays
constant, however long the file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio import AudioReader, AudioWriter, check_writable, load_audio
from core.config import StreamConfig, VoiceParams
from core.diff_svc.convert import ConvertParams, convert_stretch, prepare
from core.diff_svc.converter import ForeignConverter, LiveVoices, foreign_plan
from core.diff_svc.slicer import slice_at_silence
from offline.convert import Converted, Progress, stream_file

Wave = NDArray[np.float32]

_BLOCK, _CONTEXT, _LOOKAHEAD = 16.0, 2.0, 1.0  # seconds


def convert_foreign_file(
    voice: LiveVoices,
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
        converter = wide_converter(voice, params, _seconds(source))
        seconds, clipped = stream_file(converter, source, target, progress=progress)
    return Converted(source, target, seconds, time.perf_counter() - started, clipped)


def wide_converter(
    voice: LiveVoices,
    params: ConvertParams,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.perf_counter,
) -> ForeignConverter:
    """A live run of long blocks, for so many seconds of sound: those are shared out evenly.

    clock: of its stages, see `ForeignConverter`.
    """
    config = voice.config
    length, ahead = _BLOCK, 0.0 if seconds <= _BLOCK else _LOOKAHEAD  # one block hears it all
    if math.isfinite(seconds):
        late = foreign_plan(voice, StreamConfig()).vocoder_latency / config.mel.sample_rate
        over = ahead + late + 2 / config.mel.frame_rate  # else one more block would follow
        length = (seconds + over) / math.ceil((seconds + over) / (_BLOCK + over))
    block, context, lookahead = (
        math.ceil(part * config.mel.frame_rate) for part in (length, _CONTEXT, ahead)
    )
    steps = None if params.speedup is None else max(round(config.k_step / params.speedup), 1)
    if steps is None and params.sampler is None:
        steps = config.files
    stream = StreamConfig(block, context, steps, params.sampler, params.seed, lookahead)
    speakers = tuple(float(number == params.speaker) for number in range(1, config.speakers + 1))
    knobs = VoiceParams(
        pitch_shift=params.semitones,
        gate_db=-math.inf if params.gate_db is None else params.gate_db,
        gain_db=params.gain_db,
        speakers=speakers,
    )
    return ForeignConverter(voice, stream, knobs, clock)


def _seconds(source: Path) -> float:
    """Of a file, infinite where it does not say."""
    with AudioReader(source) as reader:
        return reader.frames / reader.sample_rate if reader.frames > 0 else math.inf


def _as_the_original(
    voice: LiveVoices, source: Path, target: Path, params: ConvertParams
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
