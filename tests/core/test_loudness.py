"""AsLoudAsTold: pauses are quiet, high notes are loud, and speech is left as it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.config import Speaker
from core.features import Conditions, loudness
from core.loudness import AsLoudAsTold

HOP = 512
SPEAKERS = (Speaker("loud", level_db=-20.0), Speaker("soft", level_db=-40.0))


def told(levels: list[float], share: float = 1.0, voiced: bool = False) -> Conditions:
    """So loud a frame; share: of the loud speaker in the mix."""
    level = torch.tensor([levels])
    speaker = torch.tensor([share, 1 - share])[None, :, None].expand(-1, -1, len(levels))
    still = torch.zeros_like(level)
    return Conditions(still[:, None], still + 150.0, still < voiced, level, speaker)


def heard(wave: Tensor, frames: Conditions, hz: float = 150.0) -> Tensor:
    """From the first sample on."""
    return AsLoudAsTold(SPEAKERS, HOP)(wave, frames, torch.full_like(frames.f0, hz))


def noise(level_db: float, frames: int, voices: int = 1) -> Tensor:
    wave = torch.randn(voices, frames * HOP, generator=torch.Generator().manual_seed(0))
    return wave * 10 ** (level_db / 20)


def test_a_pause_is_no_louder_than_told() -> None:
    made = heard(noise(-50.0, 12), told([-60.0] * 12))
    assert loudness(made, HOP)[0, 2:].numpy() == pytest.approx(-60.0, abs=0.5)


@pytest.mark.parametrize("level_db", [-25.0, -34.0], ids=["loud", "a consonant"])
def test_speech_may_be_louder_than_told(level_db: float) -> None:
    wave = noise(level_db + 6, 8)
    assert torch.equal(heard(wave, told([level_db] * 8)), wave)


def test_what_is_softer_than_told_stays() -> None:
    wave = noise(-75.0, 8)
    assert torch.equal(heard(wave, told([-60.0] * 8)), wave)


def test_it_goes_by_the_mix() -> None:
    wave, frames = noise(-40.0, 8), told([-48.0] * 8, share=0.0)
    assert torch.equal(heard(wave, frames), wave)  # the soft one's speech
    mixed = heard(wave, told([-55.0] * 8, share=0.5))
    assert float(loudness(mixed, HOP)[0, 2:].max()) < -50


def test_where_a_level_is_unknown_it_does_nothing() -> None:
    wave = noise(-50.0, 4)
    level, frames = AsLoudAsTold((*SPEAKERS[:1], Speaker("unknown")), HOP), told([-60.0] * 4)
    assert level(wave, frames, frames.f0) is wave


@pytest.mark.parametrize("sizes", [(1,) * 12, (5, 7), (2, 1, 8, 1)], ids=str)
@pytest.mark.parametrize("hz", [150.0, 500.0], ids=["speech", "singing"])
def test_streams_exactly(sizes: tuple[int, ...], hz: float) -> None:
    levels = [-20.0, -45.0, -60.0, -60.0, -30.0, -60.0, -41.0, -39.0, -90.0, -50.0, -20.0, -60.0]
    wave, frames = noise(-45.0, 12), told(levels, voiced=True)
    whole = heard(wave, frames, hz)
    level, parts, at = AsLoudAsTold(SPEAKERS, HOP), [], 0
    for size in sizes:
        part = frames.slice(at, at + size)
        f0 = torch.full_like(part.f0, hz)
        parts.append(level(wave[:, at * HOP : (at + size) * HOP], part, f0))
        at += size
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-6, atol=0)


@pytest.mark.parametrize("voiced", [False, True], ids=["speech", "singing"])
def test_the_gain_never_jumps(voiced: bool) -> None:
    wave = torch.full((1, 6 * HOP), 0.01)
    levels = [-20.0, -60.0, -60.0, -20.0, -60.0, -20.0]
    made = heard(wave, told(levels, voiced=voiced), 800.0)
    gain_db = 20 * torch.log10(made / wave)
    assert float(gain_db.diff().abs().max()) < 31 / HOP


def test_a_high_note_is_no_softer_than_told() -> None:
    wave, frames = noise(-33.0, 12), told([-25.0] * 12, voiced=True)
    assert loudness(heard(wave, frames, 600.0), HOP)[0, 2:].numpy() == pytest.approx(-25, abs=0.5)
    half_way = loudness(heard(wave, frames, 424.0), HOP)[0, 2:]
    assert half_way.numpy() == pytest.approx(-29, abs=0.5)
    assert torch.equal(heard(wave, frames, 290.0), wave)  # speech
    assert torch.equal(heard(wave, told([-25.0] * 12), 600.0), wave)  # unvoiced
    far = loudness(heard(wave - noise(-33.0, 12) * 0.9, frames, 600.0), HOP)[0, 2:]
    assert far.numpy() == pytest.approx(-43, abs=0.5)  # -53, and no more than 10 dB of help


def test_a_high_pause_stays_soft() -> None:
    wave = noise(-70.0, 8)
    assert torch.equal(heard(wave, told([-50.0] * 8, voiced=True), 600.0), wave)


def test_reset_forgets() -> None:
    wave, frames = noise(-50.0, 3), told([-60.0] * 3)
    level = AsLoudAsTold(SPEAKERS, HOP)
    first = level(wave, frames, frames.f0)
    level.reset()
    assert torch.equal(level(wave, frames, frames.f0), first)
