"""Disguises of power spectra: the right shapes, finite, seeded, and none where none is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.mel import mel_filters
from offline.augment import SpectralAugment, room_tail
from tests.toy import TOY

BINS = TOY.content.n_fft // 2 + 1


@pytest.fixture(params=["own noise", "short recording", "long recording"])
def augment(request: pytest.FixtureRequest) -> SpectralAugment:
    frames = {"own noise": 0, "short recording": 5, "long recording": 90}[request.param]
    noises = [torch.randn(frames, BINS).half()] if frames else []
    return SpectralAugment(TOY.audio, TOY.content, noises)


def power(frames: int = 40) -> Tensor:
    return torch.rand(6, frames, BINS, generator=torch.Generator().manual_seed(1)) + 1e-6


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("frames", [1, 9, 40])
def test_power_stays_power(augment: SpectralAugment, frames: int) -> None:
    for seed in range(5):
        other = augment.power(power(frames), generator(seed))
        assert other.shape == (6, frames, BINS)
        assert other.isfinite().all()
        assert (other >= 0).all()


def test_the_seed_decides(augment: SpectralAugment) -> None:
    first, again = (augment.power(power(), generator(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment.power(power(), generator(4)))


def test_filters_are_warped_about_the_plain_bank(augment: SpectralAugment) -> None:
    content = TOY.content
    plain = mel_filters(44_100, content.n_fft, content.n_bands, content.f_min, content.f_max)
    drawn = augment.filters(200, generator())
    assert drawn.shape == (200, content.n_bands, BINS)
    unwarped = (drawn - torch.from_numpy(plain)).abs().amax((1, 2)) < 1e-6
    assert 0.1 < float(unwarped.float().mean()) < 0.4


def test_warps_keep_the_order_of_the_bands(augment: SpectralAugment) -> None:
    centres = augment.banks @ augment.hz / augment.banks.sum(-1)
    assert (centres.diff(dim=1) > 0).all()


def test_levels_span_what_was_asked() -> None:
    augment = SpectralAugment(TOY.audio, TOY.content, [], noisy=0.0, level_db=(-40.0, 0.0))
    drawn = torch.cat([augment.power(power(), generator(seed)) for seed in range(30)])
    level_db = 10 * torch.log10(augment._active(drawn) * augment.to_mean_square)
    assert -40.1 < float(level_db.min()) < -35
    assert -5 < float(level_db.max()) < 0.1


def test_the_input_is_left_alone(augment: SpectralAugment) -> None:
    given = power()
    augment.power(given, generator())
    assert torch.equal(given, power())


def test_a_room_without_walls_changes_nothing() -> None:
    response = np.zeros(4000, np.float32)
    response[700] = -0.3
    tail = room_tail(response, TOY.audio, TOY.content.n_fft)
    torch.testing.assert_close(tail[0], torch.ones(BINS))
    assert float(tail[1:].abs().max()) < 1e-6


def test_an_echo_comes_in_its_frame() -> None:
    hop = TOY.audio.hop_length
    response = np.zeros(9 * hop, np.float32)
    response[0], response[5 * hop] = 1.0, 0.5
    tail = room_tail(response, TOY.audio, TOY.content.n_fft)
    torch.testing.assert_close(tail[5] / tail[0], torch.full((BINS,), 0.25))
    assert float(tail[[1, 2, 3, 4, 6, 7]].max()) < 1e-6


def test_mask_hides_a_little(augment: SpectralAugment) -> None:
    bands = torch.ones(20, 40, TOY.content.n_bands)
    masked = augment.mask(bands, generator())
    assert masked is bands
    hidden = float((masked == 0).float().mean())
    assert 0.05 < hidden < 0.7
