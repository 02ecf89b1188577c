"""Half precision: near enough to fp32, never trusted untried, taken only where it gains."""

from __future__ import annotations

import logging

import pytest
import torch

from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.diffnet_stream import DiffNetStream
from core.diffusion.precision import closeness, in_precision
from core.errors import ConfigError
from core.int8 import snr_db
from core.precision import faster_on

CPU = torch.device("cpu")


@pytest.fixture
def net() -> DiffNet:
    torch.manual_seed(0)
    return DiffNet(DiffNetSize(16, 8, 32, 6, 2)).eval()


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that says it multiplies in bf16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)


def convolution(net: DiffNet) -> torch.nn.Conv1d:
    found = net.residual_layers[-1].dilated_conv
    assert isinstance(found, torch.nn.Conv1d)
    return found


def test_half_precision_is_near(net: DiffNet) -> None:
    half = in_precision(net, "bf16")
    assert convolution(half).weight.dtype == torch.bfloat16
    assert convolution(net).weight.dtype == half.input_projection.weight.dtype == torch.float32
    assert 30 < closeness(net, half) < 90


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_blocks_agree_to_their_rounding(net: DiffNet, precision: torch.dtype) -> None:
    net = net.lowered(precision)
    x, cond = torch.randn(1, 16, 60), torch.randn(1, 8, 60)
    whole = net(x, torch.tensor([5.0]), net.condition(cond))
    stream, said = DiffNetStream(net), []
    for at in range(0, 40, 8):  # what follows lies further ahead than the network hears
        stream.begin(cond[..., at : at + 28], 8)
        said.append(stream(x[..., at : at + 28], 5.0)[..., :8])
    assert snr_db(whole[..., :40], torch.cat(said, 2)) > (45 if precision.itemsize == 2 else 110)


def test_a_network_that_overflows_stays(net: DiffNet, caplog: pytest.LogCaptureFixture) -> None:
    """70000 is none of fp16's numbers."""
    last = net.residual_layers[-1].output_projection
    assert isinstance(last, torch.nn.Conv1d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias[-1] = 7e4
    with caplog.at_level(logging.WARNING):
        assert in_precision(net, "fp16") is net
    assert "fp16 is left out: in it this network is -inf dB from fp32" in caplog.text


def test_auto_goes_by_the_processor(
    net: DiffNet, able: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert faster_on(CPU) == ("bf16",)
    assert convolution(in_precision(net)).weight.dtype == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert faster_on(CPU) == ()
    assert in_precision(net) is net
    assert faster_on(torch.device("cuda")) == ("fp16", "bf16")


def test_fp32_and_an_unknown_one(net: DiffNet, able: None) -> None:
    assert in_precision(net, "fp32") is net
    with pytest.raises(ConfigError, match=r'unknown precision "int4"; known: auto, bf16, fp16'):
        in_precision(net, "int4")
