"""UnitBank: draws units towards the target's own, frame by frame."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.content.bank import UnitBank


@pytest.fixture
def bank() -> UnitBank:
    bank = UnitBank(speakers=2, size=5, dim=8, width=0.3)
    generator = torch.Generator().manual_seed(1)
    bank.units.copy_(F.layer_norm(torch.randn(2, 5, 8, generator=generator), (8,)))
    return bank


def heard(frames: int = 9) -> torch.Tensor:
    return torch.randn(1, 8, frames, generator=torch.Generator().manual_seed(2))


def test_a_unit_of_the_target_stays(bank: UnitBank) -> None:
    own = bank.units[1].T[None]  # normalised, as an encoder's units are
    torch.testing.assert_close(bank(own, 1, 1.0), own, rtol=1e-3, atol=1e-3)


def test_every_frame_comes_near_its_nearest_neighbour(bank: UnitBank) -> None:
    drawn, own = bank(heard(), 0, 1.0)[0].T, bank.units[0]
    nearest = own[torch.cdist(heard()[0].T, own).argmin(1)]
    assert float((drawn - nearest).norm(dim=1).median()) < 0.1


def test_share(bank: UnitBank) -> None:
    assert torch.equal(bank(heard(), 0, 0.0), heard())
    half = bank(heard(), 0, 0.5)
    torch.testing.assert_close(half, (heard() + bank(heard(), 0, 1.0)) / 2)
    past = bank(heard(), 0, 1.5)
    torch.testing.assert_close(past, heard() + 1.5 * (bank(heard(), 0, 1.0) - heard()))


def test_frame_by_frame(bank: UnitBank) -> None:
    whole = bank(heard(), 0, 1.0)
    parts = [bank(heard()[..., i : i + 1], 0, 1.0) for i in range(9)]
    torch.testing.assert_close(torch.cat(parts, -1), whole)


def test_speakers_differ_and_an_empty_bank_does_nothing(bank: UnitBank) -> None:
    assert not torch.allclose(bank(heard(), 0, 1.0), bank(heard(), 1, 1.0))
    assert torch.equal(UnitBank(1, 0, 8, 1.0)(heard(), 0, 1.0), heard())
