"""Hubert on small models saved to disk, each family through its own class; the table of names."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.content import UnitOptions, unit_encoder
from core.content.hubert import Hubert
from core.content.hubert_soft import HubertSoft
from core.errors import ConfigError, VoiceFileError
from core.int8 import Int8Linear, quantise, snr_db
from tests.core.content.test_hubert_soft import small, wave

transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 10,
    "vocab_size": 8,
}
FAMILIES = ["Hubert", "WavLM", "Wav2Vec2"]


def saved(folder: Path, family: str, large: bool = False, **more: Any) -> nn.Module:
    """A small model of the family, and its folder written. large: norms as in the large ones."""
    torch.manual_seed(0)
    norm = "layer" if large else "group"
    config = getattr(transformers, f"{family}Config")(
        **{**SIZES, **more}, do_stable_layer_norm=large, feat_extract_norm=norm
    )
    model: nn.Module = getattr(transformers, f"{family}Model")(config).eval()
    model.save_pretrained(folder)
    return model


def heard(large: bool) -> tuple[Tensor, Tensor]:
    """A wave, and the same as the model wants it."""
    x = wave(4000, 2)
    mean, spread = x.mean(1, keepdim=True), x.std(1, correction=0, keepdim=True)
    return x, (x - mean) / spread if large else x


@torch.inference_mode()
@pytest.mark.parametrize("large", [False, True], ids=["base", "large"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer(family: str, large: bool, tmp_path: Path) -> None:
    model = saved(tmp_path, family, large)
    x, wanted = heard(large)
    said = model(wanted, output_hidden_states=True)
    for layer in (0, 1, 2):
        units = Hubert.load(tmp_path, layer)(x)
        torch.testing.assert_close(units, said.hidden_states[layer], rtol=1e-4, atol=1e-4)
    for last in (3, None):
        units = Hubert.load(tmp_path, last)(x)
        torch.testing.assert_close(units, said.last_hidden_state, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_projection_of_contentvec(tmp_path: Path) -> None:
    model = saved(tmp_path, "Hubert", num_hidden_layers=12)
    model.final_proj = nn.Linear(24, 10)
    model.save_pretrained(tmp_path)
    x = wave(4000)
    ninth = model(x, output_hidden_states=True).hidden_states[9]
    encoder = unit_encoder("contentvec", tmp_path)
    assert (encoder.dim, encoder.hop_length, encoder.sample_rate) == (10, 320, 16_000)
    torch.testing.assert_close(encoder(x), model.final_proj(ninth), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(unit_encoder("contentvec768", tmp_path)(x), ninth)
    chosen = unit_encoder("hubert", tmp_path, UnitOptions(layer=9, final_proj=True))
    assert torch.equal(chosen(x), encoder(x))


@torch.inference_mode()
@pytest.mark.parametrize("pad", [0, 40])
def test_frames(pad: int, tmp_path: Path) -> None:
    saved(tmp_path, "Hubert")
    encoder = Hubert.load(tmp_path, 1, pad=pad)
    assert encoder.shortest == 400 - 2 * pad
    for samples in (400, 719, 720, 1601):
        frames = (samples + 2 * pad - 400) // 320 + 1
        assert encoder(wave(samples)).shape == (1, frames, 24)
    with pytest.raises(ConfigError, match=f"at least {encoder.shortest} samples"):
        encoder(wave(encoder.shortest - 1))


@torch.inference_mode()
@pytest.mark.parametrize("family", FAMILIES)
def test_int8_stays_near(family: str, tmp_path: Path) -> None:
    saved(tmp_path, family)
    small_integers = Hubert.load(tmp_path, int8=True)
    assert any(isinstance(layer, Int8Linear) for layer in small_integers.modules())
    assert snr_db(Hubert.load(tmp_path)(wave(4000)), small_integers(wave(4000))) > 35


@torch.inference_mode()
def test_int8_of_hubert_soft(tmp_path: Path) -> None:
    torch.save(small(), tmp_path / "hubert_soft.pt")
    plain = unit_encoder("hubert-soft", tmp_path / "hubert_soft.pt")
    assert isinstance(plain, HubertSoft)
    units = unit_encoder("hubert-soft", tmp_path / "hubert_soft.pt", UnitOptions(int8=True))
    assert snr_db(plain(wave(8000)), units(wave(8000))) > 30


@torch.inference_mode()
def test_int8_is_exact_on_whole_numbers() -> None:
    linear = nn.Linear(16, 8)
    linear.weight.copy_(torch.randint(-126, 127, (8, 16)).float())
    linear.weight[:, 0] = 127
    x = torch.randint(-127, 128, (3, 5, 16)).float()
    x[..., 0] = 127
    quantised = quantise(nn.Sequential(linear))
    torch.testing.assert_close(quantised(x), linear(x), rtol=1e-5, atol=1e-3)
    assert isinstance(linear, nn.Linear)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='unknown unit encoder "vec"; known: contentvec, '):
        unit_encoder("vec", tmp_path)
    with pytest.raises(VoiceFileError, match="expected a folder with config"):
        Hubert.load(tmp_path / "nothing" / "here")
    saved(tmp_path, "Hubert")
    with pytest.raises(VoiceFileError, match="has no final_proj; choose final_proj=False"):
        Hubert.load(tmp_path, final_proj=True)
    with pytest.raises(ConfigError, match="between 0 and 3, got 9"):
        unit_encoder("contentvec768", tmp_path)
    with pytest.raises(ConfigError, match='take "hubert" to choose'):
        unit_encoder("contentvec", tmp_path, UnitOptions(layer=3))
    transformers.BertConfig(hidden_size=12, num_attention_heads=2).save_pretrained(tmp_path / "b")
    with pytest.raises(ConfigError, match='kind of speech encoder "bert"; known: hubert'):
        Hubert.load(tmp_path / "b")


def test_broken_files_of_hubert_soft(tmp_path: Path) -> None:
    path = tmp_path / "hubert_soft.pt"
    with pytest.raises(VoiceFileError, match="cannot read"):
        HubertSoft.load(path)
    torch.save(small(), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(VoiceFileError, match="cannot read"):
        HubertSoft.load(path)
    torch.save([1, 2], path)
    with pytest.raises(VoiceFileError, match="holds a list"):
        HubertSoft.load(path)


def test_transformers_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install transformers"):
        Hubert.load("anything")
