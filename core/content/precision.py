"""Half precision for a content encoder, where the processor or the card multiplies in it faster.

Its products and convolutions are in half precision, sums of squares and what else needs it in fp32
(torch's autocast). An encoder is tried before it is trusted.
"""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn

from core.int8 import snr_db
from core.precision import AUTO, PRECISIONS, to_try

_CLOSE_DB = 25.0

_log = logging.getLogger(__name__)


class HalfEncoder(nn.Module):
    """An encoder for whole waves at 16 kHz that computes in half precision, in and out fp32.

    It is a copy. Weights that only products and convolutions take are kept in that precision, not
    brought to it with every wave.
    """

    def __init__(self, encoder: nn.Module, precision: torch.dtype) -> None:
        super().__init__()
        self.encoder, self.precision = copy.deepcopy(encoder), precision
        for part in self.encoder.modules():
            if type(part) in (nn.Linear, nn.Conv1d) and isinstance(part.weight, nn.Parameter):
                part.to(precision)

    def forward(self, wave16: Tensor) -> Tensor:
        """wave16 (B, n) -> units (B, N, D)."""
        with torch.autocast(wave16.device.type, self.precision):
            units: Tensor = self.encoder(wave16)
        return units.float()


def content_in_precision(encoder: nn.Module, wanted: str = AUTO) -> nn.Module:
    """The encoder in the precision of that name, or as it is where that fails it.

    auto: the first that gains on the encoder's device and holds. Unknown: a ConfigError.
    """
    device = next((weight.device for weight in encoder.parameters()), torch.device("cpu"))
    for name in to_try(wanted, device):
        half = HalfEncoder(encoder, PRECISIONS[name])
        apart = closeness(encoder, half, device)
        if apart >= _CLOSE_DB:
            return half
        _log.warning(
            "%s is left out: in it this content encoder is %.0f dB from fp32, expected %.0f",
            *(name, apart, _CLOSE_DB),
        )
    return encoder


@torch.inference_mode()
def closeness(encoder: nn.Module, half: nn.Module, device: torch.device) -> float:
    """dB from the units of one to those of the other, of a second of hiss; -inf if not finite."""
    generator = torch.Generator().manual_seed(0)
    hiss = (0.1 * torch.randn(1, 16_000, generator=generator)).to(device)
    got = half(hiss)
    return snr_db(encoder(hiss), got) if bool(got.isfinite().all()) else -float("inf")
