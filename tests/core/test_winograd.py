"""Short products against the plain sum of taps."""

from __future__ import annotations

import pytest
import torch

from core.winograd import WinogradConv


def plain(heard: torch.Tensor, taps: torch.Tensor, dilation: int) -> torch.Tensor:
    n = len(heard) - 2 * dilation
    return sum(heard[k * dilation : k * dilation + n] @ taps[k] for k in range(3))  # type: ignore[return-value]


@pytest.mark.parametrize("dilation", [1, 2, 8])
@pytest.mark.parametrize("frames", [1, 4, 37, 96])
def test_the_plain_convolution_at_any_length(frames: int, dilation: int) -> None:
    drawn = torch.Generator().manual_seed(frames)
    heard = torch.randn(frames + 2 * dilation, 24, generator=drawn)
    taps = torch.randn(3, 24, 40, generator=drawn) / 72**0.5
    made = WinogradConv(taps, dilation)(heard)
    wanted = plain(heard.double(), taps.double(), dilation)
    assert made.shape == (frames, 40)
    assert (made - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_what_follows_in_memory_is_not_heard() -> None:
    memory = torch.full((64, 8), torch.nan)
    heard = memory[:13]
    heard[:] = 1.0
    made = WinogradConv(torch.ones(3, 8, 8), 1)(heard)
    torch.testing.assert_close(made, torch.full((11, 8), 24.0))
