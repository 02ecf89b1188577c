"""Unit2Mel: the model of Diffusion-SVC (and of DDSP-SVC's `Diffusion` type), natural-log mel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from core.diff_svc.walk import Fresh, begin, walk
from core.diffusion.gaussian import GaussianDiffusion
from core.diffusion.original import bind
from core.errors import VoiceFileError
from core.state_dict import expect, load_weights

_MEL_BREAK_HZ = 700.0
_SHIFT_SCALE = 5.0


class Unit2Mel(nn.Module):
    """Units, f0, volume and speaker become a condition; a DiffNet makes the mel of it."""

    def __init__(
        self, decoder: GaussianDiffusion, units: int, speakers: int = 0, shifts: bool = False
    ) -> None:
        super().__init__()
        width = decoder.denoise_fn.size.condition
        self.decoder = decoder
        self.unit_embed = nn.Linear(units, width)
        self.f0_embed = nn.Linear(1, width)
        self.volume_embed = nn.Linear(1, width)
        self.spk_embed = nn.Embedding(speakers, width) if speakers else None
        self.aug_shift_embed = nn.Linear(1, width, bias=False) if shifts else None

    @staticmethod
    def from_state_dict(state: Mapping[str, Tensor]) -> Unit2Mel:
        """The model these weights are of. Its dilations are 1 throughout."""
        prefix = "decoder."
        inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        decoder = GaussianDiffusion.from_state_dict(inner, cycle=1)
        units = expect(state, "unit_embed.weight", None, None).shape[1]
        speakers = state.get("spk_embed.weight")
        width = decoder.denoise_fn.size.condition
        if speakers is not None and speakers.shape[1] != width:
            raise VoiceFileError(
                f"spk_embed.weight has shape {tuple(speakers.shape)}, expected a row of {width} for"
                " each speaker; a voice made with a speaker encoder needs vectors that are not in"
                " its file"
            )
        model = Unit2Mel(
            decoder,
            units,
            0 if speakers is None else len(speakers),
            "aug_shift_embed.weight" in state,
        )
        load_weights(model, state, "Unit2Mel")
        return model

    def condition(
        self,
        units: Tensor,
        f0: Tensor,
        volume: Tensor,
        speaker: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> Tensor:
        """units (B, T, D), f0 in Hz (B, T), volume (B, T) -> (B, H, T).

        speaker (B,): 1-based, as the project counts. shift (B,): semitones of formant shift.
        """
        pitch = (1 + f0 / _MEL_BREAK_HZ).log()
        cond = self.unit_embed(units) + self.f0_embed(pitch[..., None])
        cond = cond + self.volume_embed(volume[..., None])
        if self.spk_embed is not None:
            chosen = torch.ones(len(f0), dtype=torch.long) if speaker is None else speaker
            cond = cond + self.spk_embed(chosen - 1)[:, None]
        if self.aug_shift_embed is not None and shift is not None:
            cond = cond + self.aug_shift_embed(shift[:, None, None] / _SHIFT_SCALE)
        made: Tensor = cond.transpose(1, 2)
        return made

    def sample(
        self,
        cond: Tensor,
        noise: Tensor,
        method: str = "dpm-solver",
        speedup: int = 10,
        start_mel: Tensor | None = None,
        start: int | None = None,
        fresh: Fresh | None = None,
    ) -> Tensor:
        """cond (B, H, T), standard normal noise (B, M, T) -> natural-log mel (B, M, T).

        start_mel, start: a mel to begin with, noised to step start - 1. speedup 1: DDPM, whatever
        the method, with `fresh` noise.
        """
        decoder = self.decoder
        start = decoder.timesteps if start is None else start
        x = begin(decoder, noise, start, start_mel)
        made = walk(decoder, bind(decoder, cond), x, method, start, speedup, fresh)
        return decoder.denormalise(made).cpu()
