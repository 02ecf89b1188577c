"""SpeakerRamp: constant wishes stay constant, a change glides over a few frames."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.speakers import RAMP_FRAMES, SpeakerRamp
from tests.toy import BLOCKS, cut

FIRST, SECOND, THIRD = torch.eye(3)


def test_constant_weights_have_no_ramp() -> None:
    ramp, weights = SpeakerRamp(), torch.tensor([0.7, 0.2, 0.1])
    for frames in (1, 4, 30):
        assert torch.equal(ramp(weights, frames), weights[None, :, None].expand(1, 3, frames))


@pytest.mark.parametrize("blocks", BLOCKS)
def test_a_change_glides_whatever_the_blocks(blocks: str) -> None:
    ramp, parts = SpeakerRamp(), []
    ramp(FIRST, 5)
    parts = [ramp(SECOND, size) for size in cut(40, BLOCKS[blocks])]
    made = torch.cat(parts, -1)[0]
    wanted = (torch.arange(1, 41) / RAMP_FRAMES).clamp(max=1)
    torch.testing.assert_close(made[1], wanted)
    torch.testing.assert_close(made.sum(0), torch.ones(40))
    assert torch.equal(made[:, RAMP_FRAMES:], SECOND[:, None].expand(3, 40 - RAMP_FRAMES))


def test_a_change_during_a_ramp_goes_on_from_there() -> None:
    ramp = SpeakerRamp()
    parts: list[Tensor] = [ramp(FIRST, 3), ramp(SECOND, RAMP_FRAMES // 2), ramp(THIRD, 20)]
    made = torch.cat(parts, -1)[0]
    steps = (made[:, 1:] - made[:, :-1]).abs().max()
    assert float(steps) <= 1 / RAMP_FRAMES + 1e-6
    assert torch.equal(made[:, -1], THIRD)


def test_reset_needs_no_ramp() -> None:
    ramp = SpeakerRamp()
    ramp(FIRST, 3)
    ramp.reset()
    assert torch.equal(ramp(SECOND, 1)[0, :, 0], SECOND)
