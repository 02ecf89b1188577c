"""The rule all estimators share for unvoiced frames: f0 holds the last voiced value (causal)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DEFAULT_F0 = 150.0  # Hz, before the first voiced frame: between the usual male and female medians


def hold(
    f0: NDArray[np.float64], voiced: NDArray[np.bool_], last: float = DEFAULT_F0
) -> NDArray[np.float32]:
    """f0: (frames,), any value where not voiced -> float32 (frames,), held through unvoiced frames.

    last: the f0 held so far; a stream passes the last value it returned.
    """
    padded = np.concatenate([[last], f0])
    source = np.where(voiced, np.arange(1, len(padded)), 0)
    held: NDArray[np.float32] = padded[np.maximum.accumulate(source)].astype(np.float32)
    return held
