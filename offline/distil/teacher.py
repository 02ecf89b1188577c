"""Teachers: larger networks that hear a recording from both sides and name its phones.

Each is a Conformer (Gulati et al. 2020) with attention to the nearest frames. What a network says
of those it learned from is surer than what it says of strangers, so each learns without a part of
the speakers and says theirs (cross-fitting): everybody's from one that never heard them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline.alignment import IGNORED, INVENTORIES
from offline.distil.disguise import Disguise
from offline.distil.recorded import Average, Descent, Recorded
from offline.distil.spectra import Spectra

_FRAMES, _BATCH = 256, 48
_RATE, _DECAY, _AVERAGED = 1e-3, 0.02, 0.998
_REACH = 64  # frames that attention reaches either way
_HEAD = 64  # channels of each
_HIDDEN_WIDTHS, _HIDDEN_TIMES = (12, 12), (3, 2)  # frames, bands
_FURTHER_WEIGHT = 0.2  # of inventories that the encoder does not name
_SMOOTHING = 0.1


class Teacher(nn.Module):
    """Bands (B, T, n) -> (B, T, C); `heads` name the phones of each inventory."""

    def __init__(
        self, bands: int, width: int = 256, blocks: int = 8, dropout: float = 0.15
    ) -> None:
        super().__init__()
        self.entry = nn.Sequential(
            nn.Conv1d(bands, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, padding=2),
        )
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(blocks))
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, len(phones)) for name, phones in INVENTORIES.items()}
        )

    def forward(self, bands: Tensor) -> Tensor:
        x: Tensor = self.entry(bands.transpose(1, 2)).transpose(1, 2)
        places = torch.arange(x.shape[1], device=x.device)
        apart = (places[:, None] - places).abs()
        far = torch.where(apart > _REACH, -1e4, 0.0)
        pitches = 10_000 ** (-torch.arange(_HEAD // 2, device=x.device) / (_HEAD // 2))
        turns = (places[:, None] * pitches).repeat(1, 2)
        for block in self.blocks:
            x = block(x, far, turns)
        return x


class _Block(nn.Module):
    """Half a feed-forward layer, attention, convolution, the other half."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.before, self.after = _feed_forward(width, dropout), _feed_forward(width, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.convolution_norm, self.widen = nn.LayerNorm(width), nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, 15, padding=7, groups=width)
        self.depthwise_norm, self.narrow = nn.LayerNorm(width), nn.Linear(width, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, x: Tensor, far: Tensor, turns: Tensor) -> Tensor:
        """far (T, T): added to the scores. turns (T, 64): angles of the places (RoPE)."""
        x = x + 0.5 * self.before(x)
        x = x + self.dropout(self._attend(self.attention_norm(x), far, turns))
        y = F.glu(self.widen(self.convolution_norm(x)), -1)
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(self.narrow(F.silu(self.depthwise_norm(y))))
        normed: Tensor = self.norm(x + 0.5 * self.after(x))
        return normed

    def _attend(self, x: Tensor, far: Tensor, turns: Tensor) -> Tensor:
        batch, frames, width = x.shape
        parts = self.inward(x).view(batch, frames, 3, width // _HEAD, _HEAD)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        cosine, sine = turns.cos(), turns.sin()

        def turned(z: Tensor) -> Tensor:
            beside = torch.cat([-z[..., _HEAD // 2 :], z[..., : _HEAD // 2]], -1)
            return (z * cosine + beside * sine).to(z.dtype)

        scores = (turned(query) @ turned(key).transpose(2, 3)).float() * _HEAD**-0.5
        heard = torch.softmax(scores + far, -1).to(value.dtype) @ value
        told: Tensor = self.outward(heard.transpose(1, 2).reshape(batch, frames, width))
        return told


def _feed_forward(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
        nn.Dropout(dropout),
    )


def misnamed(scores: Tensor, phones: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of scores (..., P) over the frames whose phone is not IGNORED."""
    log = F.log_softmax(scores.float(), -1)
    known = (phones != IGNORED).float()
    right = log.gather(-1, phones.clamp(min=0)[..., None])[..., 0]
    said = (1 - smoothing) * right + smoothing * log.mean(-1)
    return -(said * known).sum() / known.sum().clamp(min=1)


def learning_rate(most: float, progress: float, warmup: float = 0.04) -> float:
    """Up during `warmup` of the time, down along a cosine."""
    falling = 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
    return max(most * min(1.0, progress / warmup) * falling, 1e-6)


def train_teacher(
    teacher: Teacher,
    spectra: Spectra,
    disguise: Disguise,
    without: Tensor,
    minutes: float,
    batch: int = _BATCH,
) -> int:
    """Teaches it all labelled recordings but those of `without` (bool); how many steps it took."""
    device = spectra.device
    own = spectra.weight * (~without & (spectra.inventory >= 0))
    descent = Descent([*teacher.parameters()], _DECAY, device)

    def step() -> Tensor:
        descent.begin()
        crops = spectra.draw(own, batch, _FRAMES)
        bands = disguise.bands(disguise.power(spectra.heard(crops)))
        bands = disguise.hide(bands, _HIDDEN_WIDTHS, _HIDDEN_TIMES)
        with torch.autocast(device.type, torch.bfloat16):
            heard = teacher(bands)
        loss = torch.zeros((), device=device)
        for name, head in teacher.heads.items():
            weight = 1.0 if name == "arpabet" else _FURTHER_WEIGHT
            scores = head(heard.float())
            loss = loss + weight * misnamed(scores, spectra.named(crops, name), _SMOOTHING)
        descent.step(loss)
        return loss.detach()

    recorded, average = Recorded(step, device), Average(teacher, _AVERAGED)
    teacher.train()
    steps, began = 0, time.monotonic()
    while (progress := (time.monotonic() - began) / 60 / minutes) < 1:
        descent.rate = learning_rate(_RATE, progress)
        figure = recorded()
        average.follow()
        steps += 1
        if steps % 20 == 0:
            figure.item()  # else launches would pile up behind the card
    teacher.load_state_dict(average.weights, strict=False)
    teacher.eval()
    return steps


@torch.inference_mode()
def soft_labels(
    teacher: Teacher,
    spectra: Spectra,
    disguise: Disguise,
    recordings: Sequence[int],
    warps: Sequence[float] = (0.0,),
) -> dict[int, Tensor]:
    """Of each recording the probabilities of its phones, half precision (frames, phones).

    warps: of the vocal tract, from -1 to 1, over which they are averaged.
    """
    said = {}
    for group, power in spectra.whole(recordings):
        total = power.new_zeros(())
        for warp in warps:
            bank = disguise.banks[round((warp + 1) / 2 * (len(disguise.banks) - 1))]
            with torch.autocast(spectra.device.type, torch.bfloat16):
                heard = teacher(disguise.encoder.bands(power, bank[None]))
            phones = torch.softmax(teacher.heads["arpabet"](heard.float()), -1)
            total = total + phones / len(warps)
        for row, recording in zip(total, group, strict=True):
            said[recording] = row[: int(spectra.length[recording])].half()
    return said
