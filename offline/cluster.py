"""Work spread over a Ray cluster. Ray is imported here alone, when a cluster is asked for.

A task whose worker or machine dies is run again elsewhere, so tasks must leave nothing half done:
they write files under a temporary name and rename them. All machines reach the same files and have
the same moksori installed.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from core.errors import VoiceChangerError, first_line

T = TypeVar("T")
R = TypeVar("R")

_RETRIES = 5  # of a task whose worker died
_made: dict[bytes, Callable[[Any], Any]] = {}  # of a worker process: what was loaded once


def cluster_size(address: str) -> int:
    """Joins the cluster, and says how many tasks run at a time: one a processor core."""
    ray = _joined(address)
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def on_cluster(
    address: str, make: Callable[[], Callable[[T], R]], items: Sequence[T]
) -> Iterator[tuple[T, R | None]]:
    """Does `make()(item)` for each item; (item, result) as they come, each item once.

    make: loads what the work needs, once a worker process; must be picklable. The result is None
    where workers kept dying; an error the work raises is raised here.
    """
    ray = _joined(address)
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_do)
    key = pickle.dumps(make)
    running = {task.remote(key, item): item for item in items}
    try:
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            item = running.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
                result = None
            yield item, result
    finally:
        for each in running:
            ray.cancel(each)


def _do(key: bytes, item: T) -> Any:
    """One task, in a worker process."""
    if key not in _made:
        import torch

        torch.set_num_threads(1)
        _made.clear()
        _made[key] = pickle.loads(key)()  # made by the process that asks, never read from a file
    return _made[key](item)


def _joined(address: str) -> Any:
    try:
        import ray
    except ImportError:
        raise VoiceChangerError(
            'a cluster needs Ray; install it with: pip install "moksori[cluster]"'
        ) from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise VoiceChangerError(
                f"no Ray cluster answers at {address} ({first_line(error)}); start one with: ray"
                " start --head, and give the address that it names"
            ) from None
    return ray
