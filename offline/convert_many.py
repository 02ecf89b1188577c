"""Many files: in groups, in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from offline.cluster import cluster_size, on_cluster
from offline.convert_jobs import ConvertGroup, convert_jobs, lost
from offline.convert_together import Outcome, Pair, grouped, side_by_side

_SHARES = 4  # groups a core of a cluster: machines differ, and a lost group costs little


def convert_many(
    pairs: Sequence[Pair], make: Callable[[], ConvertGroup], jobs: int, cluster: str | None
) -> Iterator[Outcome]:
    """Converts (source, target) pairs; outcomes as they come, one for each.

    make: loads the voice; must be picklable. cluster: address of a Ray cluster, whose machines
    reach the same files.
    """
    if cluster is not None:
        found = [(source.resolve(), target.resolve()) for source, target in pairs]
        groups = grouped(found, _SHARES * cluster_size(cluster))
        for group, outcomes in on_cluster(cluster, make, groups):
            yield from lost(group) if outcomes is None else outcomes
    elif jobs > 1:
        yield from convert_jobs(grouped(pairs, jobs), make, jobs)
    else:
        yield from side_by_side(make(), grouped(pairs, torch.get_num_threads()))
