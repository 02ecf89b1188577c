"""Both denoising networks and their condition encoder: causal, the same whole and in blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.diffusion.networks import NETWORKS, Network
from tests.toy import BLOCKS, TOY, cut, toy_conditions, toy_voice

FRAMES = 41


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    config = replace(TOY.denoiser, network=request.param, attention_frames=11)
    return toy_voice(denoiser=config).denoiser.network


def noisy(frames: int = FRAMES) -> Tensor:
    return torch.randn(1, frames, TOY.mel.n_mels, generator=torch.Generator().manual_seed(3))


LEVEL = torch.tensor([[0.4]])


@torch.no_grad()
def test_causal(network: Network) -> None:
    conditions, x = toy_conditions(FRAMES), noisy()
    prior, biases, _ = network.condition(conditions)
    whole = network(x, network.embed(LEVEL), biases)[0]
    short_prior, short_biases, _ = network.condition(conditions.slice(0, 17))
    short = network(x[:, :17], network.embed(LEVEL), short_biases)[0]
    torch.testing.assert_close(short, whole[:, :17], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(short_prior, prior[:, :17], rtol=1e-5, atol=1e-5)
    assert float(whole.abs().mean()) > 0.05


@torch.no_grad()
@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(network: Network, blocks: str) -> None:
    conditions, x = toy_conditions(FRAMES), noisy()
    prior, biases, _ = network.condition(conditions)
    whole = network(x, network.embed(LEVEL), biases)[0]
    condition_state, state, parts, priors, at = None, None, [], [], 0
    for size in cut(FRAMES, BLOCKS[blocks]):
        part = conditions.slice(at, at + size)
        part_prior, part_biases, condition_state = network.condition(part, condition_state)
        y, state = network(x[:, at : at + size], network.embed(LEVEL), part_biases, state)
        parts.append(y)
        priors.append(part_prior)
        at += size
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.cat(priors, 1), prior, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("what", ["units", "f0", "voiced", "loudness", "speaker"])
def test_every_condition_is_heard(network: Network, what: str) -> None:
    ours, others = toy_conditions(8), toy_conditions(8, seed=1)
    other = others.speaker.flip(1) if what == "speaker" else getattr(others, what)
    changed = type(ours)(**{**vars(ours), what: other})
    for a, b in zip(network.condition(ours)[:2], network.condition(changed)[:2], strict=True):
        assert float((a - b).abs().max()) > 1e-3


@torch.no_grad()
def test_the_noise_level_is_heard(network: Network) -> None:
    biases = network.condition(toy_conditions(8))[1]
    quiet, loud = (network(noisy(8), network.embed(LEVEL * scale), biases)[0] for scale in (-1, 1))
    assert float((quiet - loud).abs().max()) > 1e-3
