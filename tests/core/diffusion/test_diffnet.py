"""DiffNet at full size from weights by recipe, its step embedding, masks, and what is refused."""

from __future__ import annotations

import pytest
import torch

from core.diffusion.diffnet import DiffNet, DiffNetSize, diffnet_size
from core.diffusion.gaussian import schedule_betas, schedule_buffers
from core.errors import ConfigError, VoiceFileError
from tests.golden import GOLDEN, arrays, distance, needs_golden, tensor
from tests.reference import recipe

SMALL = DiffNetSize(6, 5, 8, 3, 2)


def small() -> DiffNet:
    torch.manual_seed(0)
    return DiffNet(SMALL).eval()


@needs_golden
@pytest.mark.skipif(not (GOLDEN / "recipe_fullsize").is_dir(), reason="no recipe at hand")
@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "channels", "layers", "cycle"),
    [("diffnet44k", 384, 20, 4), ("diffnet24k", 256, 20, 4)],
)
def test_full_size(name: str, channels: int, layers: int, cycle: int) -> None:
    io = arrays("recipe_fullsize")
    x, cond = tensor(io[f"{name}_x"])[:, 0], tensor(io[f"{name}_cond"])
    size = DiffNetSize(x.shape[1], cond.shape[1], channels, layers, cycle)
    shapes = {key: tuple(value.shape) for key, value in DiffNet(size).state_dict().items()}
    net = DiffNet.from_state_dict(recipe(shapes, f"{name}.", int(io["seed"])), cycle)
    assert net.size == size
    prepared = net.condition(cond)
    for step, wanted in zip(io[f"{name}_t"], io[f"{name}_out"], strict=True):
        assert distance(net(x, torch.tensor([int(step)]), prepared), wanted) < 1e-5


@needs_golden
def test_step_embedding_and_schedules() -> None:
    io = arrays("functions")
    steps = torch.tensor([0, 1, 17, 500, 999])
    for key in [key for key in io if key.startswith("temb_")]:
        net = DiffNet(DiffNetSize(2, 2, int(key.removeprefix("temb_")), 1, 1))
        # the last bit of a frequency differs between processors, and is multiplied by the step
        off = (net.embed(steps) - tensor(io[key])).abs().amax(1)
        assert (off <= 1.2e-7 * (1 + steps)).all(), key
    for key in [key for key in io if key.endswith("_betas")]:
        kind, count = key.removeprefix("sched_").removesuffix("_betas").split("_")
        top = float(f"0.{kind[3:]}") if kind.startswith("lin") else 0.0
        name = "linear" if kind.startswith("lin") else "cosine"
        for buffer, made in schedule_buffers(schedule_betas(name, int(count), top)).items():
            assert distance(made, io[f"{key.removesuffix('betas')}{buffer}"]) < 1e-6, buffer


def test_an_unknown_schedule() -> None:
    with pytest.raises(ConfigError, match='unknown schedule_type "cubic"; known: cosine, linear'):
        schedule_betas("cubic", 10, 0.02)


@torch.inference_mode()
def test_a_mask_makes_padding_as_the_end() -> None:
    net = small()
    x, cond, step = torch.randn(2, 6, 20), torch.randn(2, 5, 20), torch.tensor([3, 3])
    mask = torch.ones(2, 1, 20)
    mask[1, :, 13:] = 0
    together = net(x, step, net.condition(cond), mask)
    alone = net(x[1:, :, :13], step[1:], net.condition(cond[1:, :, :13]))
    torch.testing.assert_close(together[1:, :, :13], alone)
    without = net(x, step, net.condition(cond))
    assert not torch.allclose(without[1:, :, :13], alone)


def test_sizes_are_read_off_the_weights() -> None:
    state = dict(small().state_dict())
    assert diffnet_size(state, 2) == SMALL
    del state["input_projection.weight"]
    with pytest.raises(VoiceFileError, match=r"input_projection\.weight"):
        DiffNet.from_state_dict(state, 2)
