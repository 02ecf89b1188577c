"""AutoShift: where it arrives, how fast, and the same whatever the blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from core.shift import LARGEST_SHIFT, AutoShift, shift_onto
from tests.toy import BLOCKS, cut

RATE = 86.0  # frames a second
SECOND = round(RATE)
PAUSE = 30  # frames


def talk(hz: float, seconds: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Phrases of 1.5 s around a pitch, with short unvoiced gaps in them and pauses between."""
    frames = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    wander = np.cumsum(rng.standard_normal(frames)) * 0.02
    wander = 0.15 * np.sin(wander) + 0.02 * rng.standard_normal(frames)
    at = np.arange(frames) % (round(1.5 * RATE) + PAUSE)
    voiced = (at < 1.5 * RATE) & (at % 25 > 5)
    return torch.tensor(hz * 2**wander).float()[None], torch.tensor(voiced)[None]


def shifts(
    f0: Tensor, voiced: Tensor, median: float = 200.0, shift: AutoShift | None = None
) -> Tensor:
    shift = shift or AutoShift([median], RATE)
    return shift(f0, voiced, torch.ones(1, 1, f0.shape[1]))[0]


def wanted(f0: Tensor, voiced: Tensor, median: float = 200.0) -> float:
    return 12 * math.log2(median / float(f0[voiced].median()))


@pytest.mark.parametrize("hz", [80.0, 110.0, 160.0, 230.0, 330.0])
def test_it_settles_on_the_speakers_median(hz: float) -> None:
    f0, voiced = talk(hz, 12)
    made = shifts(f0, voiced)
    assert abs(float(made[4 * SECOND :].mean()) - wanted(f0, voiced)) < 0.7
    assert abs(float(made[-1]) - wanted(f0, voiced)) < 0.5


def test_the_first_guess_is_near_before_much_was_heard() -> None:
    for hz in (105.0, 120.0, 190.0, 215.0):
        f0, voiced = talk(hz, 1)
        made = shifts(f0, voiced)[voiced[0]]
        assert (made[:20] - wanted(f0, voiced)).abs().max() < 3


@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_do_not_matter(blocks: str) -> None:
    f0, voiced = talk(140.0, 6)
    whole, shift, parts, at = shifts(f0, voiced), AutoShift([200.0], RATE), [], 0
    for size in cut(f0.shape[1], BLOCKS[blocks]):
        part = slice(at, at + size)
        parts.append(shifts(f0[:, part], voiced[:, part], shift=shift))
        at += size
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-9)


def test_causal_and_reset() -> None:
    f0, voiced = talk(140.0, 6)
    shift = AutoShift([200.0], RATE)
    whole = shifts(f0, voiced, shift=shift)
    shift.reset()
    assert torch.equal(shifts(f0[:, :200], voiced[:, :200], shift=shift), whole[:200])


def test_within_a_phrase_it_hardly_moves_and_never_jumps() -> None:
    """After 10 s another speaks, an octave higher: pauses take the shift there, not phrases."""
    parts = [talk(110.0, 10), talk(220.0, 40, seed=1)]
    f0, voiced = (torch.cat([part[i] for part in parts], 1) for i in (0, 1))
    made = shifts(f0, voiced)
    speed = (made[1:] - made[:-1]).abs() * RATE  # semitones a second
    in_phrase = voiced[0, 1:]
    assert float(speed[in_phrase][5 * SECOND :].max()) < 0.5
    first = int(voiced[0].nonzero()[0])
    assert float(speed[first:].max()) < 40  # half a semitone a frame, in pauses
    gaps = torch.nn.functional.max_pool1d(voiced.float()[None], 9, 1, 4)[0, 0, 1:].bool()
    assert float(speed[gaps & ~in_phrase].max()) == 0.0  # consonants are no pauses
    assert abs(float(made[-1]) - wanted(*parts[1])) < 0.7


def test_silence_shifts_nothing_about() -> None:
    made = shifts(torch.full((1, 300), 150.0), torch.zeros(1, 300, dtype=torch.bool))
    assert float(made.diff().abs().max()) == 0.0


def test_an_unknown_median_wants_no_shift() -> None:
    f0, voiced = talk(110.0, 3)
    assert not shifts(f0, voiced, median=0.0).any()


def test_extremes_are_clamped() -> None:
    f0, voiced = talk(60.0, 3)
    assert float(shifts(f0, voiced, median=1000.0)[-1]) == LARGEST_SHIFT
    assert float(shifts(f0, voiced, median=1.0)[-1]) == -LARGEST_SHIFT


def test_a_mix_aims_at_the_geometric_mean() -> None:
    centre = torch.tensor([math.log2(100.0)], dtype=torch.float64)
    half = torch.tensor([[0.5], [0.5], [0.0]])
    assert float(shift_onto((100.0, 400.0, 0.0), half, centre)) == pytest.approx(12.0)
    unknown = torch.tensor([[0.0], [0.5], [0.5]])
    assert float(shift_onto((100.0, 400.0, 0.0), unknown, centre)) == pytest.approx(12.0)
