"""The excitation of NSF-HiFiGAN: nine sines on f0 mixed into one wave, or one sine (mini-NSF).

Source: Wang et al. 2019, "Neural source-filter-based waveform models", as used by public vocoders.
Phases are counted a frame at a time in float64, in turns modulo 1, so they can be carried on.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SourceKind = Literal["masked", "unmasked"]
"""masked: silent where f0 is 0, with noise (diff-svc, openvpi, DDSP-SVC). unmasked: without both,
and the start phase is added at every sample of the first frame (Diffusion-SVC)."""

_AMPLITUDE = 0.1
_VOICED_NOISE, _UNVOICED_NOISE = 0.003, 0.1 / 3


class HarmonicSource(nn.Module):
    """Sines of f0 and its multiples, mixed by one linear layer and a tanh."""

    def __init__(self, sample_rate: int, hop_length: int, partials: int) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.partials = sample_rate, hop_length, partials
        self.l_linear = nn.Linear(partials, 1)

    def forward(
        self,
        f0: Tensor,
        rand_ini: Tensor | None = None,
        noise: Tensor | None = None,
        phase: Tensor | None = None,
        kind: SourceKind = "masked",
    ) -> tuple[Tensor, Tensor]:
        """f0 in Hz (B, T), 0 where unvoiced -> wave (B, 1, T * hop), phase after it.

        rand_ini: (B, partials) start phases in turns, the first one taken as 0; None is zeros.
        noise: (B, T * hop, partials) standard normal; None is zeros.
        phase: (B, partials) in turns at the start, from the call before; rand_ini is then not used.
        """
        batch, frames = f0.shape
        hop = self.hop_length
        numbers = torch.arange(1, self.partials + 1, device=f0.device, dtype=f0.dtype)
        increments = f0[..., None] * numbers / self.sample_rate  # (B, T, partials), turns a sample
        start = torch.zeros_like(increments[:, 0]) if phase is None else phase
        if phase is None and rand_ini is not None:
            random = F.pad(rand_ini[:, 1:].to(increments), (1, 0))
            if kind == "masked":
                start = random
            else:
                increments[:, 0] += random
        start, steps = start.double(), increments.double()
        ends = start[:, None] + torch.cumsum(torch.remainder(steps * hop, 1.0), 1)
        begins = torch.cat([start[:, None], ends[:, :-1]], 1)
        within = torch.arange(1, hop + 1, device=f0.device, dtype=torch.float64)
        turns = begins[:, :, None] + steps[:, :, None] * within[:, None]  # (B, T, hop, partials)
        turns = torch.remainder(turns, 1.0).to(f0.dtype).view(batch, frames * hop, self.partials)
        sines = _AMPLITUDE * torch.sin(2 * torch.pi * turns)
        if kind == "masked":
            voiced = (f0 > 0).to(f0.dtype).repeat_interleave(hop, 1)[..., None]
            sines = sines * voiced
            if noise is not None:
                level = voiced * _VOICED_NOISE + (1 - voiced) * _UNVOICED_NOISE
                sines = sines + level * noise
        wave = torch.tanh(self.l_linear(sines)).transpose(1, 2)
        return wave, torch.remainder(ends[:, -1], 1.0)


def plain_sine(
    f0: Tensor,
    rate: float,
    samples: int,
    phase: Tensor | None = None,
    f0_after: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The excitation of mini-NSF: one sine whose f0 goes straight from frame to frame.

    f0 in Hz (B, T) -> wave (B, 1, T * samples) at `rate` Hz, phase (B,) in turns after it.
    phase: in turns at the start, from the call before. f0_after: (B,) of the frame after the last;
    None holds the last.
    """
    steps = f0.double() / rate  # turns a sample
    after = steps[:, -1:] if f0_after is None else f0_after.double()[:, None] / rate
    bend = torch.cat([steps[:, 1:], after], 1) - steps
    n = torch.arange(1, samples + 1, device=f0.device, dtype=torch.float64)
    within = steps[..., None] * n + 0.5 * bend[..., None] * n * (n - 1) / samples
    start = torch.zeros_like(steps[:, 0]) if phase is None else phase
    ends = start[:, None] + torch.cumsum(torch.remainder(within[..., -1], 1.0), 1)
    begins = F.pad(ends[:, :-1], (1, 0))
    begins[:, 0] = start
    turns = torch.remainder(begins[..., None] + within, 1.0).to(f0.dtype)
    wave = torch.sin(2 * torch.pi * turns).flatten(1)[:, None]
    return wave, torch.remainder(ends[:, -1], 1.0)
