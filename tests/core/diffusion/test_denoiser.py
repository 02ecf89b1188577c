"""Preconditioned: scalings, a loss that sees real frames only; StreamingDenoise: blocks = whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.diffusion.denoiser import Preconditioned, StreamingDenoise
from core.diffusion.networks import NETWORKS
from core.diffusion.samplers import SAMPLERS, evaluations
from core.diffusion.schedules import karras_sigmas
from core.features import Conditions
from tests.toy import BLOCKS, TOY, cut, toy_conditions, toy_voice

FRAMES = 44
SIGMAS = karras_sigmas(3, TOY.denoiser.sigma_min, TOY.denoiser.sigma_max)


@pytest.fixture(scope="module", params=NETWORKS)
def denoiser(request: pytest.FixtureRequest) -> Preconditioned:
    config = replace(TOY.denoiser, network=request.param, attention_frames=11)
    return toy_voice(denoiser=config).denoiser


@pytest.fixture(scope="module")
def looking_ahead() -> Preconditioned:
    return toy_voice(denoiser=replace(TOY.denoiser, causal=False)).denoiser


def noise(frames: int, batch: int = 1, seed: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, TOY.mel.n_mels, frames, generator=generator)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_streaming_equals_the_whole(denoiser: Preconditioned, name: str, blocks: str) -> None:
    conditions, x = toy_conditions(FRAMES), SIGMAS[0] * noise(FRAMES)
    whole = SAMPLERS[name](StreamingDenoise(denoiser).begin(conditions), x, SIGMAS)
    streaming, parts, at = StreamingDenoise(denoiser), [], 0
    for size in cut(FRAMES, BLOCKS[blocks]):
        denoise = streaming.begin(conditions.slice(at, at + size))
        parts.append(SAMPLERS[name](denoise, x[..., at : at + size], SIGMAS))
        at += size
    assert relative(torch.cat(parts, -1), whole) < 1e-5
    assert float(whole.std()) > 0.1


@torch.no_grad()
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_what_is_ready_of_a_network_that_looks_ahead(
    looking_ahead: Preconditioned, name: str, blocks: str
) -> None:
    conditions, x = toy_conditions(FRAMES), SIGMAS[0] * noise(FRAMES)
    whole = SAMPLERS[name](StreamingDenoise(looking_ahead).begin(conditions), x, SIGMAS)
    reach = looking_ahead.network.lookahead
    assert reach == sum(TOY.denoiser.dilations)
    lookahead = reach * evaluations(name, 3)
    streaming, parts, pushed, at = StreamingDenoise(looking_ahead, lookahead), [], 0, 0
    for size in cut(FRAMES, BLOCKS[blocks]):
        denoise = streaming.begin(conditions.slice(pushed, pushed + size))
        pushed += size
        assert (at + denoise.frames, at + denoise.ready) == (pushed, max(pushed - lookahead, at))
        made = SAMPLERS[name](denoise, x[..., at:pushed], SIGMAS)
        parts.append(made[..., : denoise.ready])
        at += denoise.ready
    ready = torch.cat(parts, -1)
    assert ready.shape[-1] == FRAMES - lookahead
    assert relative(ready, whole[..., : FRAMES - lookahead]) < 1e-5


@torch.no_grad()
def test_streaming_needs_its_states(denoiser: Preconditioned) -> None:
    """The blocks would not join without them, or the test above proves nothing."""
    conditions, x = toy_conditions(FRAMES), SIGMAS[0] * noise(FRAMES)
    euler = SAMPLERS["euler"]
    whole = euler(StreamingDenoise(denoiser).begin(conditions), x, SIGMAS)
    forgetful = StreamingDenoise(denoiser).begin(conditions.slice(20, FRAMES))
    assert relative(euler(forgetful, x[..., 20:], SIGMAS), whole[..., 20:]) > 1e-3


@torch.no_grad()
def test_little_noise_leaves_x_alone_and_much_noise_is_ignored(denoiser: Preconditioned) -> None:
    prepared, _ = denoiser.condition(toy_conditions(8))
    x = noise(8)
    torch.testing.assert_close(denoiser.denoise(x, 1e-4, prepared)[0], x, rtol=0, atol=1e-2)
    sigma = 1e4
    answers = [denoiser.denoise(sigma * noise(8, seed=s), sigma, prepared)[0] for s in (1, 2)]
    assert float(answers[0].abs().max()) < 100


@torch.no_grad()
def test_a_sampler_sets_out_from_the_prior(denoiser: Preconditioned) -> None:
    denoise = StreamingDenoise(denoiser).begin(toy_conditions(8))
    prior = denoiser.condition(toy_conditions(8))[0].prior
    torch.testing.assert_close(denoise.start(noise(8), 3.0), prior + 3.0 * noise(8))
    assert float(prior.std()) > 0.01


def test_normalise_and_back(denoiser: Preconditioned) -> None:
    mel = noise(8) * 3 - 5
    torch.testing.assert_close(denoiser.denormalise(denoiser.normalise(mel)), mel)
    torch.testing.assert_close(
        denoiser.normalise(torch.full_like(mel, -6.0)), torch.zeros(mel.shape)
    )


def test_the_loss_is_what_the_denoiser_misses(denoiser: Preconditioned) -> None:
    """Weighted by (s^2 + d^2) / (s d)^2, D's error in the data is the loss of F (EDM, eq. 8)."""
    conditions, x0, sigma, eps = toy_conditions(8), noise(8), 0.7, noise(8, seed=6)
    data = denoiser.sigma_data
    with torch.no_grad():
        loss, prior = denoiser.loss(x0, conditions, torch.tensor([sigma]), eps, torch.ones(1, 8))
        prepared, _ = denoiser.condition(conditions)
        guess, _ = denoiser.denoise(x0 + sigma * eps, sigma, prepared)
    weight = (sigma**2 + data**2) / (sigma * data) ** 2
    torch.testing.assert_close(loss, weight * (guess - x0).square().mean())
    torch.testing.assert_close(prior, (prepared.prior - x0).square().mean())


