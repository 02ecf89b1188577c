"""The figures a user may hold us to: latency, speed by stage, plumbing and window error."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import StreamConfig, VoiceParams
from core.diff_svc.converter import ForeignConverter, convert_windowed
from core.errors import ConfigError
from core.pipeline import convert, plan_for
from core.streaming.converter import StreamingConverter
from core.streaming.meter import StageMeter
from core.voice import VOICES_FOLDER, VoiceModel
from offline.convert import file_stream

_MIXED_BLOCKS = (1, 2, 5, 37, 3)  # frames

MAX_THREADS = 256
_FOREIGN_SECONDS = 4  # such a voice may be slower than sound


def bench(voice: VoiceModel, stream: StreamConfig, threads: int = 1) -> dict[str, float | int]:
    """Converts the packaged recording live and whole; times are medians or named quantiles.

    latency_ms: declared, the block included. *_ms: one block, by stage. Errors are relative.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads must lie between 1 and {MAX_THREADS}, got {threads}")
    rate = voice.config.audio.sample_rate
    wave, _ = load_mono(VOICES_FOLDER / "demo.flac", rate)
    plan = plan_for(voice, stream)
    blocks = len(wave) // plan.block
    wave = wave[: blocks * plan.block]
    params = VoiceParams()

    file_threads = torch.get_num_threads()  # what `moksori convert` runs with
    torch.set_num_threads(threads)
    meter = StageMeter(StreamingConverter(voice, stream, params))
    for i in range(min(blocks, 10)):  # warm up
        meter.push(wave[i * plan.block : (i + 1) * plan.block])
    meter.reset()
    pushed = [meter.push(wave[i * plan.block : (i + 1) * plan.block]) for i in range(blocks)]
    quantiles = meter.quantiles()
    block_ms = plan.milliseconds(plan.block)
    figures: dict[str, float | int] = {
        "threads": threads,
        "block_ms": block_ms,
        "latency_ms": plan.milliseconds(plan.algorithmic_latency),
        "rtf": float(np.sum(meter.stages["block"])) / (blocks * block_ms),
        "p50_ms": quantiles["block"][0],
        "p95_ms": quantiles["block"][1],
        "p99_ms": quantiles["block"][2],
    }
    figures |= {f"{stage}_ms": q[0] for stage, q in quantiles.items() if stage != "block"}

    windowed = convert(voice, wave, params, plan)
    streamed = np.concatenate(pushed)[plan.latency :]
    figures["plumbing_error"] = _distance(streamed, windowed)
    if voice.analyser.streams_exactly(stream.lookahead_frames):
        figures["plumbing_error_mixed"] = _distance(_mixed(voice, stream, wave), windowed)
    whole = convert(voice, wave, params, stream=stream)
    figures["window_error"] = _distance(windowed, whole)

    torch.set_num_threads(file_threads)
    long = StreamingConverter(voice, file_stream(voice.config, stream), params)
    repeated = np.resize(wave, 4 * long.block)
    speeds = []
    for i in range(4):
        started = time.perf_counter()
        long.push(repeated[i * long.block : (i + 1) * long.block])
        speeds.append(long.block / rate / (time.perf_counter() - started))
    figures["offline_threads"] = file_threads
    figures["offline_speed"] = float(np.median(speeds))
    return figures


def bench_foreign(converter: ForeignConverter, threads: int = 1) -> dict[str, float | int]:
    """As `bench`, of an imported voice: its live path alone."""
    if not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads must lie between 1 and {MAX_THREADS}, got {threads}")
    plan, rate = converter.plan, converter.sample_rate
    wave, _ = load_mono(VOICES_FOLDER / "demo.flac", rate)
    blocks = max(min(len(wave), _FOREIGN_SECONDS * rate) // plan.block, 1)
    wave = np.resize(wave, blocks * plan.block)
    torch.set_num_threads(threads)
    meter = StageMeter(converter)
    meter.push(wave[: plan.block])  # warm up
    meter.reset()
    pushed = [meter.push(wave[i * plan.block : (i + 1) * plan.block]) for i in range(blocks)]
    block_ms = plan.milliseconds(plan.block)
    figures: dict[str, float | int] = {
        "threads": threads,
        "block_ms": block_ms,
        "latency_ms": plan.milliseconds(plan.algorithmic_latency),
        "rtf": float(np.sum(meter.stages["block"])) / (blocks * block_ms),
    }
    quantiles = meter.quantiles()
    figures |= dict(zip(("p50_ms", "p95_ms", "p99_ms"), quantiles["block"], strict=True))
    figures |= {f"{stage}_ms": q[0] for stage, q in quantiles.items() if stage != "block"}
    windowed = convert_windowed(converter.voice, wave, converter.params, converter.stream)
    figures["plumbing_error"] = _distance(np.concatenate(pushed)[plan.latency :], windowed)
    return figures


def describe(figures: Mapping[str, float | int]) -> list[str]:
    """The figures as lines with units."""
    words = {
        "threads": "{:.0f} thread(s), live",
        "rtf": "{:.2f} of real time",
        "offline_threads": "{:.0f} thread(s), files",
        "offline_speed": "{:.1f} x real time",
    }
    lines = []
    for key, value in figures.items():
        form = words.get(key, "{:.1f} ms" if key.endswith("_ms") else "{:.1e} relative")
        name = key.removesuffix("_ms").replace("_", " ")
        lines.append(f"{name:<22} {form.format(value)}")
    return lines


def _mixed(
    voice: VoiceModel, stream: StreamConfig, wave: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The wave pushed in blocks of changing size, without the latency."""
    converter = StreamingConverter(voice, stream)
    hop = voice.config.audio.hop_length
    parts, at, turn = [], 0, 0
    while at < len(wave):
        size = min(_MIXED_BLOCKS[turn % len(_MIXED_BLOCKS)] * hop, len(wave) - at)
        parts.append(converter.push(wave[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate(parts)[converter.latency :]


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Largest difference over the common length, relative to the largest value."""
    n = min(len(a), len(b))
    return float(np.abs(a[:n] - b[:n]).max() / max(float(np.abs(b[:n]).max()), 1e-9))
