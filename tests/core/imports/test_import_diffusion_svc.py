"""Diffusion-SVC voices come in whole, convert, and are refused where something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.diff_svc.convert import ConvertParams, Prepared, convert_stretch, prepare
from core.diff_svc.diffusion_svc_voice import DiffusionSvcVoice
from core.diff_svc.foreign import save_foreign
from core.diff_svc.voice import DiffSvcVoice
from core.errors import VoiceChangerError, VoiceFileError
from core.imports.diffusion_svc import import_diffusion_svc, read_diffusion_svc
from tests.core.imports.foreign_voice import write_diffusion_svc
from tests.toy import speechlike


def load(folder: Path, speakers: int = 2) -> DiffusionSvcVoice:
    imported = import_diffusion_svc(write_diffusion_svc(folder / "v", speakers=speakers))
    save_foreign(folder / "v.safetensors", imported.config, imported.weights)
    return DiffusionSvcVoice.load(folder / "v.safetensors")


def test_a_whole_voice_converts(tmp_path: Path) -> None:
    voice = load(tmp_path)
    assert (voice.config.sampler, voice.config.speedup, voice.config.speakers) == ("unipc", 100, 2)
    sound = prepare(speechlike(30_000)[None], 44_100, 44_100, left_only=False)
    made = convert_stretch(voice, sound, ConvertParams(speaker=2))
    assert len(made) == (30_000 // 512 + 1) * 512
    assert np.isfinite(made).all()
    assert np.abs(made - convert_stretch(voice, sound, ConvertParams(speaker=1))).max() > 1e-4
    with pytest.raises(VoiceFileError, match="is a diffusion-svc voice, expected diff-svc"):
        DiffSvcVoice.load(tmp_path / "v.safetensors")


def test_silence_is_silent(tmp_path: Path) -> None:
    voice = load(tmp_path, speakers=1)
    sound = Prepared(np.zeros(20_000, np.float32), np.zeros(7256, np.float32))
    assert np.abs(convert_stretch(voice, sound, ConvertParams())).max() == 0


def test_features(tmp_path: Path) -> None:
    voice = load(tmp_path)
    t = np.arange(22_050) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 200 * t) * (t > 0.2)).astype(np.float32)
    f0, voiced = voice.pitch(tone)
    assert len(f0) == 22_050 // 512 + 1
    np.testing.assert_allclose(f0, 200, rtol=1e-2)
    assert not voiced[:10].any()
    assert voiced[25:35].all()
    volume = voice.volume(torch.from_numpy(tone)[None])[0]
    assert len(volume) == len(f0)
    assert volume[30].item() == pytest.approx(0.5 / 2**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("  type: RectifiedFlow", 'model.type is "RectifiedFlow", expected "Diffusion"'),
        ("  n_layers: 20", "n_layers is 20, but the checkpoint has 3; this config is of another"),
        ("  k_step_max: 100", "k_step_max is 100: this model only finishes the mel of a second"),
    ],
)
def test_a_config_that_does_not_fit(extra: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(VoiceChangerError, match=words):
        import_diffusion_svc(write_diffusion_svc(tmp_path / "v", extra))


def with_encoder(folder: Path, name: str) -> Path:
    """A voice that hears units of that encoder; the checkpoint's path."""
    path = write_diffusion_svc(folder / "v")
    config = path.parent / "config.yaml"
    config.write_text(config.read_text().replace("hubertsoft", name))
    return path


def test_another_encoder_is_read_where_it_is(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    small = transformers.HubertConfig(
        hidden_size=32,
        num_hidden_layers=12,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embedding_groups=4,
    )
    transformers.HubertModel(small).save_pretrained(tmp_path / "vec")
    path = with_encoder(tmp_path, "contentvec768l12")
    with pytest.raises(VoiceChangerError, match="units of contentvec768l12; name a folder"):
        import_diffusion_svc(path)
    imported = import_diffusion_svc(path, hubert=tmp_path / "vec")
    save_foreign(tmp_path / "v.safetensors", imported.config, imported.weights)
    voice = DiffusionSvcVoice.load(tmp_path / "v.safetensors")
    sound = prepare(speechlike(30_000)[None], 44_100, 44_100, left_only=False)
    assert np.isfinite(convert_stretch(voice, sound, ConvertParams())).all()


def test_an_unknown_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        VoiceChangerError, match=r'unknown data\.encoder "cnhubert"; known: content'
    ):
        import_diffusion_svc(with_encoder(tmp_path, "cnhubert"))


def test_a_spoilt_checkpoint(tmp_path: Path) -> None:
    path = write_diffusion_svc(tmp_path / "v")
    data = torch.load(path, weights_only=True)
    data["model"]["spk_embed.weight"] = torch.zeros(2, 256)
    torch.save(data, path)
    with pytest.raises(VoiceFileError, match="made with a speaker encoder needs vectors"):
        read_diffusion_svc(path)
    torch.save({"model": {"a": torch.zeros(1)}}, path)
    with pytest.raises(VoiceFileError, match="the weights lack"):
        read_diffusion_svc(path)
