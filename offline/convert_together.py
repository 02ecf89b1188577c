"""Short files several at a time: one pass of the networks for all of them, the same sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import AudioReader, AudioWriter, check_writable
from core.config import StreamConfig, VoiceParams
from core.errors import AudioFileError, VoiceChangerError
from core.features import Conditions
from core.formant import FormantGlide
from core.pipeline import Synthesis, denoiser_lookahead
from core.resampler import Resampler
from core.voice import VoiceModel
from offline.convert import Converted, aimed, convert_file
from offline.memory import free_bytes, is_out_of_memory

Wave = NDArray[np.float32]
Pair = tuple[Path, Path]
Outcome = tuple[Path, Path, Converted | VoiceChangerError]

LONGEST_SECONDS = 30.0
"""Longer files are converted one by one, in constant memory."""

_FILES = 4  # more at once are no faster
_PASS_FRAMES = 512  # of all files together: what lies between the layers then fits the caches
_BYTES_A_SECOND = 4_000_000  # of a waiting file: its wave, conditions and result
_MEMORY_SHARE = 0.25  # of the free memory


@dataclass(frozen=True)
class _Heard:
    """One file, analysed. samples: of its target; seconds: of the source."""

    source: Path
    target: Path
    conditions: Conditions
    params: VoiceParams
    samples: int
    seconds: float
    clipped: int


def grouped(pairs: Sequence[Pair], lanes: int = 1) -> list[list[Pair]]:
    """Short files of like length together, others alone; the longest first, so that lanes which
    take one group after the other end at about the same time.
    """
    lengths = [_seconds(source) for source, _ in pairs]
    short = [i for i, seconds in enumerate(lengths) if 0 < seconds <= LONGEST_SECONDS]
    most = free_bytes(torch.device("cpu")) * _MEMORY_SHARE / _BYTES_A_SECOND / max(lanes, 1)
    size = min(_FILES, -(-len(short) // max(lanes, 1)))
    groups = [[i] for i in set(range(len(pairs))) - set(short)]
    last: list[int] = []
    for i in sorted(short, key=lambda i: lengths[i]):
        if last and (len(last) == size or (len(last) + 1) * lengths[i] > most):
            groups.append(last)
            last = []
        last.append(i)
    groups += [last] if last else []
    longest_first = sorted(groups, key=lambda group: -sum(lengths[i] for i in group))
    return [[pairs[i] for i in sorted(group)] for group in longest_first]


def convert_together(
    voice: VoiceModel, pairs: Sequence[Pair], params: VoiceParams, stream: StreamConfig
) -> Iterator[Outcome]:
    """Converts files, (source, target) each, in one pass: what `convert_file` makes of each.

    A file that cannot be read or written is told as its outcome and does not stop the others.
    """
    started = time.perf_counter()
    heard: list[_Heard] = []
    for source, target in pairs:
        try:
            heard.append(_hear(voice, source, target, params, stream))
        except VoiceChangerError as error:
            yield source, target, error
    if not heard:
        return
    waves = _say(voice, heard, stream)
    share = (time.perf_counter() - started) / sum(each.seconds for each in heard)
    for each, wave in zip(heard, waves, strict=True):
        try:
            with AudioWriter(each.target, voice.config.audio.sample_rate) as writer:
                writer.write(wave[: each.samples])
        except VoiceChangerError as error:
            yield each.source, each.target, error
            continue
        took = share * each.seconds
        yield (
            each.source,
            each.target,
            Converted(each.source, each.target, each.seconds, took, each.clipped),
        )


def convert_group(
    voice: VoiceModel, group: Sequence[Pair], params: VoiceParams, stream: StreamConfig
) -> list[Outcome]:
    """One file in constant memory; several together, where the voice's parts stream exactly and
    memory suffices.
    """
    exact = voice.analyser.streams_exactly(stream.lookahead_frames)
    if len(group) > 1 and exact and voice.vocoder.streams_exactly:
        try:
            return list(convert_together(voice, group, params, stream))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    return one_by_one(partial(convert_file, voice, params=params, stream=stream), group)


def one_by_one(convert: Callable[[Path, Path], Converted], pairs: Sequence[Pair]) -> list[Outcome]:
    """Each file by itself; one that fails does not stop the others."""
    outcomes: list[Outcome] = []
    for source, target in pairs:
        try:
            outcomes.append((source, target, convert(source, target)))
        except VoiceChangerError as error:
            outcomes.append((source, target, error))
    return outcomes


def side_by_side(
    convert: Callable[[Sequence[Pair]], list[Outcome]], groups: Sequence[Sequence[Pair]]
) -> Iterator[Outcome]:
    """Converts groups in threads, one a core, each with one core for itself."""
    threads = torch.get_num_threads()
    count = min(threads, len(groups))
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for outcomes in pool.map(convert, groups):
                yield from outcomes
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(threads)


def _hear(
    voice: VoiceModel, source: Path, target: Path, params: VoiceParams, stream: StreamConfig
) -> _Heard:
    rate = voice.config.audio.sample_rate
    check_writable(target, [source])
    with AudioReader(source) as reader:
        resampler = Resampler(reader.sample_rate, rate, "high")
        blocks = list(reader)
        made = [resampler.push(block) for block in blocks] + [resampler.flush()]
        samples = sum(len(block) for block in blocks)
        seconds, clipped = samples / reader.sample_rate, reader.clipped
        wanted = round(samples * rate / reader.sample_rate)
    ahead = denoiser_lookahead(voice, stream.steps, stream.sampler) * voice.config.audio.hop_length
    wave = np.concatenate([*made, np.zeros(voice.vocoder.latency + ahead, np.float32)])
    conditions = voice.analyser(wave, None, stream.lookahead_frames)
    if params.pitch_shift is None or params.level_shift is None:
        f0, voiced = conditions.f0[0], conditions.voiced[0]
        own = voice.analyser.f0_within(None)
        if own is not voice.analyser.f0_within(stream.lookahead_frames):
            f0, voiced = (torch.from_numpy(each) for each in own(wave))
        params = aimed(voice.config, params, f0, voiced, conditions.loudness[0])
    return _Heard(source, target, conditions, params, wanted, seconds, clipped)


def _say(voice: VoiceModel, heard: Sequence[_Heard], stream: StreamConfig) -> list[Wave]:
    """The waves, aligned with the sources, each at least as long as its conditions."""
    alone, together = (
        Synthesis(voice, stream.steps, stream.sampler, stream.seed) for _ in range(2)
    )
    longest = max(each.conditions.frames for each in heard)
    longest += together.lookahead + 1  # what waits for later frames; the vocoder lags
    prepared, gains, parts = [], [], []
    step = max(_PASS_FRAMES // len(heard), 32)
    with torch.inference_mode():
        for each in heard:
            alone.reset()
            wanted, gain = alone.prepare(_padded(each.conditions, longest), each.params)
            prepared.append(wanted)
            gains.append(gain)
        batch = _stacked(prepared)
        formant = FormantGlide(voice.config.audio.frame_rate)(heard[0].params.formant, longest)
        for start in range(0, longest, step):
            stop = min(start + step, longest)
            glide = None if formant is None else formant[:, start:stop]
            parts.append(together.speak(batch.slice(start, stop), glide))
        made = torch.cat(parts, 1)
        made = (made * torch.cat(gains)[:, : made.shape[1]])[:, voice.vocoder.latency :]
    return list(made.numpy())


def _padded(conditions: Conditions, frames: int) -> Conditions:
    """The conditions with their last frame silenced and held on, up to so many frames."""
    last = conditions.slice(conditions.frames - 1, conditions.frames).silenced()
    more = frames - conditions.frames
    floor = None
    if conditions.brightness is not None:
        floor = torch.cat([conditions.brightness, last.loudness.expand(-1, more)], -1)
    return Conditions(
        torch.cat([conditions.units, last.units.expand(-1, -1, more)], -1),
        torch.cat([conditions.f0, last.f0.expand(-1, more)], -1),
        torch.cat([conditions.voiced, last.voiced.expand(-1, more)], -1),
        torch.cat([conditions.loudness, last.loudness.expand(-1, more)], -1),
        torch.cat([conditions.speaker, last.speaker.expand(-1, -1, more)], -1),
        floor,
    )


def _stacked(items: Sequence[Conditions]) -> Conditions:
    parts = (
        torch.cat([getattr(item, name) for item in items])
        for name in ("units", "f0", "voiced", "loudness", "speaker")
    )
    return Conditions(*parts)


def _seconds(source: Path) -> float:
    """The length of a file, 0 where it cannot be read: its conversion will say why."""
    try:
        with AudioReader(source) as reader:
            return reader.frames / reader.sample_rate
    except AudioFileError:
        return 0.0
