"""The strongest local maxima of a periodicity curve, refined between samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def strongest_peaks(
    curve: NDArray[np.float64],
    scale: NDArray[np.float64],
    bonus: NDArray[np.float64],
    first: int,
    count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """curve: (n, L) over lags; maxima at lags first .. L - 2, the `count` with the most strength.
    Strength is curve * scale + bonus, both (L,).

    Returns lags (n, count), between samples, and strengths (of the parabola's top), -inf (at
    lag 1) where there are fewer maxima.
    """
    inner = curve[:, first:-1]
    left, right = curve[:, first - 1 : -2], curve[:, first + 1 :]
    is_peak = (inner > left) & (inner >= right) & (inner > 0)
    ranked = np.where(is_peak, inner * scale[first:-1] + bonus[first:-1], -np.inf)
    index = np.argpartition(ranked, -count, axis=1)[:, -count:]
    strength = np.take_along_axis(ranked, index, 1)
    at = np.take_along_axis(inner, index, 1)
    before, after = np.take_along_axis(left, index, 1), np.take_along_axis(right, index, 1)
    bend = np.minimum(before + after - 2 * at, -1e-12)
    shift = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    found = np.isfinite(strength)
    lag = np.where(found, index + first + shift, 1.0)
    return lag, np.where(
        found, strength - 0.25 * (before - after) * shift * scale[index + first], -np.inf
    )
