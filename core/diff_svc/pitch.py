"""f0 as diff-svc conditions on it: continuous in log2, then coarse bins on the mel scale."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MEL_SCALE = 1127.0
_MEL_BREAK_HZ = 700.0


class LogPitch(NamedTuple):
    """log2 of f0, interpolated through unvoiced frames, and where those are; float32 (T,)."""

    log2: NDArray[np.float32]
    unvoiced: NDArray[np.float32]


def log_pitch(f0: NDArray[np.float64]) -> LogPitch:
    """f0 in Hz (T,), 0 where unvoiced. Without any voiced frame log2 is 0 (1 Hz) throughout."""
    unvoiced = f0 == 0
    log2 = np.zeros(len(f0))
    log2[~unvoiced] = np.log2(f0[~unvoiced])
    if unvoiced.any() and not unvoiced.all():
        places = np.arange(len(f0))
        log2[unvoiced] = np.interp(places[unvoiced], places[~unvoiced], log2[~unvoiced])
    return LogPitch(log2.astype(np.float32), unvoiced.astype(np.float32))


def shift_pitch(log2: Tensor, semitones: float, f0_max: float, exact: bool = False) -> Tensor:
    """log2 f0 (B, T) in another key.

    A pitch above f0_max would leave the range the voice was trained in: it is held at f0_max.
    exact: it becomes 1 Hz instead, as in the original.
    """
    shifted = log2 + semitones / 12
    top = math.log2(f0_max)
    if exact:
        return torch.where(shifted > top, torch.zeros_like(shifted), shifted)
    return shifted.clamp(max=top)


def pitch_hz(log2: Tensor, unvoiced: Tensor, use_uv: bool, padding: Tensor | None = None) -> Tensor:
    """log2 f0 and unvoiced (B, T) -> Hz; 0 in padding, and where unvoiced if the voice uses that.

    padding: (B, T) bool.
    """
    hz: Tensor = 2**log2
    if use_uv:
        hz = hz.masked_fill(unvoiced > 0, 0.0)
    return hz if padding is None else hz.masked_fill(padding, 0.0)


def coarse_pitch(f0: Tensor, bins: int, f0_min: float, f0_max: float) -> Tensor:
    """f0 in Hz -> rows 1 to bins - 1 of the pitch table, int64 of the same shape."""
    low, high = _mel(f0_min), _mel(f0_max)
    mel = _MEL_SCALE * (1 + f0 / _MEL_BREAK_HZ).log()
    mel = torch.where(mel > 0, (mel - low) * (bins - 2) / (high - low) + 1, mel)
    return (mel.clamp(1, bins - 1) + 0.5).long()


def _mel(hz: float) -> float:
    return _MEL_SCALE * float(np.log(1 + hz / _MEL_BREAK_HZ))
