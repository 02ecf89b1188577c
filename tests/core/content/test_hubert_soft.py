"""HubertSoft against the units of the original, in every layout of its file, and its refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.content.hubert_soft import HubertSoft
from core.errors import ConfigError, VoiceFileError
from tests.reference import arrays, cases_with, checkpoint, error, recipe, tensor

BASE = {"channels": 512, "width": 768, "inner": 3072, "layers": 12, "dim": 256, "position": 128}


def shapes(
    channels: int, width: int, inner: int, layers: int, dim: int, position: int
) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of a `hubert_soft.pt`."""
    found: dict[str, tuple[int, ...]] = {
        f"feature_extractor.conv{i}.weight": (channels, channels if i else 1, kernel)
        for i, kernel in enumerate((10, 3, 3, 3, 3, 2, 2))
    }

    def both(name: str, *shape: int) -> None:
        found[f"{name}weight"], found[f"{name}bias"] = shape, shape[:1]

    both("feature_extractor.norm0.", channels)
    both("feature_projection.norm.", channels)
    both("feature_projection.projection.", width, channels)
    found["positional_embedding.conv.bias"] = (width,)
    found["positional_embedding.conv.weight_g"] = (1, 1, position)
    found["positional_embedding.conv.weight_v"] = (width, width // 16, position)
    both("norm.", width)
    for i in range(layers):
        both(f"encoder.layers.{i}.self_attn.in_proj_", 3 * width, width)
        both(f"encoder.layers.{i}.self_attn.out_proj.", width, width)
        both(f"encoder.layers.{i}.linear1.", inner, width)
        both(f"encoder.layers.{i}.linear2.", width, inner)
        both(f"encoder.layers.{i}.norm1.", width)
        both(f"encoder.layers.{i}.norm2.", width)
    both("proj.", dim, width)
    return found


def small(seed: int = 0) -> dict[str, Tensor]:
    return recipe(shapes(8, 48, 32, 2, 20, 128), "hubert.", seed)


def wave(samples: int, batch: int = 1) -> Tensor:
    return 0.3 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
@pytest.mark.parametrize("case", cases_with("hubert/hubert_soft.pt"))
def test_units_of_the_original(case: str) -> None:
    encoder = HubertSoft.from_state_dict(checkpoint(f"{case}/hubert/hubert_soft.pt"))
    units = encoder(tensor(case, "wav16_kaiser")[None])[0]
    assert units.shape[1] == encoder.dim
    assert error(units, tensor(case, "units")) < 1e-5


@torch.inference_mode()
def test_full_size() -> None:
    case = arrays("recipe_fullsize")
    encoder = HubertSoft.from_state_dict(recipe(shapes(**BASE), "hubert.", int(case["seed"])))
    units = encoder(torch.from_numpy(case["hubert_wav16"])[None])[0]
    assert error(units, torch.from_numpy(case["hubert_units"])) < 1e-5
    heard = torch.nn.functional.pad(torch.from_numpy(case["hubert_wav16"]), (40, 40))
    features = encoder.features(heard[None])[0, ::16]
    assert error(features, torch.from_numpy(case["hubert_feat"])) < 1e-5


@torch.inference_mode()
def test_every_layout_of_the_file() -> None:
    plain = small()
    newer = {
        key.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
            "conv.weight_v", "conv.parametrizations.weight.original1"
        ): value
        for key, value in plain.items()
    }
    wanted = HubertSoft.from_state_dict(plain)(wave(4000))
    for state in (
        {f"module.{key}": value for key, value in plain.items()},
        {"hubert": newer, "step": 3},
        {"hubert": {f"module.{key}": value for key, value in newer.items()}},
        {**plain, "masked_spec_embed": torch.zeros(48), "label_embedding.weight": torch.zeros(9)},
    ):
        assert torch.equal(HubertSoft.from_state_dict(state)(wave(4000)), wanted)


@torch.inference_mode()
@pytest.mark.parametrize("samples", [320, 321, 639, 640, 16_000, 16_011])
def test_one_unit_for_every_320_samples(samples: int) -> None:
    units = HubertSoft.from_state_dict(small())(wave(samples, 2))
    assert units.shape == (2, samples // 320, 20)


@torch.inference_mode()
def test_a_padded_batch_equals_one_by_one() -> None:
    encoder = HubertSoft.from_state_dict(small())
    lengths = torch.tensor([9000, 320, 16_123, 5555])
    waves = wave(16_123, 4) * (torch.arange(16_123) < lengths[:, None])
    units = encoder(waves, lengths)
    for item, length in enumerate(lengths.tolist()):
        alone = encoder(waves[item : item + 1, :length])[0]
        torch.testing.assert_close(units[item, : length // 320], alone, rtol=1e-4, atol=1e-5)


def test_too_short_a_wave() -> None:
    with pytest.raises(ConfigError, match="at least 320 samples at 16 kHz, got 319"):
        HubertSoft.from_state_dict(small())(wave(319))


def test_a_damaged_file_is_named() -> None:
    state = small()
    with pytest.raises(VoiceFileError, match='lack "feature_projection'):
        HubertSoft.from_state_dict({"generator": {}, "x": torch.zeros(1)})
    cut = {key: value for key, value in state.items() if key != "encoder.layers.1.norm2.bias"}
    with pytest.raises(VoiceFileError, match=r"HuBERT-soft: .*encoder.layers.1.norm2.bias"):
        HubertSoft.from_state_dict(cut)
    with pytest.raises(VoiceFileError, match=r"encoder.layers.0.linear2.weight.*\(48, 32\).*\(3"):
        HubertSoft.from_state_dict({**state, "encoder.layers.0.linear2.weight": torch.zeros(3, 3)})
    with pytest.raises(VoiceFileError, match="a width of 40, which 12 heads"):
        HubertSoft.from_state_dict(recipe(shapes(8, 40, 32, 2, 20, 128), "hubert.", 0))
    with pytest.raises(VoiceFileError, match="not finite"):
        HubertSoft.from_state_dict({**state, "proj.bias": torch.full((20,), torch.nan)})
