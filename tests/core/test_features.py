"""Conditions and loudness: what they say of a frame."""

from __future__ import annotations

import pytest
import torch

from core.features import LOUDNESS_FLOOR_DB, brightness, loudness
from tests.toy import toy_conditions


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (512, 1), (513, 2), (5120, 10)])
def test_loudness_covers_any_length(samples: int, frames: int) -> None:
    assert loudness(torch.ones(2, samples), 512).shape == (2, frames)


def test_loudness_is_mean_power_in_db_above_a_floor() -> None:
    wave = torch.cat([torch.zeros(512), torch.full((512,), 0.1), torch.ones(512)])[None]
    assert loudness(wave, 512)[0].tolist() == pytest.approx([LOUDNESS_FLOOR_DB, -20, 0], abs=1e-3)


def test_brightness_hears_high_sounds() -> None:
    n = torch.arange(2048) / 44_100
    low, high = (torch.sin(2 * torch.pi * hz * n)[None] for hz in (200.0, 8000.0))
    assert (brightness(low, 512) < loudness(low, 512) - 20).all()
    torch.testing.assert_close(brightness(high, 512), loudness(high, 512), atol=2.0, rtol=0.0)
    assert (brightness(0 * low, 512) == LOUDNESS_FLOOR_DB).all()


def test_shifted_moves_the_pitch_alone() -> None:
    conditions = toy_conditions(9)
    octave = conditions.shifted(12.0)
    torch.testing.assert_close(octave.f0, 2 * conditions.f0)
    assert octave.units is conditions.units
    frame_by_frame = conditions.shifted(torch.full((1, 9), 12.0))
    torch.testing.assert_close(frame_by_frame.f0, octave.f0)


def test_silenced_is_unvoiced_and_at_the_floor() -> None:
    silent = toy_conditions(9).silenced()
    assert not silent.voiced.any()
    assert (silent.loudness == LOUDNESS_FLOOR_DB).all()


def test_slice_takes_frames_and_keeps_the_speaker() -> None:
    part = toy_conditions(9).slice(2, 5)
    assert part.frames == 3
    assert part.units.shape[-1] == part.voiced.shape[-1] == part.loudness.shape[-1] == 3
    assert torch.equal(part.speaker, toy_conditions(9).speaker[..., 2:5])
