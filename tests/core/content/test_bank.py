"""UnitBank: draws units towards the target's own, frame by frame."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.content.bank import UnitBank


def around(count: int, seed: int) -> torch.Tensor:
    """(count, 8): sounds that lie around five of the same."""
    middles = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    aside = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return F.layer_norm(middles[torch.arange(count) % 5] + 0.2 * aside, (8,))


@pytest.fixture
def bank() -> UnitBank:
    bank = UnitBank(speakers=2, size=5, dim=8, width=0.5)
    bank.units.copy_(torch.stack([around(5, 2), around(5, 3)]))
    return bank


def heard(frames: int = 9) -> torch.Tensor:
    return around(frames, 4).T[None]


def only(speaker: int) -> torch.Tensor:
    """All weight on one of two, (1, 2, 1): the same for every frame."""
    return torch.eye(2)[speaker][None, :, None]


def test_a_unit_of_the_target_stays(bank: UnitBank) -> None:
    own = bank.units[1].float().T[None]  # normalised, as an encoder's units are
    torch.testing.assert_close(bank(own, only(1), 1.0), own, rtol=1e-3, atol=1e-3)


def test_what_lies_near_comes_nearer_and_what_lies_far_stays(bank: UnitBank) -> None:
    drawn, own = bank(heard(), only(0), 1.0)[0].T, bank.units[0].float()
    nearest = own[torch.cdist(heard()[0].T, own).argmin(1)]
    before = (heard()[0].T - nearest).norm(dim=1)
    assert float(((drawn - nearest).norm(dim=1) / before).median()) < 0.5
    far = F.layer_norm(torch.arange(8.0), (8,))[None]
    assert float(torch.cdist(far, own).min()) > 4 * bank.width
    torch.testing.assert_close(bank(far.T[None], only(0), 1.0)[0].T, far, atol=0.01, rtol=0)


def test_share(bank: UnitBank) -> None:
    assert torch.equal(bank(heard(), only(0), 0.0), heard())
    half = bank(heard(), only(0), 0.5)
    torch.testing.assert_close(half, (heard() + bank(heard(), only(0), 1.0)) / 2)
    past = bank(heard(), only(0), 1.5)
    torch.testing.assert_close(past, heard() + 1.5 * (bank(heard(), only(0), 1.0) - heard()))


def test_a_share_for_each_frame(bank: UnitBank) -> None:
    shares = torch.linspace(0, 1.5, 9)[None, None]
    made = bank(heard(), only(0), shares)
    for i in range(9):
        alone = bank(heard()[..., i : i + 1], only(0), float(shares[0, 0, i]))
        torch.testing.assert_close(made[..., i : i + 1], alone)


def test_frame_by_frame(bank: UnitBank) -> None:
    whole = bank(heard(), only(0), 1.0)
    parts = [bank(heard()[..., i : i + 1], only(0), 1.0) for i in range(9)]
    torch.testing.assert_close(torch.cat(parts, -1), whole)


def test_speakers_differ_and_an_empty_bank_does_nothing(bank: UnitBank) -> None:
    assert not torch.allclose(bank(heard(), only(0), 1.0), bank(heard(), only(1), 1.0))
    assert torch.equal(UnitBank(1, 0, 8, 1.0)(heard(), only(0), 1.0), heard())


def test_a_mix_lies_between_and_follows_the_weights_of_each_frame(bank: UnitBank) -> None:
    first, second = bank(heard(), only(0), 1.0), bank(heard(), only(1), 1.0)
    weights = torch.stack([torch.linspace(1, 0, 9), torch.linspace(0, 1, 9)])[None]
    mixed = bank(heard(), weights, 1.0)
    torch.testing.assert_close(mixed[..., 0], first[..., 0])
    torch.testing.assert_close(mixed[..., -1], second[..., -1])
    middle = F.layer_norm((first + second)[..., 4] / 2, (8,))
    assert float((mixed[..., 4] - middle).norm()) < 0.5
    assert float((mixed[..., 4] - first[..., 4]).norm()) > 0.1


def test_a_speaker_without_weight_costs_nothing(bank: UnitBank) -> None:
    bank.units[1] = torch.nan
    assert bank(heard(), only(0), 1.0).isfinite().all()


def test_it_keeps_up_with_its_units(bank: UnitBank) -> None:
    before = bank(heard(), only(0), 1.0)
    bank.units[0] = bank.units[1]
    assert torch.equal(bank(heard(), only(0), 1.0), bank(heard(), only(1), 1.0))
    assert not torch.allclose(bank(heard(), only(0), 1.0), before)
    kept = bank(heard(), only(0), 1.0)
    bank.units = bank.units.flip(-1)
    assert not torch.allclose(bank(heard(), only(0), 1.0), kept)
