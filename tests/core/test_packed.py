"""Packed layers: what the layers give, as long as their weights are what they were."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn

from core.nn import HalvedLinear, Linear, ResidualStack
from core.packed import pack

CHANNELS = 6
ROWS = [(1,), (3, 1), (1, 3), (2, 9), (2, 30), (0,)]


def halved(module: nn.Module) -> nn.Module:
    """As a voice file has its weights."""
    for weight in module.parameters():
        weight.data = weight.data.half().float()
    return module.eval()


def packed_linear() -> Linear:
    torch.manual_seed(0)
    layer = Linear(CHANNELS, 7)
    pack(halved(layer))
    return layer


def packed_stack() -> ResidualStack:
    torch.manual_seed(0)
    stack = ResidualStack(CHANNELS, 3, (1, 2, 4))
    pack(halved(stack))
    return stack


def plain(layer: nn.Linear, x: Tensor) -> Tensor:
    return nn.functional.linear(x, layer.weight.float(), layer.bias)


@pytest.mark.skipif(
    torch.backends.quantized.engine not in ("x86", "fbgemm"), reason="needs a processor with AVX2"
)
def test_where_torch_can_everything_is_packed() -> None:
    """Should torch drop the product, this says so: live speech takes nearly twice as long then."""
    stack = packed_stack()
    assert packed_linear().packed is not None
    assert stack.packed is not None
    assert all(layer.packed is not None for layer in stack.modules() if isinstance(layer, Linear))


@torch.inference_mode()
@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_linear(rows: tuple[int, ...]) -> None:
    layer, x = packed_linear(), torch.randn(*rows, CHANNELS)
    torch.testing.assert_close(layer(x), plain(layer, x))


@torch.no_grad()
def test_a_linear_that_is_half_precision_already() -> None:
    layer, x = HalvedLinear(CHANNELS, 7), torch.randn(1, 3, CHANNELS)
    layer.halve()
    layer.weight.normal_()
    pack(layer)
    torch.testing.assert_close(layer(x), plain(layer, x))


@torch.inference_mode()
def test_blocks_of_a_stack_equal_the_whole() -> None:
    stack, x = packed_stack(), torch.randn(1, 41, CHANNELS)
    state, parts = None, []
    for block in x.split((3, 1, 2, 34, 1), 1):
        y, state = stack(block, state)
        parts.append(y)
    stack.packed = None
    torch.testing.assert_close(torch.cat(parts, 1), stack(x)[0], rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_the_state_passed_in_is_left_as_it_was() -> None:
    stack, x = packed_stack(), torch.randn(1, 3, CHANNELS)
    _, state = stack(x)
    first = stack(x, state)[0]
    assert torch.equal(stack(x, state)[0], first)


@torch.no_grad()
def test_a_linear_keeps_up_with_its_weight() -> None:
    layer, x = packed_linear(), torch.randn(1, 3, CHANNELS)
    layer.weight.mul_(2)
    torch.testing.assert_close(layer(x), plain(layer, x))


@torch.no_grad()
def test_a_stack_keeps_up_with_its_weights() -> None:
    stack, x = packed_stack(), torch.randn(1, 3, CHANNELS)
    _, state = stack(x)
    before = stack(x, state)[0]
    stack.mixes[2].weight.mul_(2)
    assert not torch.allclose(stack(x, state)[0], before)


def test_it_trains() -> None:
    stack, x = packed_stack().train(), torch.randn(1, 3, CHANNELS)
    with torch.no_grad():
        _, state = stack(x)
    stack(x, state)[0].sum().backward()
    assert all(weight.grad is not None for weight in stack.parameters())


@torch.no_grad()
def test_a_copy_is_not_packed() -> None:
    stack = packed_stack()
    file = io.BytesIO()
    torch.save(stack, file)
    file.seek(0)
    for other in (copy.deepcopy(stack), torch.load(file, weights_only=False)):
        assert other.packed is None
        assert all(mix.packed is None for mix in other.mixes)


@torch.no_grad()
def test_a_weight_finer_than_half_precision_is_not_packed() -> None:
    stack = ResidualStack(CHANNELS, 3, (1, 2))
    pack(stack)
    assert stack.packed is None
    assert all(mix.packed is None for mix in stack.mixes)
