"""Half precision for a DiffNet, where the processor or the card multiplies in it faster.

A network is tried before it is trusted: where half precision does not hold what it computes, as
fp16 beyond 65504, or strays from fp32, it stays in fp32.
"""

from __future__ import annotations

import logging

import torch

from core.diffusion.diffnet import DiffNet
from core.int8 import snr_db
from core.precision import AUTO, PRECISIONS, to_try

_CLOSE_DB = 30.0
_FRAMES = 32
_STEPS = (0.0, 100.0, 500.0, 999.0)

_log = logging.getLogger(__name__)


def in_precision(net: DiffNet, wanted: str = AUTO) -> DiffNet:
    """The network in the precision of that name, or in fp32 where that fails it.

    auto: the first that gains on the network's device and holds. Unknown: a ConfigError.
    """
    for name in to_try(wanted, net.input_projection.weight.device):
        lowered = net.lowered(PRECISIONS[name])
        apart = closeness(net, lowered)
        if apart >= _CLOSE_DB:
            return lowered
        _log.warning(
            "%s is left out: in it this network is %.0f dB from fp32, expected %.0f or more",
            *(name, apart, _CLOSE_DB),
        )
    return net


@torch.inference_mode()
def closeness(net: DiffNet, lowered: DiffNet) -> float:
    """dB from one network's noise to the other's at the worst of some steps; -inf if not finite."""
    like = net.input_projection.weight
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, net.size.n_mels, _FRAMES, generator=generator).to(like)
    cond = torch.randn(1, net.size.condition, _FRAMES, generator=generator).to(like)
    worst = float("inf")
    for step in torch.tensor(_STEPS).to(like):
        wanted = net(x, step[None], net.condition(cond))
        got = lowered(x, step[None], lowered.condition(cond))
        near = snr_db(wanted, got) if bool(got.isfinite().all()) else -float("inf")
        worst = min(worst, near)
    return worst
