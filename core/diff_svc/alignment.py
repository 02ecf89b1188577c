"""Which content unit a mel frame hears, and what else the condition counts in frames."""

from __future__ import annotations

import torch
from torch import Tensor


def align(frames: int, units: int) -> Tensor:
    """The 1-based unit of each mel frame, (frames,) int64; 0 is left for padding.

    Frame m takes the first unit whose end, int(i d + d + 0.5) with d = frames / units, is not
    before it: every boundary one frame late. Voices are trained with that lag, so it stays.
    """
    if frames < 1 or units < 1:
        raise ValueError(f"expected at least 1 frame and 1 unit, got {frames} and {units}")
    step = frames / units
    places = torch.arange(units, dtype=torch.float64)
    ends = (places * step + step + 0.5).to(torch.int64)
    first = torch.searchsorted(ends, torch.arange(frames), side="left")
    return 1 + first.clamp(max=units - 1)


def gather_units(units: Tensor, mel2ph: Tensor) -> Tensor:
    """units (B, N, D), mel2ph (B, T) from `align` -> (B, T, D); zeros where mel2ph is 0."""
    padded = torch.nn.functional.pad(units, (0, 0, 1, 0))
    return padded.gather(1, mel2ph[..., None].expand(-1, -1, units.shape[2]))


def energy(mel_log10: Tensor) -> Tensor:
    """mel (B, M, T) in log10 -> (B, T): the root of summed exp(mel) ** 2, as voices learned it."""
    return mel_log10.exp().square().sum(1).sqrt()
