"""What tests of single parts need of the golden vectors, and full-size weights by recipe."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.golden import GOLDEN


def cases_with(path: str) -> list[str]:
    """The folders of the vectors that hold such a file."""
    found = (folder.name for folder in GOLDEN.glob("*") if (folder / path).exists())
    return sorted(found)


def golden(name: str) -> Path:
    """A file or folder of the vectors; the test is skipped where there are none."""
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"the golden vectors are not at {GOLDEN}")
    return path


@cache
def arrays(case: str) -> dict[str, NDArray[Any]]:
    """Every array of a case's io.npz."""
    with np.load(golden(f"{case}/io.npz")) as file:
        return {key: file[key] for key in file.files}


def tensor(case: str, name: str) -> Tensor:
    return torch.from_numpy(arrays(case)[name])


def checkpoint(name: str) -> Any:
    return torch.load(golden(name), map_location="cpu", weights_only=True)


def error(got: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the range of what is wanted."""
    assert got.shape == want.shape
    return float((got - want).abs().max() / (want.max() - want.min()))


def recipe(shapes: Mapping[str, tuple[int, ...]], prefix: str, seed: int) -> dict[str, Tensor]:
    """Weights of any size from their names alone: the recipe of the vectors' README."""
    weights: dict[str, Tensor] = {}
    for key in sorted(shapes, key=lambda key: key.endswith("weight_g")):  # g needs its v
        shape = shapes[key]
        name = zlib.crc32((prefix + key).encode())
        z = np.random.default_rng([seed, name]).standard_normal(shape, dtype=np.float32)
        if key.endswith("bias"):
            z = np.float32(0.02) * z
        elif key.endswith("weight_g"):
            v = weights[key.removesuffix("g") + "v"].double()
            over = [i for i, size in enumerate(shape) if size == 1]
            norm = torch.linalg.vector_norm(v, dim=over, keepdim=True).float().numpy()
            z = norm * (1 + np.float32(0.1) * z)
        elif len(shape) == 1:
            z = 1 + np.float32(0.1) * z
        else:
            z = z / np.float32(np.sqrt(np.prod(shape[1:])))
        weights[key] = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32))
    return weights
