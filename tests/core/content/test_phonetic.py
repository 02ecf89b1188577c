"""PhoneticEncoder: its lookahead is enough and needed; its stream says what the whole says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.content.phonetic import PhoneticEncoder
from tests.toy import BLOCKS, TOY, cut, speechlike, toy_voice

HOP, FRAMES = TOY.audio.hop_length, 44


@pytest.fixture(scope="module")
def encoder() -> PhoneticEncoder:
    return toy_voice().encoder


def wave(samples: int = FRAMES * HOP) -> Tensor:
    return torch.from_numpy(speechlike(samples))[None]


@torch.inference_mode()
@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 7000])
def test_frames_cover_any_length(encoder: PhoneticEncoder, samples: int) -> None:
    units = encoder(wave(samples))
    assert units.shape == (1, encoder.dim, -(-samples // HOP))
    assert units.isfinite().all()


@torch.inference_mode()
def test_lookahead_is_enough_and_needed(encoder: PhoneticEncoder) -> None:
    """As zeros follow a wave, hearing more of it must change nothing before the lookahead."""
    heard, frame = wave(), 20
    enough = (frame + 1) * HOP + encoder.lookahead()
    for end, same in ((enough, True), (enough - HOP, False)):
        other = heard.clone()
        other[:, end:] = 0.1
        equal = torch.allclose(encoder(other)[..., frame], encoder(heard)[..., frame], atol=1e-6)
        assert equal is same
        torch.testing.assert_close(
            encoder(other)[..., : frame - 1], encoder(heard)[..., : frame - 1]
        )


@torch.inference_mode()
@pytest.mark.parametrize("blocks", BLOCKS)
def test_stream_equals_the_whole(encoder: PhoneticEncoder, blocks: str) -> None:
    heard = wave()
    state, parts = encoder.init_state(), []
    for block in heard.split([n * HOP for n in cut(FRAMES, BLOCKS[blocks])], 1):
        units, state = encoder.step(block, state)
        parts.append(units)
    streamed = torch.cat(parts, -1)
    late = -(-encoder.lookahead() // HOP)
    assert streamed.shape[-1] == FRAMES - late
    torch.testing.assert_close(streamed, encoder(heard)[..., :-late], rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_a_fresh_state_repeats(encoder: PhoneticEncoder) -> None:
    first, second = (encoder.step(wave(), encoder.init_state())[0] for _ in range(2))
    assert torch.equal(first, second)


@torch.inference_mode()
def test_batch_items_are_alone(encoder: PhoneticEncoder) -> None:
    both = torch.cat([wave(), wave().flip(1)])
    torch.testing.assert_close(encoder(both)[1:], encoder(both[1:]), rtol=1e-5, atol=1e-5)


def test_it_declares_its_grid(encoder: PhoneticEncoder) -> None:
    assert (encoder.sample_rate, encoder.hop_length, encoder.dim) == (44_100, 512, 8)
    assert encoder.lookahead() == 2 * 512 + 256


@torch.inference_mode()
def test_clear_units_say_a_phone_more_surely(encoder: PhoneticEncoder) -> None:
    units = encoder(wave())

    def purity(said: Tensor) -> Tensor:
        return torch.softmax(encoder.phones(said.transpose(1, 2)), -1).square().sum(-1)

    cleared = encoder.clear(units, 3.0)
    assert bool((purity(cleared) > purity(units)).all())
    assert bool((purity(encoder.clear(units, 6.0)) > purity(cleared)).all())
    assert encoder.clear(units, 0.0) is units
    for frame in range(0, FRAMES, 7):  # each by itself: it streams
        alone = encoder.clear(units[..., frame : frame + 1], 3.0)
        torch.testing.assert_close(alone, cleared[..., frame : frame + 1])


@torch.inference_mode()
def test_the_step_to_clearer_units_follows_the_slope_of_purity(encoder: PhoneticEncoder) -> None:
    units = encoder(wave())
    with torch.inference_mode(False), torch.enable_grad():
        x = units.transpose(1, 2).clone().requires_grad_()
        torch.softmax(encoder.phones(x), -1).square().sum().backward()
        assert x.grad is not None
        stepped = torch.nn.functional.layer_norm(x + 2.0 * x.grad / 2, (encoder.dim,))
    torch.testing.assert_close(encoder.clear(units, 2.0), stepped.detach().transpose(1, 2))
