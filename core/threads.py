"""How many threads the networks compute with."""

from __future__ import annotations

import torch


def use_threads(count: int = 1) -> None:
    """Of every thread that computes from now on. Small blocks lose more to waiting threads than
    they gain from them.
    """
    torch.set_num_threads(count)
