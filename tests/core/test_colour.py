"""AutoColour: a conversion's mean spectrum moves onto the target's; speech itself stays."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.colour import LARGEST_OFFSET, AutoColour, speech_spectrum
from core.config import Speaker
from core.features import Conditions

RATE, BANDS, LEVEL = 86.0, 32, -24.0
NEPERS = math.log(10) / 20
TARGET = tuple(-10.0 - i for i in range(BANDS))
SPEAKERS = (Speaker("own", 150.0, LEVEL, TARGET),)


def told(frames: int, f0: float = 150.0, level: float = LEVEL) -> Conditions:
    return Conditions(
        units=torch.zeros(1, 4, frames),
        f0=torch.full((1, frames), f0),
        voiced=torch.ones(1, frames, dtype=torch.bool),
        loudness=torch.full((1, frames), level),
        speaker=torch.ones(1, 1, frames),
    )


def speech(seconds: float, tilt_db: float = 0.0) -> Tensor:
    """Frames whose mean is the target's, plus a tilt of so many dB from the first to last band."""
    generator = torch.Generator().manual_seed(0)
    frames = int(seconds * RATE)
    tilt = torch.linspace(-tilt_db / 2, tilt_db / 2, BANDS)
    said = torch.tensor(TARGET)[:, None] + tilt[:, None]
    return (NEPERS * (said + 3 * torch.randn(1, frames, generator=generator)))[None]


def test_the_mean_spectrum_becomes_the_target_s() -> None:
    mel = speech(40.0, tilt_db=6.0)
    tint = AutoColour(SPEAKERS, BANDS, RATE)(mel, told(mel.shape[2]))
    before, after = (
        torch.tensor(speech_spectrum(m[0, :, -400:], torch.full((400,), LEVEL), LEVEL))
        - torch.tensor(TARGET)
        for m in (mel, mel + tint)
    )
    assert float(before.std()) > 1.7
    assert float(after.std()) < 0.6


def test_what_is_the_target_s_already_stays() -> None:
    mel = speech(10.0)
    tint = AutoColour(SPEAKERS, BANDS, RATE)(mel, told(mel.shape[2]))
    assert float(tint.abs().max()) < 0.01 * NEPERS


def test_it_is_bounded_and_moves_slowly() -> None:
    mel = speech(20.0, tilt_db=80.0)
    tint = AutoColour(SPEAKERS, BANDS, RATE)(mel, told(mel.shape[2])) / NEPERS
    assert float(tint.abs().max()) == pytest.approx(LARGEST_OFFSET, abs=1e-4)
    late = tint[..., int(2 * RATE) :]
    assert float(late.diff(dim=2).abs().max()) * RATE < 12  # dB a second


def test_it_is_the_same_in_blocks_and_beside_others() -> None:
    mel = speech(6.0, tilt_db=8.0)
    conditions = told(mel.shape[2])
    colour = AutoColour(SPEAKERS, BANDS, RATE)
    whole = colour(mel, conditions)
    colour.reset()
    parts = [
        colour(mel[..., i : i + 4], conditions.slice(i, min(i + 4, mel.shape[2])))
        for i in range(0, mel.shape[2], 4)
    ]
    torch.testing.assert_close(torch.cat(parts, 2), whole, rtol=0, atol=1e-6)
    other = speech(6.0, tilt_db=-4.0)
    both = Conditions(
        *(
            torch.cat([getattr(conditions, name)] * 2)
            for name in ("units", "f0", "voiced", "loudness", "speaker")
        )
    )
    colour.reset()
    pair = colour(torch.cat([mel, other]), both)
    torch.testing.assert_close(pair[:1], whole, rtol=0, atol=1e-6)


def test_singing_and_pauses_teach_it_nothing() -> None:
    mel = speech(6.0, tilt_db=8.0)
    sung, silent = told(mel.shape[2], f0=600.0), told(mel.shape[2], level=-80.0)
    consonants = replace(sung, voiced=torch.zeros_like(sung.voiced))  # f0 is carried through
    for conditions in (sung, consonants, silent):
        colour = AutoColour(SPEAKERS, BANDS, RATE)
        assert float(colour(mel, conditions).abs().max()) < 1e-6


def test_no_boost_in_a_pause() -> None:
    mel = speech(10.0, tilt_db=8.0)
    colour = AutoColour(SPEAKERS, BANDS, RATE)
    colour(mel, told(mel.shape[2]))
    tint = colour(speech(0.5, tilt_db=8.0), told(43, level=LEVEL - 60))
    assert float(tint.max()) <= 0.0
    assert float(tint.min()) < -0.5 * NEPERS


def test_unknown_targets_are_left_alone() -> None:
    mel = speech(2.0, tilt_db=8.0)
    unknown = AutoColour((Speaker("new", 150.0, LEVEL),), BANDS, RATE)
    assert not unknown(mel, told(mel.shape[2])).any()
