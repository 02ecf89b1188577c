"""Hush: what was told to be quiet is quiet, and speech is left as it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.config import Speaker
from core.features import Conditions, loudness
from core.hush import Hush

HOP = 512
SPEAKERS = (Speaker("loud", level_db=-20.0), Speaker("soft", level_db=-40.0))


def told(levels: list[float], share: float = 1.0) -> Conditions:
    """So loud a frame; share: of the loud speaker in the mix."""
    level = torch.tensor([levels])
    speaker = torch.tensor([share, 1 - share])[None, :, None].expand(-1, -1, len(levels))
    still = torch.zeros_like(level)
    return Conditions(still[:, None], still + 150.0, still > 0, level, speaker)


def noise(level_db: float, frames: int, voices: int = 1) -> Tensor:
    wave = torch.randn(voices, frames * HOP, generator=torch.Generator().manual_seed(0))
    return wave * 10 ** (level_db / 20)


def test_a_pause_is_no_louder_than_told() -> None:
    made = Hush(SPEAKERS, HOP)(noise(-50.0, 12), told([-60.0] * 12))
    assert loudness(made, HOP)[0, 2:].numpy() == pytest.approx(-60.0, abs=0.5)


@pytest.mark.parametrize("level_db", [-25.0, -34.0], ids=["loud", "a consonant"])
def test_speech_may_be_louder_than_told(level_db: float) -> None:
    wave = noise(level_db + 6, 8)
    assert torch.equal(Hush(SPEAKERS, HOP)(wave, told([level_db] * 8)), wave)


def test_what_is_softer_than_told_stays() -> None:
    wave = noise(-75.0, 8)
    assert torch.equal(Hush(SPEAKERS, HOP)(wave, told([-60.0] * 8)), wave)


def test_it_goes_by_the_mix() -> None:
    wave, frames = noise(-40.0, 8), told([-48.0] * 8, share=0.0)
    assert torch.equal(Hush(SPEAKERS, HOP)(wave, frames), wave)  # the soft one's speech
    mixed = Hush(SPEAKERS, HOP)(wave, told([-55.0] * 8, share=0.5))
    assert float(loudness(mixed, HOP)[0, 2:].max()) < -50


def test_where_a_level_is_unknown_it_does_nothing() -> None:
    wave = noise(-50.0, 4)
    assert Hush((*SPEAKERS[:1], Speaker("unknown")), HOP)(wave, told([-60.0] * 4)) is wave


@pytest.mark.parametrize("sizes", [(1,) * 12, (5, 7), (2, 1, 8, 1)], ids=str)
def test_streams_exactly(sizes: tuple[int, ...]) -> None:
    levels = [-20.0, -45.0, -60.0, -60.0, -30.0, -60.0, -41.0, -39.0, -90.0, -50.0, -20.0, -60.0]
    wave, frames = noise(-45.0, 12), told(levels)
    whole = Hush(SPEAKERS, HOP)(wave, frames)
    hush, parts, at = Hush(SPEAKERS, HOP), [], 0
    for size in sizes:
        parts.append(hush(wave[:, at * HOP : (at + size) * HOP], frames.slice(at, at + size)))
        at += size
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-6, atol=0)


def test_the_gain_never_jumps() -> None:
    wave = torch.full((1, 6 * HOP), 0.01)
    made = Hush(SPEAKERS, HOP)(wave, told([-20.0, -60.0, -60.0, -20.0, -60.0, -20.0]))
    gain_db = 20 * torch.log10(made / wave)
    assert float(gain_db.diff().abs().max()) < 21 / HOP


def test_reset_forgets() -> None:
    wave, frames = noise(-50.0, 3), told([-60.0] * 3)
    hush = Hush(SPEAKERS, HOP)
    first = hush(wave, frames)
    hush.reset()
    assert torch.equal(hush(wave, frames), first)
