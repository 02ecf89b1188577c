"""Postfilter: the formants of a conversion stand out more from the valleys between them.

A denoiser of one step says the mean of what could follow, and the peaks of a mean of spectra are
blunter than those of each. So what stands out of a frame's spectrum, smoothed along the bands,
stands out more by the speaker's `sharpness`; the frame stays as loud as it was. How much helps
whom, judges tell (`docs/experiments.md`).
Idea: the postfilters of codecs (Chen & Gersho 1995, "Adaptive Postfiltering for Quality
Enhancement of Coded Speech") and of parametric synthesis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.config import Speaker
from core.mel import band_smoothing

_WIDTH_BANDS = 8.0  # deviation of the smoothing: formants stand out of it, tilts do not
_LARGEST = 1.0  # nepers, either way


class Postfilter:
    """Nepers by which each band must come out stronger than denoised. Frame by frame, no state."""

    def __init__(self, speakers: Sequence[Speaker], bands: int) -> None:
        self._sharpness = torch.tensor([speaker.sharpness for speaker in speakers])
        reach = np.arange(-int(3 * _WIDTH_BANDS), int(3 * _WIDTH_BANDS) + 1)
        smooth = band_smoothing(bands, np.exp(-0.5 * (reach / _WIDTH_BANDS) ** 2))
        self._standing_out = torch.from_numpy(np.eye(bands) - smooth).float()

    def __call__(self, mel: Tensor, speaker: Tensor) -> Tensor:
        """mel: natural log of magnitude (B, M, T), and whose, (B, S, T) -> nepers (B, M, T)."""
        share = (self._sharpness[:, None] * speaker).sum(1, keepdim=True)
        if not share.any():
            return torch.zeros_like(mel)
        more = (share * (self._standing_out @ mel)).clamp(-_LARGEST, _LARGEST)
        return more - 0.5 * (_log_power(mel + more) - _log_power(mel))


def _log_power(mel: Tensor) -> Tensor:
    """Of all bands together, (B, 1, T)."""
    return torch.logsumexp(2 * mel, 1, keepdim=True)
