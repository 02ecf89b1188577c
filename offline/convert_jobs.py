"""Many files in several processes, each with the voice loaded once; and which are done already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from core.audio import make_folder
from core.errors import VoiceChangerError
from offline.convert import Converted, Progress

Convert = Callable[[Path, Path, Progress], Converted]
Outcome = tuple[Path, Path, Converted | VoiceChangerError]

_convert: Convert | None = None  # of a worker process


def is_done(source: Path, target: Path) -> bool:
    """Whether the target was written after the source; targets appear whole or not at all."""
    try:
        return target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except OSError:
        return False


def convert_jobs(
    pairs: Sequence[tuple[Path, Path]], make: Callable[[], Convert], jobs: int
) -> Iterator[Outcome]:
    """Converts pairs of (source, target) in `jobs` processes; outcomes as they come.

    make: loads the voice, in each process; must be picklable.
    """
    for _, target in pairs:
        make_folder(target.parent)
    jobs = min(jobs, len(pairs))
    threads = max(1, (os.cpu_count() or 1) // max(jobs, 1))
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (make, threads)) as pool:
        futures = {pool.submit(_work, *pair): pair for pair in pairs}
        try:
            for future in as_completed(futures):
                source, target = futures[future]
                try:
                    yield source, target, future.result()
                except VoiceChangerError as error:
                    yield source, target, error
                except BrokenProcessPool:
                    words = f"{source}: a converting process was killed; convert it again"
                    yield source, target, VoiceChangerError(words)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(make: Callable[[], Convert], threads: int) -> None:
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us in order
    torch.set_num_threads(threads)
    global _convert
    _convert = make()


def _work(source: Path, target: Path) -> Converted:
    assert _convert is not None
    return _convert(source, target, lambda share: None)
