"""AutoLevel: near or far, the speaker comes out at the target's own level, without pumping."""

from __future__ import annotations

import pytest
import torch

from core.features import LOUDNESS_FLOOR_DB
from core.level import LARGEST_GAIN, AutoLevel, gain_onto, speech_level
from tests.toy import toy_conditions

RATE = 86.0
ONE = torch.ones(1, 1, 1)


def said(level: AutoLevel, loudness: torch.Tensor, voiced: torch.Tensor) -> torch.Tensor:
    return level(loudness[None], voiced[None], ONE.expand(1, 1, len(loudness)))[0]


def speech(db: float, seconds: float = 6.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Syllables of some 6 dB more or less, with pauses of 0.3 s every 1.2 s."""
    frames = int(seconds * RATE)
    generator = torch.Generator().manual_seed(seed)
    loudness = db + 3 * torch.randn(frames, generator=generator)
    voiced = torch.arange(frames) % int(1.2 * RATE) > 0.3 * RATE
    return torch.where(voiced, loudness, -70.0), voiced


@pytest.mark.parametrize("db", [-40.0, -26.0, -12.0, -6.0])
def test_whoever_speaks_comes_out_at_the_target_s_level(db: float) -> None:
    loudness, voiced = speech(db)
    gain = said(AutoLevel([-22.0], RATE), loudness, voiced)
    after = speech_level((loudness + gain)[-200:], voiced[-200:])
    assert after == pytest.approx(-22.0, abs=1.5)


def test_within_a_phrase_it_hardly_moves() -> None:
    loudness, voiced = speech(-35.0, 12.0)
    gain = said(AutoLevel([-22.0], RATE), loudness, voiced)
    late = gain[int(4 * RATE) :]
    assert float(late.diff().abs().max()) * RATE <= 60.0
    held = voiced[int(4 * RATE) + 1 :]
    assert float(late.diff()[held].abs().max()) * RATE <= 3.0


def test_it_is_the_same_in_blocks() -> None:
    loudness, voiced = speech(-33.0)
    whole = said(AutoLevel([-22.0], RATE), loudness, voiced)
    level = AutoLevel([-22.0], RATE)
    parts = [
        said(level, loudness[i : i + 7], voiced[i : i + 7]) for i in range(0, len(loudness), 7)
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0)
    level.reset()
    torch.testing.assert_close(said(level, loudness, voiced), whole, rtol=0, atol=0)


def test_noise_and_an_unknown_target_move_nothing() -> None:
    loudness, voiced = speech(-40.0)
    assert not said(AutoLevel([None], RATE), loudness, voiced).any()
    silent = said(AutoLevel([-26.0], RATE), loudness, torch.zeros_like(voiced))
    assert not silent.any()


def test_a_mix_speaks_at_the_mean_level_and_no_gain_is_endless() -> None:
    weights = torch.tensor([[0.5], [0.5]])
    assert float(gain_onto([-20.0, -30.0], weights, torch.tensor([-25.0]))) == 0.0
    assert float(gain_onto([-20.0], ONE[0], torch.tensor([-90.0]))) == LARGEST_GAIN


def test_louder_conditions_keep_silence() -> None:
    conditions = toy_conditions(4)
    conditions.loudness[0, 1] = LOUDNESS_FLOOR_DB
    louder = conditions.louder(7.0)
    assert louder.loudness[0, 1] == LOUDNESS_FLOOR_DB
    torch.testing.assert_close(louder.loudness[0, 2:], conditions.loudness[0, 2:] + 7.0)


def test_nobody_has_no_level() -> None:
    assert speech_level(torch.zeros(3), torch.zeros(3, dtype=torch.bool)) is None
