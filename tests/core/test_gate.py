"""The gate: opens where the sound is, holds, closes to exact silence, the same in any blocks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.gate import Gate
from tests.toy import BLOCKS, cut

HOP, THRESHOLD = 8, -65.0


def levels(frames: int = 44) -> Tensor:
    db = torch.full((1, frames), -90.0)
    db[:, 5:8] = -20.0
    db[:, 30] = -60.0
    return db


def test_opens_holds_and_closes() -> None:
    gains = Gate(HOP, hold_frames=4)(levels(), THRESHOLD).view(-1, HOP)
    assert gains[:5].max() == 0
    assert gains[5, 0] == pytest.approx(1 / HOP)
    assert (gains[5, 1:] > gains[5, :-1]).all()
    assert (gains[6:11] == 1).all()
    assert gains[11, -1] == 0
    assert gains[12:30].max() == 0
    assert gains[30, -1] == 1


@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(blocks: str) -> None:
    whole = Gate(HOP)(levels(), THRESHOLD)
    gate = Gate(HOP)
    parts = [gate(part, THRESHOLD) for part in levels().split(cut(44, BLOCKS[blocks]), 1)]
    assert torch.equal(torch.cat(parts, 1), whole)


def test_reset_repeats() -> None:
    gate = Gate(HOP)
    first = gate(levels(), THRESHOLD)
    gate.reset()
    assert torch.equal(gate(levels(), THRESHOLD), first)


def test_the_threshold_may_move_while_sound_runs() -> None:
    gate = Gate(HOP, hold_frames=1)
    assert gate(levels()[:, 5:7], THRESHOLD)[0, -1] == 1
    assert gate(levels()[:, 5:7], -10.0)[0, -1] == 0
