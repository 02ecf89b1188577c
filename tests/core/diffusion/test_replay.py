"""What is recorded is replayed from fixed memory, with the state it keeps, and says the same."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from core.diffusion.replay import Replayed, recorder

Function = Callable[[], Tensor]


class Recorder:
    """As a card: recording runs nothing, a replay writes into the same memory each time."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, function: Function) -> Function:
        self.recorded += 1
        made: list[Tensor] = []

        def replay() -> Tensor:
            self.replayed += 1
            result = function()
            if not made:
                made.append(result.clone())
            return made[0].copy_(result)

        return replay


class Sum:
    """State kept in place."""

    def __init__(self) -> None:
        self.total = torch.zeros(2)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        self.total += x[:2]
        return self.total + y[:2]


def test_the_third_call_alike_is_recorded() -> None:
    record, plain, summed = Recorder(), Sum(), Sum()
    replayed = Replayed(record)
    results = []
    for length in (3, 3, 3, 3, 4, 4, 4, 4, 4):
        x, y = torch.randn(length), torch.randn(length)
        results.append((replayed(summed, x, y), plain(x, y)))
    for got, wanted in results:  # each its own memory
        torch.testing.assert_close(got, wanted)
    assert (record.recorded, record.replayed) == (2, 5)


def test_another_key_or_a_forgotten_state_begins_anew() -> None:
    record, summed = Recorder(), Sum()
    replayed = Replayed(record)
    one = torch.ones(2)
    for key in (1, 1, 1, 2, 2):
        replayed(summed, one, one, key=key)
    replayed.forget()
    replayed(summed, one, one, key=2)
    assert (record.recorded, record.replayed) == (1, 1)


def test_what_cannot_be_recorded_goes_on_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def fail(function: Function) -> Function:
        raise RuntimeError("operation not permitted when stream is capturing\nat ...")

    replayed, plain, summed = Replayed(fail), Sum(), Sum()
    one = torch.ones(2)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            torch.testing.assert_close(replayed(summed, one, one), plain(one, one))
    assert caplog.text.count("this card records no networks") == 1


def test_a_few_lengths_in_turn_are_recorded_and_old_ones_forgotten() -> None:
    record, plain, summed = Recorder(), Sum(), Sum()
    replayed = Replayed(record)
    for length in (9, 8, 7, 6, *[3, 4, 3, 5] * 3, 9, 9):
        x, y = torch.randn(length), torch.randn(length)
        torch.testing.assert_close(replayed(summed, x, y), plain(x, y))
    assert (record.recorded, record.replayed) == (3, 6)
    assert len(replayed._recordings) == 4


@pytest.mark.gpu
@torch.inference_mode()
def test_a_card_replays_state_and_goes_on_after_what_it_cannot_record() -> None:
    card = torch.device("cuda")
    total, plain = torch.zeros(2, device=card), Sum()

    def sums(x: Tensor, y: Tensor) -> Tensor:
        total.add_(x[:2])
        return total + y[:2]

    def waits(x: Tensor) -> Tensor:
        return x * float(x.sum())

    replayed, refused = Replayed(recorder(card)), Replayed(recorder(card))
    for _ in range(6):
        x, y = torch.randn(3), torch.randn(3)
        torch.testing.assert_close(replayed(sums, x.to(card), y.to(card)).cpu(), plain(x, y))
        torch.testing.assert_close(refused(waits, x.to(card)).cpu(), x * x.sum())
    assert replayed.records
    assert not refused.records


def test_only_cards_record() -> None:
    assert recorder(torch.device("cpu")) is None
    assert recorder(torch.device("cuda")) is not None
