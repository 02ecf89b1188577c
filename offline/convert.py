"""Whole files through a voice in constant memory: read, resample, convert in long blocks, write."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.audio import WRITABLE, AudioReader, AudioWriter, check_writable
from core.config import StreamConfig, VoiceConfig, VoiceParams
from core.errors import AudioFileError
from core.features import loudness
from core.level import gain_onto, speech_level
from core.resampler import Resampler
from core.shift import shift_onto
from core.streaming.converter import StreamingConverter
from core.streaming.plan import live_stream
from core.voice import VoiceModel
from offline.memory import free_bytes

OFFLINE_BLOCK_FRAMES = 256  # 3 s at 44.1 kHz: long enough to be fast, short enough to stay small
_SHORTEST_BLOCK_FRAMES = 16
_BYTES_A_FRAME, _MEMORY_SHARE = 400_000, 0.25  # of a block, and of the free memory

Progress = Callable[[float], None]
"""Called with the share of the file that is done, 0 to 1."""


class WaveConverter(Protocol):
    """What turns a file into another: a `StreamingConverter` or one of imported voices."""

    sample_rate: int
    block: int
    latency: int

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def flush(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Converted:
    """What became of one file. clipped: saturated samples in the source."""

    source: Path
    target: Path
    seconds: float
    compute_seconds: float
    clipped: int


def convert_file(
    voice: VoiceModel,
    source: Path,
    target: Path,
    params: VoiceParams,
    stream: StreamConfig,
    like_live: bool = False,
    progress: Progress | None = None,
) -> Converted:
    """Converts a file to the voice's rate, its duration kept; on failure the old target stays.

    like_live: through the live stream's own blocks and resampler; else in long blocks, which differ
    only for parts that cannot stream exactly, with the better of the resamplers, and where pitch
    and level shift are automatic by what the whole file says.
    """
    check_writable(target, [source])
    started = time.perf_counter()
    if not like_live:
        if params.pitch_shift is None or params.level_shift is None:
            params = whole_file(voice, source, params)
        stream = file_stream(voice.config, stream)
    converter = StreamingConverter(voice, stream, params)
    quality = "live" if like_live else "high"
    seconds, clipped = stream_file(converter, source, target, quality, progress)
    return Converted(source, target, seconds, time.perf_counter() - started, clipped)


def stream_file(
    converter: WaveConverter,
    source: Path,
    target: Path,
    quality: str = "high",
    progress: Progress | None = None,
) -> tuple[float, int]:
    """A file block by block, its duration kept -> its seconds and saturated samples.

    quality: of the resampler onto the converter's rate. The target appears when it is whole.
    """
    with AudioReader(source) as reader, AudioWriter(target, converter.sample_rate) as writer:
        counted = _Counted(reader, progress)
        resampler = Resampler(reader.sample_rate, converter.sample_rate, quality)
        wanted = skipped = written = 0
        for block in _blocks(counted, resampler, converter.block):
            out = converter.push(block)
            skip = min(converter.latency - skipped, len(out))
            skipped += skip
            out = out[skip:]
            wanted = round(counted.samples * converter.sample_rate / reader.sample_rate)
            writer.write(out[: max(wanted - written, 0)])
            written += min(len(out), max(wanted - written, 0))
        if written < wanted:
            rest = converter.flush()[converter.latency - skipped :]
            writer.write(rest[: wanted - written])
        return counted.samples / reader.sample_rate, reader.clipped


def file_stream(voice: VoiceConfig, stream: StreamConfig) -> StreamConfig:
    """The stream in blocks as long as memory allows, with as much context as the voice wants."""
    context = max(stream.context_frames, live_stream(voice).context_frames)
    fit = int(free_bytes(torch.device("cpu")) * _MEMORY_SHARE / _BYTES_A_FRAME)
    block = min(max(fit, _SHORTEST_BLOCK_FRAMES), OFFLINE_BLOCK_FRAMES)
    return replace(stream, block_frames=block, context_frames=context)


def whole_shift(voice: VoiceModel, source: Path, speakers: tuple[float, ...]) -> float | None:
    """Semitones from a file's median pitch onto the speakers' own; None where nobody speaks."""
    return whole_file(voice, source, VoiceParams(speakers=speakers)).pitch_shift


def whole_file(voice: VoiceModel, source: Path, params: VoiceParams) -> VoiceParams:
    """The shifts of pitch and level that are left open, as one number each for the whole file.

    They bring its median pitch and the level of its voice onto the speakers' own; where nobody
    speaks they stay open.
    """
    config = voice.config
    hop = config.audio.hop_length
    stream = voice.analyser.f0_within(None).stream(OFFLINE_BLOCK_FRAMES)
    found, levels = [], []
    with AudioReader(source) as reader:
        resampler = Resampler(reader.sample_rate, config.audio.sample_rate, "high")
        for wave in _blocks(reader, resampler, OFFLINE_BLOCK_FRAMES * hop):
            found.append(stream.push(wave))
            levels.append(loudness(torch.from_numpy(wave)[None], hop)[0])
    found.append(stream.flush())
    f0, voiced = (torch.from_numpy(np.concatenate(each)) for each in zip(*found, strict=True))
    if not levels:
        return params
    return aimed(config, params, f0, voiced, torch.cat(levels))


def aimed(
    config: VoiceConfig, params: VoiceParams, f0: Tensor, voiced: Tensor, level_db: Tensor
) -> VoiceParams:
    """As `whole_file`, by what was heard: f0 in Hz, voiced, loudness in dB, (T,) each."""
    level = speech_level(level_db, voiced)
    if level is None:
        return params
    weights = torch.tensor(config.weights(params.speakers))[:, None]
    if params.pitch_shift is None:
        pitch = float(np.median(f0[voiced].numpy()))
        centre = torch.tensor([math.log2(pitch)], dtype=torch.float64)
        medians = [speaker.f0_median for speaker in config.speakers]
        params = replace(params, pitch_shift=float(shift_onto(medians, weights, centre)))
    if params.level_shift is None:
        own = [speaker.level_db for speaker in config.speakers]
        gain = gain_onto(own, weights, torch.tensor([level], dtype=torch.float64))
        params = replace(params, level_shift=float(gain))
    return params


def plan_targets(sources: Sequence[Path], target: Path) -> list[tuple[Path, Path]]:
    """Pairs every source file with its target.

    One file goes to `target` itself unless that is a folder; several, or a folder, go into a folder
    `target` under their own names.
    """
    files: list[tuple[Path, Path]] = []  # file, its path below the output folder
    for source in sources:
        if source.is_dir():
            found = [p for p in _audio_below(source) if target not in p.parents]
            if not found:
                known = ", ".join(sorted(WRITABLE))
                raise AudioFileError(f"no audio in folder {source}; expected {known}")
            files += [(path, path.relative_to(source)) for path in found]
        else:
            files.append((source, Path(source.name)))
    single = len(files) == 1 and not sources[0].is_dir() and not target.is_dir()
    if single:
        return [(files[0][0], target)]
    if target.suffix.lower() in WRITABLE and not target.is_dir():
        raise AudioFileError(f"{target} is a file; {len(files)} sources need a folder to go into")
    if target.exists() and not target.is_dir():
        raise AudioFileError(f"{target} is no folder; choose another output")
    pairs = []
    for source, name in files:
        suffix = name.suffix if name.suffix.lower() in WRITABLE else ".wav"
        pairs.append((source, target / name.with_suffix(suffix)))
    counts = Counter(str(pair[1]) for pair in pairs)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise AudioFileError(f"several sources would become {twice[0]}; convert them apart")
    return pairs


def _audio_below(folder: Path) -> list[Path]:
    """The audio in a folder and below, without hidden files such as macOS's `._a.wav`."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in WRITABLE and not path.name.startswith(".") and path.is_file()
    )


class _Counted:
    """The reader's blocks, counted as they pass."""

    def __init__(self, reader: AudioReader, progress: Progress | None) -> None:
        self._reader, self._progress = reader, progress
        self.samples = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._reader:
            self.samples += len(block)
            yield block
            if self._progress is not None and self._reader.frames > 0:
                self._progress(min(self.samples / self._reader.frames, 1.0))


def _blocks(
    source: Iterable[NDArray[np.float32]], resampler: Resampler, block: int
) -> Iterator[NDArray[np.float32]]:
    """The source, resampled, in whole blocks; the last one filled up with silence."""
    waiting = np.zeros(0, dtype=np.float32)
    for wave in source:
        waiting = np.concatenate([waiting, resampler.push(wave)])
        while len(waiting) >= block:
            yield waiting[:block]
            waiting = waiting[block:]
    waiting = np.concatenate([waiting, resampler.flush()])
    for at in range(0, len(waiting), block):
        rest = waiting[at : at + block]
        yield np.pad(rest, (0, block - len(rest)))
