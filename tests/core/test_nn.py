"""Layers: causal, the same whole and in blocks, and as they say at the start of a signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.nn import CausalConv1d, CentredConv1d, Linear, ResidualStack
from tests.toy import BLOCKS, cut

FRAMES, CHANNELS = 41, 6
Layer = Callable[..., tuple[Tensor, Any]]

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "pointwise": lambda: CausalConv1d(CHANNELS, 4, 1),
    "kernel 3": lambda: CausalConv1d(CHANNELS, 4, 3),
    "dilated": lambda: CausalConv1d(CHANNELS, CHANNELS, 2, 9),
    "stack": lambda: ResidualStack(CHANNELS, 3, (1, 2, 4)),
}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> Layer:
    torch.manual_seed(0)
    return LAYERS[request.param]().eval()


def frames(n: int = FRAMES, seed: int = 1) -> Tensor:
    return torch.randn(2, n, CHANNELS, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_causal(layer: Layer) -> None:
    x = frames()
    torch.testing.assert_close(layer(x[:, :17])[0], layer(x)[0][:, :17])


@torch.no_grad()
@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(layer: Layer, blocks: str) -> None:
    x, state, parts = frames(), None, []
    for block in x.split(cut(FRAMES, BLOCKS[blocks]), 1):
        y, state = layer(block, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), layer(x)[0], rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 4), (5, 2)])
def test_centred_is_the_convolution_with_zeros_around(kernel: int, dilation: int) -> None:
    torch.manual_seed(0)
    layer, x = CentredConv1d(CHANNELS, 4, kernel, dilation), frames()
    weight = layer.linear.weight.view(4, kernel, CHANNELS).transpose(1, 2)
    plain = nn.functional.conv1d(
        x.transpose(1, 2), weight, layer.linear.bias, padding="same", dilation=dilation
    )
    torch.testing.assert_close(layer(x)[0], plain.transpose(1, 2), rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("blocks", BLOCKS)
def test_centred_blocks_equal_the_whole_where_they_are_ready(blocks: str) -> None:
    torch.manual_seed(0)
    layer, x = CentredConv1d(CHANNELS, 4, 3, 4), frames()
    state, parts, at, came = None, [], 0, 0
    for size in cut(FRAMES, BLOCKS[blocks]):
        came += size
        ready = max(came - layer.reach - at, 0)
        y, state = layer(x[:, at:came], state, ready)
        parts.append(y[:, :ready])
        at += ready
    whole = layer(x)[0][:, : FRAMES - layer.reach]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_no_state_is_the_start_of_a_signal(layer: Layer) -> None:
    x = frames()
    first = layer(x)[0]
    layer(frames(seed=2))
    assert torch.equal(layer(x)[0], first)


@torch.no_grad()
def test_the_state_passed_in_is_left_as_it_was(layer: Layer) -> None:
    _, state = layer(frames())
    first = layer(frames(seed=2), state)[0]
    assert torch.equal(layer(frames(seed=2), state)[0], first)


def test_before_the_start_lie_zeros() -> None:
    torch.manual_seed(0)
    conv = CausalConv1d(CHANNELS, 4, 3, 5)
    x = frames()
    padded = torch.cat([torch.zeros(2, conv.past, CHANNELS), x], 1)
    torch.testing.assert_close(conv(padded)[0][:, conv.past :], conv(x)[0])


def test_it_is_a_convolution() -> None:
    torch.manual_seed(0)
    ours, theirs = CausalConv1d(CHANNELS, 4, 3, 2), nn.Conv1d(CHANNELS, 4, 3, dilation=2)
    taps = ours.linear.weight.view(4, 3, CHANNELS)  # out, tap, in
    theirs.weight.data, theirs.bias.data = taps.transpose(1, 2).clone(), ours.linear.bias.data
    x = frames()
    wanted = theirs(nn.functional.pad(x.transpose(1, 2), (ours.past, 0))).transpose(1, 2)
    torch.testing.assert_close(ours(x)[0], wanted)


@torch.no_grad()
@pytest.mark.parametrize("rows", [(), (1,), (3, 1), (1, 2), (2, 2), (1, 5), (2, 9), (0,)], ids=str)
def test_linear_gives_what_torch_gives(rows: tuple[int, ...]) -> None:
    layer = Linear(CHANNELS, 7)
    x = torch.randn(*rows, CHANNELS)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))
