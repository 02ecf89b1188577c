"""DiffusionSvcVoice: a voice of Diffusion-SVC, with the features that its own tools would give it.

Facts of the features: CNChTu/Diffusion-SVC. Resampling is `kaiser_best`, a little sharper than its.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from core.diff_svc.config import ForeignConfig
from core.diff_svc.foreign import ForeignVoice, State, load_voice, part_of
from core.diff_svc.unit2mel import Unit2Mel
from core.diff_svc.walk import Fresh
from core.diffusion.gaussian import GaussianDiffusion
from core.f0.praat import PraatConfig, praat_pitch
from core.f0.praat_stream import PitchGrid

Wave = NDArray[np.float32]

_SILENT_DB = -60.0
_HANG = 4  # frames around a loud one that are no silence
_EDGE = 1.5  # periods of the lowest pitch that Praat's first frame needs before it


class DiffusionSvcVoice(ForeignVoice):
    """Unit2Mel beside what every imported voice has."""

    def __init__(self, config: ForeignConfig, weights: State) -> None:
        """weights: under `unit2mel.`, and as `ForeignVoice` takes them."""
        super().__init__(config, weights)
        self.unit2mel = Unit2Mel.from_state_dict(part_of(weights, "unit2mel"))
        self.diffusion.fitted = config.fitted
        self.eval()

    @staticmethod
    def load(path: Path) -> DiffusionSvcVoice:
        """Reads an imported voice; a file that is none, or not whole, is a VoiceFileError."""
        return load_voice(path, DiffusionSvcVoice, "diffusion-svc")

    def frames(self, samples: int) -> int:
        """Mel frames of a wave: one more than it has whole hops."""
        return samples // self.config.mel.hop_length + 1

    def pitch(self, wave: Wave) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """wave (T,) -> f0 in Hz, continuous and not under f0_min, and voiced; (frames,) each."""
        form, bounds = self.config.mel, self.config.pitch
        frames = self.frames(len(wave))
        left = math.ceil(_EDGE / bounds.f0_min * form.sample_rate)
        right = form.hop_length * ((len(wave) - 1) // form.hop_length + 1) - len(wave) + left + 1
        found = praat_pitch(
            np.pad(wave, (left, right)),
            form.sample_rate,
            form.hop_length,
            PraatConfig(bounds.f0_min, bounds.f0_max),
        )
        f0 = np.pad(found, (0, max(frames - len(found), 0)))[:frames]
        voiced = f0 > 0
        if voiced.any():
            places = np.arange(frames)
            f0 = np.interp(places, places[voiced], f0[voiced])
        return np.maximum(f0, bounds.f0_min).astype(np.float32), voiced

    def volume(self, wave: Tensor) -> Tensor:
        """wave (B, T) -> root mean square of the hop around each frame's place, (B, frames)."""
        hop = self.config.mel.hop_length
        padded = F.pad(wave.square()[:, None], (hop // 2, (hop + 1) // 2), mode="reflect")[:, 0]
        count = self.frames(wave.shape[1])
        needed = F.pad(padded, (0, max(count * hop - padded.shape[1], 0)))[:, : count * hop]
        return needed.reshape(len(wave), count, hop).mean(-1).sqrt()

    def sample(
        self,
        units: Tensor,
        f0: Tensor,
        volume: Tensor,
        noise: Tensor,
        speaker: int = 1,
        speedup: int | None = None,
        fresh: Fresh | None = None,
        method: str | None = None,
    ) -> Tensor:
        """units (B, N, D), f0 and volume (B, T), noise (B, M, T) -> natural-log mel (B, M, T).

        speaker: counted from 1. speedup: stride through the steps, method: of `walk`; None for
        the voice's own.
        """
        config, frames = self.config, f0.shape[1]
        stretched = F.interpolate(units.transpose(1, 2), size=frames, mode="nearest")
        cond = self.unit2mel.condition(
            stretched.transpose(1, 2), f0, volume, torch.full((len(f0),), speaker)
        )
        stride = config.speedup if speedup is None else speedup
        return self.unit2mel.sample(
            cond, noise, method or config.sampler, stride, start=config.k_step, fresh=fresh
        )

    def audible(self, volume: Tensor) -> Tensor:
        """volume (B, T) -> 1 where the source sounds, 0 in silence, soft between; (B, T * hop)."""
        level = F.max_pool1d(volume[:, None], 2 * _HANG + 1, 1, _HANG)
        heard = (20 * torch.log10(level.clamp(min=1e-5)) > _SILENT_DB).to(volume)
        samples = volume.shape[1] * self.config.mel.hop_length
        return F.interpolate(heard, size=samples, mode="linear", align_corners=False)[:, 0]

    @property
    def diffusion(self) -> GaussianDiffusion:
        """Of the model's decoder."""
        return self.unit2mel.decoder

    def unit_of(self, frames: Tensor) -> Tensor:
        """Absolute frames -> the unit, from 0, of each in a stream: the nearest before."""
        per_unit = self.frames_per_unit
        return (frames * per_unit.denominator).div(per_unit.numerator, rounding_mode="floor")

    @property
    def pitch_grid(self) -> PitchGrid:
        """Where the frames of its f0 lie in a stream."""
        form = self.config.mel
        return PitchGrid(form.sample_rate, form.hop_length, 0, 0)

    def encode(self, units: Tensor) -> Tensor:
        """Units (B, N, D) as they are."""
        return units

    def level(self, wave: Tensor) -> Tensor:
        """wave (B, n) -> the volume of its frames."""
        return self.volume(wave)

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

        rows (B, T, D): of `encode`. log2_f0, unvoiced and level (B, T).
        """
        f0 = (2**log2_f0).clamp(min=self.config.pitch.f0_min) * 2 ** (semitones / 12)
        chosen = torch.full((len(f0),), speaker)
        return self.unit2mel.condition(rows, f0, level, chosen), f0
