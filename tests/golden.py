"""The vectors made by the original code, where they are at hand; see their README for the names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Arrays = dict[str, NDArray[np.float32]]

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "reference" / "golden"
GOLDEN = Path(os.environ.get("MOKSORI_GOLDEN", _BESIDE))

needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden vectors at {GOLDEN}")


def cases(pattern: str) -> list[str]:
    """The folders that hold a file of that name pattern."""
    found = GOLDEN.glob(f"*/{pattern}") if GOLDEN.is_dir() else []
    return sorted({path.parent.name for path in found})


def arrays(case: str, name: str = "io") -> Arrays:
    """All arrays of a case."""
    with np.load(GOLDEN / case / f"{name}.npz") as file:
        return dict(file)


def tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.asarray(values))


def batched(values: ArrayLike, dims: int) -> Tensor:
    """With a batch axis in front where it lacks one."""
    found = tensor(values)
    return found if found.dim() == dims else found[None]


def distance(made: Tensor | ArrayLike, wanted: ArrayLike) -> float:
    """The largest error as a share of the range of what was wanted."""
    a = np.asarray(made.detach() if isinstance(made, Tensor) else made, dtype=np.float64)
    b = np.asarray(wanted, dtype=np.float64)
    assert a.size == b.size, f"{a.shape} against {b.shape}"
    return float(np.abs(a.reshape(b.shape) - b).max() / max(np.ptp(b), 1e-9))
