"""Padded batches: the loss and every gradient are those of their utterances one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.diffusion.networks import NETWORKS
from offline.studio.batches import BatchPlan, Crop, Item, collate
from offline.studio.network import Adapting
from offline.studio.settings import TrainSettings
from tests.toy import TOY, toy_voice


def make_items(lengths: tuple[int, ...]) -> list[Item]:
    generator = torch.Generator().manual_seed(0)
    hop = TOY.audio.hop_length
    return [
        Item(
            (3000 * np.random.default_rng(i).standard_normal(n * hop)).astype(np.int16),
            torch.randn(TOY.mel.n_mels, n, generator=generator).half(),
            torch.randn(2, TOY.content.dim, n, generator=generator).half(),
            100 + 100 * torch.rand(n, generator=generator),
            torch.rand(n, generator=generator) < 0.5,
            -50 + 20 * torch.rand(n, generator=generator),
        )
        for i, n in enumerate(lengths)
    ]


def gradients(network: Adapting) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("method", ["full", "low-rank"])
@pytest.mark.parametrize("kind", [*NETWORKS, "looking ahead"])
def test_padding_changes_neither_loss_nor_gradient(kind: str, method: str) -> None:
    items = make_items((90, 61, 17, 33, 4))
    settings = TrainSettings(polish=False, method=method, rank=4)
    torch.manual_seed(0)
    ahead = kind not in NETWORKS
    name = "wavenet" if ahead else kind
    config = replace(TOY.denoiser, network=name, attention_frames=20, causal=not ahead)
    network = Adapting(toy_voice(denoiser=config), "anna", settings).double()
    crops = [Crop(i, 0, item.frames, key=i) for i, item in enumerate(items)]

    def loss_of(some: list[Crop]) -> torch.Tensor:
        batch = collate(some, items, TOY)
        double = batch._replace(
            mel=batch.mel.double(),
            noise=batch.noise.double(),
            sigma=batch.sigma.double(),
            conditions=type(batch.conditions)(
                batch.conditions.units.double(),
                batch.conditions.f0.double(),
                batch.conditions.voiced,
                batch.conditions.loudness.double(),
                batch.conditions.speaker.double(),
            ),
        )
        summed, _ = network(double)
        summed.backward()
        return summed.detach()

    # one_step makes float32 of its mel: all else is double, so that only padding could differ
    together = loss_of(crops)
    padded = gradients(network)
    network.zero_grad(set_to_none=True)
    apart = sum(loss_of([crop]) for crop in crops)
    torch.testing.assert_close(together, torch.as_tensor(apart), rtol=1e-5, atol=0)
    assert padded.keys() == gradients(network).keys()
    for name, gradient in gradients(network).items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(padded[name], gradient, rtol=1e-5, atol=1e-5 * scale + 1e-12)


def test_what_is_padded_goes_in_step() -> None:
    items = make_items((40, 9))
    batch = collate([Crop(0, 0, 40, 1), Crop(1, 0, 9, 2)], items, TOY, augment=False)
    assert batch.mask.sum(1).tolist() == [40, 9]
    torch.testing.assert_close(batch.conditions.f0[1, :9], items[1].f0)
    assert torch.equal(batch.conditions.voiced[1, :9], items[1].voiced)
    torch.testing.assert_close(batch.conditions.units[1, :, :9], items[1].units[0].float())
    assert not batch.conditions.voiced[1, 9:].any()
    assert (batch.noise[1, :, 9:] == 0).all()


def test_spoken_frames_fit_their_wave() -> None:
    items = make_items((64, 64))
    batch = collate([Crop(0, 2, 60, 1), Crop(1, 0, 60, 2)], items, TOY, 16, augment=False)
    hop = TOY.audio.hop_length
    for b, first in enumerate((2, 0)):
        at = (first + int(batch.spoken[b])) * hop
        wanted = torch.from_numpy(items[b].wave[at : at + 16 * hop].astype(np.float32) / 32768)
        torch.testing.assert_close(batch.wave[b], wanted)


def test_every_utterance_once_an_epoch_under_the_budget() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(170, 1300, 400).tolist()
    plan = BatchPlan(lengths, 6000, 0, seed=1)
    for epoch in (0, 1):
        batches = [plan.batch(epoch * plan.count + i) for i in range(plan.count)]
        assert sorted(c.item for b in batches for c in b) == list(range(400))
        assert all(len(b) * max(c.frames for c in b) <= 6000 for b in batches)
    assert plan.waste() <= 0.05
    first = [plan.batch(i) for i in range(plan.count)]
    again = [BatchPlan(lengths, 6000, 0, seed=1).batch(i) for i in range(plan.count)]
    assert first == again
    assert first != [plan.batch(plan.count + i) for i in range(plan.count)]


def test_crops_play_long_utterances_as_often_as_they_are_long() -> None:
    plan = BatchPlan([1000, 100, 30], 400, 100, seed=0)
    crops = [c for i in range(plan.count) for c in plan.batch(i)]
    assert [sum(c.item == i for c in crops) for i in range(3)] == [10, 1, 1]
    assert all(c.start + c.frames <= [1000, 100, 30][c.item] for c in crops)
