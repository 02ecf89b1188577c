"""DiffSvcVoice: everything a diff-svc voice needs to turn one wave into another, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.diff_svc.alignment import align, energy
from core.diff_svc.condition import Condition
from core.diff_svc.config import ForeignConfig
from core.diff_svc.foreign import ForeignVoice, State, load_voice, part_of
from core.diff_svc.mel import MelFrontEnd
from core.diff_svc.pitch import log_pitch, shift_pitch
from core.diff_svc.walk import Fresh, begin, walk
from core.diffusion.gaussian import GaussianDiffusion
from core.diffusion.original import bind
from core.errors import ConfigError
from core.f0.praat_stream import PitchGrid, file_grid


@dataclass(frozen=True)
class Heard:
    """What a voice hears in a wave, T mel frames of it.

    units (B, N, D); mel2ph (B, T), 1-based, 0 in padding; log2_f0 and unvoiced (B, T), as the
    source has them; energy (B, T); mel (B, M, T), the source's own in log10.
    """

    units: Tensor
    mel2ph: Tensor
    log2_f0: Tensor
    unvoiced: Tensor
    energy: Tensor
    mel: Tensor

    @property
    def frames(self) -> int:
        return int(self.mel2ph.shape[1])


class DiffSvcVoice(ForeignVoice):
    """A diff-svc voice: condition and diffusion beside what every imported voice has."""

    def __init__(self, config: ForeignConfig, weights: State) -> None:
        """weights: under `diffusion.` and `condition.`, and as `ForeignVoice` takes them."""
        super().__init__(config, weights)
        self.front_end = MelFrontEnd(config.mel)
        self.diffusion = GaussianDiffusion.from_state_dict(
            part_of(weights, "diffusion"), config.dilation_cycle
        )
        self.diffusion.fitted = config.fitted
        self.condition = Condition.from_state_dict(
            part_of(weights, "condition"), config.pitch, config.heads, config.activation
        )
        self.eval()

    @staticmethod
    def load(path: Path) -> DiffSvcVoice:
        """Reads an imported voice; a file that is none, or not whole, is a VoiceFileError."""
        return load_voice(path, DiffSvcVoice, "diff-svc")

    def hear(self, wave: Tensor, units: Tensor, f0: NDArray[np.float64]) -> Heard:
        """wave (1, T) at the voice's rate, its units and f0 in Hz (frames,), 0 unvoiced."""
        mel = self.front_end(wave)
        frames = mel.shape[2]
        if len(f0) != frames:
            raise ConfigError(f"expected f0 of {frames} frames, as the mel has, got {len(f0)}")
        if not frames or not units.shape[1]:
            raise ConfigError(
                f"nothing to convert: {wave.shape[1]} samples are {frames} mel frames and"
                f" {units.shape[1]} units, expected at least 1 of each"
            )
        pitch = log_pitch(f0)
        return Heard(
            units,
            align(frames, units.shape[1])[None],
            torch.from_numpy(pitch.log2)[None],
            torch.from_numpy(pitch.unvoiced)[None],
            energy(mel),
            mel,
        )

    def conditioned(
        self,
        heard: Heard,
        semitones: float = 0.0,
        exact: bool | None = None,
        speaker: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """-> the denoiser's condition (B, H, T) and f0 in Hz (B, T), in another key.

        exact: None takes the voice's own; else whether pitch above f0_max drops to 1 Hz. speaker:
        of a voice with several, counted from 1.
        """
        exact = self.config.exact if exact is None else exact
        log2 = shift_pitch(heard.log2_f0, semitones, self.config.pitch.f0_max, exact)
        row = torch.full((len(log2),), speaker - 1)
        made: tuple[Tensor, Tensor] = self.condition(
            heard.units, heard.mel2ph, log2, heard.unvoiced, heard.energy, row
        )
        return made

    def sample(
        self,
        cond: Tensor,
        noise: Tensor,
        speedup: int | None = None,
        start_mel: Tensor | None = None,
        start: int | None = None,
        fresh: Fresh | None = None,
        mask: Tensor | None = None,
        method: str | None = None,
    ) -> Tensor:
        """cond (B, H, T), standard normal noise (B, M, T) -> the voice's mel in log10 (B, M, T).

        speedup: stride of the sampler; 1 is DDPM, with `fresh` noise. start: the step to begin at;
        with start_mel (B, M, T) from that mel under the noise of step start - 1. mask (B, 1, T): 1
        where a frame is real. method: None for the voice's own, see `walk`.
        """
        config, diffusion = self.config, self.diffusion
        speedup = config.speedup if speedup is None else speedup
        start = config.k_step if start is None else start
        x = begin(diffusion, noise, start, start_mel)
        predict = bind(diffusion, cond, mask)
        made = walk(diffusion, predict, x, method or config.sampler, start, speedup, fresh)
        return diffusion.denormalise(made).cpu()

    def unit_of(self, frames: Tensor) -> Tensor:
        """Absolute frames -> the unit, from 0, of each in a stream, late as in `align`."""
        per_unit = self.frames_per_unit
        p, q = per_unit.numerator, per_unit.denominator
        return ((2 * frames - 1) * q + 2 * p - 1).div(2 * p, rounding_mode="floor").clamp(min=1) - 1

    def encode(self, units: Tensor) -> Tensor:
        """Units of a window (B, N, D) -> what its frames are told of them, (B, N, H)."""
        return self.condition.encode(units)

    @property
    def pitch_grid(self) -> PitchGrid:
        """Where the frames of its f0 lie in a stream."""
        form = self.config.mel
        return file_grid(form.sample_rate, form.hop_length, self.config.pitch.f0_min)

    def level(self, wave: Tensor) -> Tensor:
        """wave (B, n) -> the energy of its frames where the voice heeds it, else zeros."""
        if not self.config.pitch.use_energy:
            return torch.zeros(len(wave), self.config.mel.frames(wave.shape[1]))
        return energy(self.front_end(wave))

    def told(
        self,
        rows: Tensor,
        log2_f0: Tensor,
        unvoiced: Tensor,
        level: Tensor,
        semitones: float,
        speaker: int,
    ) -> tuple[Tensor, Tensor]:
        """Frames of a stream -> the denoiser's condition (B, H, T) and f0 in Hz (B, T).

        rows (B, T, H): of `encode`. log2_f0, unvoiced and level (B, T).
        """
        pitch = self.config.pitch
        log2 = shift_pitch(log2_f0, semitones, pitch.f0_max, self.config.exact)
        row = torch.full((len(log2),), speaker - 1)
        return self.condition.told(rows, log2, unvoiced, level, row)
