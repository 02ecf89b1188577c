"""Half precision for content encoders is near, and left out where it fails."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from core.content.hubert_soft import HubertSoft
from core.content.precision import HalfEncoder, closeness, content_in_precision
from core.errors import ConfigError

CPU = torch.device("cpu")


@pytest.fixture
def encoder() -> HubertSoft:
    torch.manual_seed(0)
    return HubertSoft(32, 48, 96, 2, 16, 16).eval()


def test_half_precision_is_near_and_told_in_fp32(encoder: HubertSoft) -> None:
    half = content_in_precision(encoder, "bf16")
    assert isinstance(half, HalfEncoder)
    assert 25 < closeness(encoder, half, CPU) < 90
    assert half(torch.zeros(1, 16_000)).dtype == torch.float32
    assert next(encoder.parameters()).dtype == torch.float32


class Loud(nn.Module):
    """What fp16 has no number for."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        nn.init.constant_(self.linear.weight, 1e6)

    def forward(self, wave16: Tensor) -> Tensor:
        units: Tensor = self.linear(wave16[..., None])
        return units


def test_an_encoder_that_overflows_stays(caplog: pytest.LogCaptureFixture) -> None:
    loud = Loud()
    with caplog.at_level(logging.WARNING):
        assert content_in_precision(loud, "fp16") is loud
    assert "fp16 is left out: in it this content encoder is -inf dB from fp32" in caplog.text


def test_fp32_and_an_unknown_one(encoder: HubertSoft) -> None:
    assert content_in_precision(encoder, "fp32") is encoder
    with pytest.raises(ConfigError, match=r'unknown precision "int4"; known: auto, bf16, fp16'):
        content_in_precision(encoder, "int4")
