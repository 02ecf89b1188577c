"""The condition of a diff-svc denoiser: units on the mel grid, plus pitch, energy and speaker."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from core.diff_svc.alignment import gather_units
from core.diff_svc.config import PitchFormat
from core.diff_svc.encoder import FftEncoder
from core.diff_svc.pitch import coarse_pitch, pitch_hz
from core.errors import VoiceFileError
from core.state_dict import expect

_ENERGY_TOP = 4.0


class Condition(nn.Module):
    """`fs2` of a checkpoint, without what the original saves but never uses."""

    def __init__(
        self,
        form: PitchFormat,
        pitch_embed: Tensor | None,
        energy_embed: Tensor | None = None,
        spk_embed: Tensor | None = None,
        encoder: FftEncoder | None = None,
    ) -> None:
        super().__init__()
        self.form = form
        self.pitch_embed = _table(pitch_embed)
        self.energy_embed = _table(energy_embed)
        self.spk_embed_proj = _table(spk_embed)
        self.encoder = encoder

    @staticmethod
    def from_state_dict(
        state: Mapping[str, Tensor],
        form: PitchFormat,
        heads: int = 2,
        activation: str = "gelu",
    ) -> Condition:
        """From `pitch_embed.weight`, `energy_embed.weight`, `spk_embed_proj.weight`, `encoder.*`.

        The encoder is there where its weights are, whatever a config says.
        """
        prefix = "encoder."
        inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        encoder = FftEncoder.from_state_dict(inner, heads, activation) if inner else None
        pitch = _needed(state, "pitch_embed", form.bins) if form.use_pitch else None
        energy = _needed(state, "energy_embed", form.bins) if form.use_energy else None
        speakers = None
        if "spk_embed_proj.weight" in state:
            width = state["pitch_embed.weight"].shape[-1] if form.use_pitch else None
            speakers = expect(state, "spk_embed_proj.weight", None, width)
        return Condition(form, pitch, energy, speakers, encoder).eval()

    def forward(
        self,
        units: Tensor,
        mel2ph: Tensor,
        log2_f0: Tensor,
        unvoiced: Tensor,
        energy: Tensor | None = None,
        speaker: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """-> condition (B, H, T) and f0 in Hz (B, T).

        units (B, N, H), mel2ph (B, T) with 0 in padding, log2_f0 and unvoiced (B, T); energy (B, T)
        for a voice that uses it; speaker (B,) for one with several.
        """
        rows = gather_units(self.encode(units), mel2ph)
        return self.told(rows, log2_f0, unvoiced, energy, speaker, mel2ph > 0)

    def encode(self, units: Tensor) -> Tensor:
        """units (B, N, H) -> what the frames are told of them, (B, N, H)."""
        encoded: Tensor = units if self.encoder is None else self.encoder(units)
        return encoded

    def told(
        self,
        rows: Tensor,
        log2_f0: Tensor,
        unvoiced: Tensor,
        energy: Tensor | None = None,
        speaker: Tensor | None = None,
        real: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, of encoded units on the mel grid already: rows (B, T, H).

        real (B, T): False in padding; None is all real.
        """
        form = self.form
        f0 = pitch_hz(log2_f0, unvoiced, form.use_uv, None if real is None else ~real)
        cond = rows
        if self.pitch_embed is not None:
            bins = coarse_pitch(f0, form.bins, form.f0_min, form.f0_max)
            cond = cond + self.pitch_embed(bins)
        if self.energy_embed is not None:
            assert energy is not None, "this voice is conditioned on energy"
            bins = (energy * form.bins / _ENERGY_TOP).floor().clamp(max=form.bins - 1).long()
            cond = cond + self.energy_embed(bins)
        if self.spk_embed_proj is not None and speaker is not None:
            cond = cond + self.spk_embed_proj(speaker)[:, None]
        if real is not None:
            cond = cond * real[..., None]
        return cond.transpose(1, 2), f0


def _table(weight: Tensor | None) -> nn.Embedding | None:
    if weight is None:
        return None
    rows, width = weight.shape
    table = nn.Embedding(rows, width)
    table.weight.data.copy_(weight)
    return table


def _needed(state: Mapping[str, Tensor], name: str, bins: int) -> Tensor:
    key = f"{name}.weight"
    if key not in state:
        raise VoiceFileError(
            f"fs2.{key} is missing, but the config asks for it; is this config of another model?"
        )
    weight = state[key]
    if weight.dim() != 2 or len(weight) < bins:
        raise VoiceFileError(
            f"fs2.{key} has shape {tuple(weight.shape)}, expected a table of {bins} rows or more"
        )
    return weight
