"""Unit2Mel of Diffusion-SVC: condition and four samplers, from noise and from a shallow start."""

from __future__ import annotations

import pytest
import torch

from core.diff_svc.unit2mel import Unit2Mel
from core.errors import ConfigError
from core.imports.diffusion_svc import read_diffusion_svc
from tests.golden import GOLDEN, arrays, cases, distance, needs_golden, tensor

pytestmark = needs_golden


def model_of(case: str) -> Unit2Mel:
    imported = read_diffusion_svc(next(iter((GOLDEN / case).glob("model_*.pt"))))
    return Unit2Mel.from_state_dict(
        {k.removeprefix("unit2mel."): v for k, v in imported.weights.items()}
    )


@torch.inference_mode()
@pytest.mark.parametrize("case", cases("model_[0-9]*.pt"))
def test_condition_and_samplers(case: str) -> None:
    io, model = arrays(case), model_of(case)
    cond = model.condition(
        tensor(io["units"]),
        tensor(io["f0"])[..., 0],
        tensor(io["volume"])[..., 0],
        tensor(io["spk_id"])[:, 0],
        tensor(io["aug_shift"])[:, 0],
    )
    assert distance(cond.transpose(1, 2), io["cond"]) < 1e-6
    noise, start_mel = tensor(io["x_T"])[:, 0], tensor(io["gt_spec"]).transpose(1, 2)
    for key in [key for key in io if key.startswith("mel_")]:
        _, method, speedup, kind = key.split("_")
        start = int(kind.removeprefix("shallow")) if kind != "full" else None
        begin = None if start is None else start_mel
        made = model.sample(cond, noise, method, int(speedup), begin, start)
        bar = 1e-4 if (start or model.decoder.timesteps) < 50 * int(speedup) else 1e-3
        assert distance(made.transpose(1, 2), io[key]) < bar, key


@torch.inference_mode()
@pytest.mark.parametrize("case", cases("model_[0-9]*.pt")[:1])
def test_what_cannot_be_sampled(case: str) -> None:
    io, model = arrays(case), model_of(case)
    cond, noise = tensor(io["cond"]).transpose(1, 2), tensor(io["x_T"])[:, 0]
    with pytest.raises(ConfigError, match='unknown sampler of imported voices "rk4"; known: ddim'):
        model.sample(cond, noise, "rk4")
    with pytest.raises(ConfigError, match="leaves no step to take"):
        model.sample(cond, noise, "ddim", 20, tensor(io["gt_spec"]).transpose(1, 2), 10)
    with pytest.raises(ConfigError, match="expected 1 to 9 steps over 10 betas, got 0"):
        model.sample(cond, noise, "unipc", 20, tensor(io["gt_spec"]).transpose(1, 2), 10)
    with pytest.raises(ConfigError, match="start must lie between 1 and 1000, got 2000"):
        model.sample(cond, noise, "ddim", 20, start=2000)
    with pytest.raises(ConfigError, match="speed-up 1 is DDPM and needs fresh noise"):
        model.sample(cond, noise, "ddim", 1)
