"""Many files in several processes, each with the voice loaded once; and which are done already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from core.errors import VoiceChangerError
from offline.convert_together import Outcome, Pair

ConvertGroup = Callable[[Sequence[Pair]], list[Outcome]]

_convert: ConvertGroup | None = None  # of a worker process


def is_done(source: Path, target: Path) -> bool:
    """Whether the target was written after the source; targets appear whole or not at all."""
    try:
        return target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except OSError:
        return False


def convert_jobs(
    groups: Sequence[Sequence[Pair]], make: Callable[[], ConvertGroup], jobs: int
) -> Iterator[Outcome]:
    """Converts groups of (source, target) in `jobs` processes; outcomes as they come.

    make: loads the voice, in each process; must be picklable.
    """
    jobs = min(jobs, len(groups))
    threads = max(1, (os.cpu_count() or 1) // max(jobs, 1))
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (make, threads)) as pool:
        futures = {pool.submit(_work, group): group for group in groups}
        try:
            for future in as_completed(futures):
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    yield from lost(futures[future])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def lost(group: Sequence[Pair]) -> list[Outcome]:
    """What is said of files whose process was killed."""
    words = "a converting process was killed; convert it again"
    return [(s, t, VoiceChangerError(f"{s}: {words}")) for s, t in group]


def _begin(make: Callable[[], ConvertGroup], threads: int) -> None:
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us in order
    torch.set_num_threads(threads)
    global _convert
    _convert = make()


def _work(group: Sequence[Pair]) -> list[Outcome]:
    assert _convert is not None
    return _convert(group)
