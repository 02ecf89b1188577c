"""Postfilter: what stands out of a spectrum stands out more, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.config import Speaker
from core.errors import ConfigError
from core.postfilter import Postfilter

BANDS = 128
SPEAKERS = (Speaker("sharp", sharpness=0.2), Speaker("as it is"))


def formants(depth: float) -> Tensor:
    """Three peaks on a tilt, (1, M, 1)."""
    band = torch.arange(BANDS, dtype=torch.float32)
    peaks = torch.stack([torch.exp(-0.5 * ((band - at) / 4) ** 2) for at in (25, 55, 90)])
    return (depth * peaks.sum(0) - 0.02 * band - 4)[None, :, None]


def said(mel: Tensor, *shares: float) -> Tensor:
    """What is added to the mel of a mix of the speakers."""
    speaker = torch.tensor(shares)[None, :, None].expand(len(mel), -1, mel.shape[2])
    return Postfilter(SPEAKERS, BANDS)(mel, speaker)


def test_peaks_rise_over_valleys_as_far_as_the_speaker_wants() -> None:
    mel = formants(2.0)

    def contrast(made: Tensor) -> float:
        return float(made[0, 55, 0] - made[0, 73, 0])

    ratios = [
        contrast(mel + said(mel, *mix)) / contrast(mel)
        for mix in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0))
    ]
    assert ratios[0] == 1.0
    assert 1.1 < ratios[2] < 1.2
    assert ratios[1] == pytest.approx((ratios[0] + ratios[2]) / 2, abs=1e-4)


def test_a_frame_stays_as_loud() -> None:
    mel = formants(2.0)
    made = mel + said(mel, 1.0, 0.0)
    torch.testing.assert_close(torch.exp(2 * made).sum(1), torch.exp(2 * mel).sum(1))


def test_a_tilt_stays() -> None:
    assert float(said(formants(0.0), 1.0, 0.0)[0, 30:-30].abs().max()) < 0.01


def test_it_is_bounded_and_knows_one_frame_only() -> None:
    mel = 20 * torch.randn(2, BANDS, 6, generator=torch.Generator().manual_seed(0))
    tint = said(mel, 1.0, 0.0)
    assert float((tint.amax(1) - tint.amin(1)).max()) <= 2.0 + 1e-5  # nepers
    parts = torch.cat([said(mel[..., i : i + 2], 1.0, 0.0) for i in (0, 2, 4)], 2)
    torch.testing.assert_close(parts, tint)


def test_a_speaker_s_sharpness_has_bounds() -> None:
    with pytest.raises(ConfigError, match=r"sharpness must lie between 0 and 1, got 1\.5"):
        Speaker("own", sharpness=1.5)
