"""PulseTrain: every harmonic of f0 up to Nyquist at equal strength, the phase carried on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_FASTEST = 1.06  # a frame's change of f0, about a semitone: faster is an error, not a glide


@dataclass
class SourceState:
    """phase: of the fundamental in turns, float64 (B, 1); f0, voiced: of the last frame, (B, 1);
    end: the pitch at that frame's end, Hz, float64 (B, 1).
    """

    phase: Tensor
    f0: Tensor
    voiced: Tensor
    end: Tensor


class PulseTrain:
    """A band-limited pulse train of unit power, fading within the frame where voicing turns.

    A frame's f0 is that of its middle. The pitch at its end is half a step further on, as long as
    two frames are voiced, so that a glide comes out neither late nor early.
    N equal cosines sum to Dirichlet's kernel, a closed form: the cost does not grow with N.
    """

    def __init__(self, sample_rate: int, hop_length: int) -> None:
        self.sample_rate, self.hop_length = sample_rate, hop_length

    def __call__(
        self, f0: Tensor, voiced: Tensor, state: SourceState | None = None
    ) -> tuple[Tensor, SourceState]:
        """f0 in Hz (B, T), voiced bool (B, T) -> pulses (B, T * hop)."""
        frame_f0 = f0.double()
        frame_voiced = voiced.double()
        if state is None:
            phase = torch.zeros_like(frame_f0[:, :1])
            silent = torch.zeros_like(frame_voiced[:, :1])
            state = SourceState(phase, frame_f0[:, :1], silent, frame_f0[:, :1])
        step = frame_f0 / torch.cat([state.f0, frame_f0[:, :-1]], 1)
        gliding = frame_voiced * torch.cat([state.voiced, frame_voiced[:, :-1]], 1)
        end = frame_f0 * step.clamp(1 / _FASTEST, _FASTEST) ** (0.5 * gliding)
        pitch = self._ramp(torch.cat([state.end, end], 1))
        gate = self._ramp(torch.cat([state.voiced, frame_voiced], 1))
        turns = state.phase + torch.cumsum(pitch / self.sample_rate, 1)
        phase = torch.remainder(turns, 1.0)
        harmonics = torch.floor(0.5 * self.sample_rate / pitch).clamp(min=1.0)
        half = torch.sin(torch.pi * phase)
        # 2 * sum of cos(2 pi k phase), k = 1..N;  at phase 0 the quotient's limit is 2N + 1
        quotient = torch.sin((2 * harmonics + 1) * torch.pi * phase) / torch.where(
            half.abs() < 1e-9, 1.0, half
        )
        kernel = torch.where(half.abs() < 1e-9, 2 * harmonics + 1, quotient) - 1
        pulses = (kernel * torch.rsqrt(2 * harmonics) * gate).float()
        return pulses, SourceState(
            phase[:, -1:], frame_f0[:, -1:], frame_voiced[:, -1:], end[:, -1:]
        )

    def _ramp(self, frames: Tensor) -> Tensor:
        """(B, T + 1) -> (B, T * hop): a straight line from each frame's value to the next."""
        steps = torch.arange(1, self.hop_length + 1, dtype=frames.dtype, device=frames.device)
        left, right = frames[:, :-1, None], frames[:, 1:, None]
        return (left + (right - left) * (steps / self.hop_length)).flatten(1)
