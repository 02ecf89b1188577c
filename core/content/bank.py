"""UnitBank: says what was heard in units that the target itself would use.

Units keep a trace of who spoke. Each frame's units are drawn towards those of the target's own
speech that lie nearest, so the denoiser hears what it was trained on; what the target has no sound
for stays as it was heard. Frame by frame: it streams.
Idea: retrieval in RVC; Baas et al. 2023, "Voice Conversion With Just Nearest Neighbors".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_REACH = 1.8  # widths: a sound none of whose own units lie so near stays nearer to itself


class UnitBank(nn.Module):
    """Representative units of each target, (S, K, D). Built at export, never trained.

    In half precision, as the file has them: just one target's are used at a time, and kept in full.
    """

    units: Tensor

    def __init__(self, speakers: int, size: int, dim: int, width: float) -> None:
        """width: of the neighbourhood, a deviation in the space of the units."""
        super().__init__()
        self.width = width
        self.register_buffer("units", torch.zeros(speakers, size, dim, dtype=torch.half))
        self._kept: dict[int, tuple[tuple[Tensor, int], Tensor, Tensor]] = {}

    def forward(self, units: Tensor, weights: Tensor, share: float | Tensor) -> Tensor:
        """units (B, D, T), weights of the targets (B, S, T) -> units (B, D, T).

        share: how far they move to the target's own, one number or (B, 1, T); 1 is all the way,
        more goes past them, away from the source.
        """
        share = torch.as_tensor(share, dtype=units.dtype)
        if self.units.shape[1] == 0 or not share.any():
            return units
        x = units.transpose(1, 2)  # (B, T, D)
        mean = torch.zeros_like(x)
        for speaker in weights.amax((0, 2)).nonzero()[:, 0].tolist():  # one, but for a mix
            mean = mean + weights[:, speaker, :, None] * self.drawn(x, *self._own(speaker, x))
        mean = F.layer_norm(mean, mean.shape[-1:])  # a mean is shorter than its parts
        return torch.lerp(units, mean.transpose(1, 2), share)

    def drawn(self, x: Tensor, own: Tensor, energy: Tensor | None = None) -> Tensor:
        """Frames of units (B, T, D) -> the mean of the own units around each, of whom it is one.

        own: (K, D), or (B, K, D) where each of the batch has others. energy: half of their squared
        lengths, where known.
        """
        energy = _energy(own) if energy is None else energy
        reach = _REACH * self.width
        # -|x - c|^2 / 2 up to |x|^2, the same for every c; smooth, so rounding cannot jump
        nearness = x @ own.mT - energy.unsqueeze(-2)
        itself = 0.5 * (x.square().sum(-1, keepdim=True) - reach**2)  # a neighbour as far off
        near = torch.softmax(torch.cat([nearness, itself], -1) / self.width**2, -1)
        return near[..., :-1] @ own + near[..., -1:] * x

    def _own(self, speaker: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """A target's units in full (K, D), and their energy (K,); made once while they stay."""
        units = self.units
        seen = units, 0 if units.is_inference() else units._version
        kept = self._kept.get(speaker)
        if kept is None or kept[0][0] is not units or kept[0][1] != seen[1]:
            own = units[speaker].to(like)
            kept = self._kept[speaker] = seen, own, _energy(own)
        return kept[1:]


def _energy(units: Tensor) -> Tensor:
    return 0.5 * units.square().sum(-1)