def test_the_prior_learns_from_its_own_error_alone() -> None:
    denoiser = toy_voice().denoiser
    rest, _ = denoiser.loss(*padded_batch(0.0))
    learned = gradients(denoiser, rest)
    assert not learned.keys() & {"network.condition.prior.weight", "network.condition.prior.bias"}


LENGTHS = (9, 20, 14)


def padded_batch(fill: float) -> tuple[Tensor, Conditions, Tensor, Tensor, Tensor]:
    """Three utterances side by side, with `fill` after the end of the shorter ones."""
    batch, longest = len(LENGTHS), max(LENGTHS)
    x0, eps = noise(longest, batch), noise(longest, batch, seed=8)
    conditions = toy_conditions(longest, batch)
    mask = (torch.arange(longest) < torch.tensor(LENGTHS)[:, None]).float()
    beyond = mask == 0
    for values in (x0.transpose(1, 2), eps.transpose(1, 2), conditions.units.transpose(1, 2)):
        values[beyond] = fill
    conditions.f0[beyond] = 100.0 + abs(fill)
    conditions.loudness[beyond] = fill
    return x0, conditions, torch.tensor([0.1, 1.0, 5.0]), eps, mask


def gradients(denoiser: Preconditioned, loss: Tensor) -> dict[str, Tensor]:
    names = [name for name, _ in denoiser.named_parameters()]
    found = torch.autograd.grad(loss, list(denoiser.parameters()), allow_unused=True)
    return {k: g for k, g in zip(names, found, strict=True) if g is not None}


@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_neither_loss_nor_gradient(causal: bool) -> None:
    denoiser = toy_voice(denoiser=replace(TOY.denoiser, causal=causal)).denoiser
    losses = [sum(denoiser.loss(*padded_batch(fill)), torch.zeros(())) for fill in (0.0, -70.0)]
    torch.testing.assert_close(losses[0], losses[1])
    a, b = (gradients(denoiser, loss) for loss in losses)
    assert a
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("causal", [True, False])
def test_a_batch_is_its_utterances_weighted_by_their_frames(causal: bool) -> None:
    denoiser = toy_voice(denoiser=replace(TOY.denoiser, causal=causal)).denoiser
    x0, conditions, sigma, eps, mask = padded_batch(0.3)
    together = sum(denoiser.loss(x0, conditions, sigma, eps, mask), torch.zeros(()))
    alone = torch.zeros(())
    for i, n in enumerate(LENGTHS):
        one = slice(i, i + 1)
        single = Conditions(
            *(part[one, ..., :n] for part in (conditions.units, conditions.f0, conditions.voiced)),
            conditions.loudness[one, :n],
            conditions.speaker[one, :, :n],
        )
        ones = torch.ones(1, n)
        rest, prior = denoiser.loss(x0[one, :, :n], single, sigma[one], eps[one, :, :n], ones)
        alone = alone + n / sum(LENGTHS) * (rest + prior)
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    a, b = gradients(denoiser, together), gradients(denoiser, alone)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5, msg=name)
