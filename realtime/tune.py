"""Tuning: which block and how many threads give the least latency that this machine can hold."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import VoiceChangerError
from realtime.plan import BlockProcessor
from realtime.settings import Tuned, store_tuned

SHARE = 0.6  # of a block that its p99 may take
BLOCK_FRAMES = (1, 2, 3, 4, 6, 8, 12)
WARM_UP_BLOCKS = 3
LEAST_BLOCKS = 20  # of each candidate
HOPELESS_BLOCKS = 5  # none of them quick enough: no need to hear the rest


@dataclass(frozen=True)
class Candidate:
    """A setting and what it took: p50 and p99 of a block; latency without devices, with the cushion
    of a block. Milliseconds.
    """

    block_frames: int
    threads: int
    block_ms: float
    latency_ms: float
    p50_ms: float
    p99_ms: float

    @property
    def holds(self) -> bool:
        """Whether a session can be expected to run without a dropout."""
        return self.p99_ms <= SHARE * self.block_ms


def tune(
    voice: str,
    make: Callable[[int, int], BlockProcessor],
    wave: NDArray[np.float32],
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> None:
    """What `moksori tune` does: measures, prints, keeps the best. See `measure`."""
    say(f"measuring for {args.seconds:.0f} s; leave the machine as it is when you use it ...")
    candidates = measure(make, wave, thread_counts(), args.seconds)
    if args.json:
        print(json.dumps([{**asdict(c), "holds": c.holds} for c in candidates]))
    else:
        print("\n".join(_describe(c) for c in candidates))
    best = choose(candidates)
    path = store_tuned(
        Tuned(
            voice,
            best.block_frames,
            best.threads,
            best.block_ms,
            best.p99_ms,
            best.latency_ms,
        )
    )
    say(
        f"best: a block of {best.block_ms:.1f} ms with {best.threads} threads, latency"
        f" {best.latency_ms:.0f} ms without devices; kept in {path}, for moksori live"
    )


def _describe(c: Candidate) -> str:
    return (
        f"block {c.block_ms:6.1f} ms, {c.threads} threads: p50 {c.p50_ms:5.1f}"
        f"  p99 {c.p99_ms:5.1f} ms, latency {c.latency_ms:4.0f} ms{' *' * c.holds}"
    )


def thread_counts() -> list[int]:
    """1, 2, 4, ... as far as there are cores."""
    cores = os.cpu_count() or 1
    return [count for count in (1, 2, 4, 8) if count <= cores]


def measure(
    make: Callable[[int, int], BlockProcessor],
    wave: NDArray[np.float32],
    threads: Sequence[int],
    seconds: float = 20.0,
    block_frames: Sequence[int] = BLOCK_FRAMES,
) -> list[Candidate]:
    """make: (block_frames, threads) -> a processor. wave: speech at its rate (T,), repeated.

    The time is shared equally.
    """
    share = seconds / (len(threads) * len(block_frames))
    return [
        _measure(make(frames, count), wave, frames, count, share)
        for count in threads
        for frames in block_frames
    ]


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The least latency of those that hold. VoiceChangerError where none does."""
    holding = [candidate for candidate in candidates if candidate.holds]
    if not holding:
        quickest = min(candidates, key=lambda c: c.p99_ms / c.block_ms)
        raise VoiceChangerError(
            f"this machine is too slow for the voice: its best block of {quickest.block_ms:.0f} ms"
            f" took {quickest.p99_ms:.0f} ms, {SHARE:.0%} of it are wanted; close other programs,"
            " or use fewer --steps"
        )
    return min(holding, key=lambda c: (c.latency_ms, c.p99_ms))


def _measure(
    processor: BlockProcessor,
    wave: NDArray[np.float32],
    block_frames: int,
    threads: int,
    seconds: float,
) -> Candidate:
    block = processor.block
    blocks = np.resize(wave, -(-len(wave) // block) * block).reshape(-1, block)
    taken: list[float] = []
    until = time.perf_counter() + seconds
    number = -WARM_UP_BLOCKS
    while time.perf_counter() < until or len(taken) < LEAST_BLOCKS:
        if len(taken) >= HOPELESS_BLOCKS and min(taken) > block / processor.sample_rate:
            break
        started = time.perf_counter()
        processor.push(blocks[number % len(blocks)])
        if number >= 0:
            taken.append(time.perf_counter() - started)
        number += 1
    ms = 1e3 / processor.sample_rate
    p50, p99 = 1e3 * np.percentile(taken, (50, 99))
    latency = 2 * block + processor.latency
    return Candidate(block_frames, threads, block * ms, latency * ms, float(p50), float(p99))
