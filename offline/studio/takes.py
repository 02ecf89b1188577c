"""What is wrong with a piece of recording: clipped, noisy, said twice, said by someone else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offline.studio.slicer import levels

Wave = NDArray[np.float32]

_FULL_SCALE = 0.999
_BANDS, _CEPSTRA = 32, 14
_TOP_HZ = 7000.0
_SAME = 0.995  # correlation of two pieces' envelopes that are one take


def speech_gain(wave: Wave, rate: int, level_db: float) -> float:
    """The factor that brings a recording's loud parts onto a level; 1 for silence."""
    level = levels(wave, rate).astype(np.float64)
    loud = level[level > np.quantile(level, 0.95) - 15] if len(level) else level
    if not len(loud) or loud.max() < -70:
        return 1.0
    mean = 10 * np.log10(np.mean(10 ** (loud / 10)))
    peak = float(np.abs(wave).max())
    return float(min(10 ** ((level_db - mean) / 20), 0.99 / peak if peak else 1.0))


def clipped_share(wave: Wave) -> float:
    """The share of samples that stand in rows at the piece's own full scale."""
    peak = float(np.abs(wave).max(initial=0.0))
    if peak < 0.5 or len(wave) < 2:
        return 0.0
    stuck = np.abs(wave) >= _FULL_SCALE * peak
    return float((stuck[:-1] & stuck[1:]).mean())  # a lone sample at the peak is no clipping


def snr_db(wave: Wave, rate: int) -> float:
    """How far the quietest tenth lies under the loud parts, dB."""
    level = levels(wave, rate)
    return float(np.quantile(level, 0.95) - np.quantile(level, 0.05))


def portrait(wave: Wave, rate: int) -> NDArray[np.float32]:
    """How a piece sounds on average: cepstra of its spoken frames, (cepstra,); for `strangers`."""
    from scipy.fft import dct

    size = 1 << int(np.ceil(np.log2(rate * 0.04)))
    if len(wave) < 2 * size:
        return np.zeros(2 * _CEPSTRA, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: size // 2] * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    hz = np.fft.rfftfreq(size, 1 / rate)
    edges = 700 * np.expm1(np.linspace(np.log1p(80 / 700), np.log1p(_TOP_HZ / 700), _BANDS + 1))
    index = np.searchsorted(hz, edges)
    bands = np.stack([power[:, a : max(b, a + 1)].mean(1) for a, b in pairwise(index)], 1)
    total = bands.sum(1)
    log = np.log(bands[total > np.quantile(total, 0.5)] + 1e-10)
    cepstra = dct(log, axis=1, norm="ortho")[:, 1 : 1 + _CEPSTRA]
    return np.concatenate([cepstra.mean(0), cepstra.std(0)]).astype(np.float32)


def strangers(portraits: Sequence[NDArray[np.float32]], f0: Sequence[float]) -> NDArray[np.float32]:
    """How far each piece lies from the rest, in their own deviations; f0: medians in Hz."""
    if len(portraits) < 4:
        return np.zeros(len(portraits), np.float32)
    pitch = 12 * np.log2(np.maximum(np.asarray(f0, np.float64), 1.0))[:, None]
    points = np.concatenate([np.stack(portraits).astype(np.float64), pitch], 1)
    away = np.abs(points - np.median(points, 0))
    spread = 1.4826 * np.median(away, 0)
    far: NDArray[np.float32] = np.sqrt(np.mean(np.square(away / (spread + 0.1)), 1)).astype(
        np.float32
    )
    return far


def duplicates(envelopes: Sequence[NDArray[np.float32]]) -> list[int]:
    """Positions of the pieces that one before them already says; envelopes from `levels`."""
    twice = []
    kept: list[NDArray[np.float32]] = []
    for i, envelope in enumerate(envelopes):
        if any(_same(envelope, other) for other in kept):
            twice.append(i)
        else:
            kept.append(envelope)
    return twice


def _same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    n = min(len(a), len(b))
    if n < 20 or abs(len(a) - len(b)) > 3:
        return False
    return bool(np.corrcoef(a[:n], b[:n])[0, 1] > _SAME)
