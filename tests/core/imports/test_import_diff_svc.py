"""diff-svc voices come in whole; each thing that is wrong with one is a sentence of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.diff_svc.foreign import read_foreign_config, save_foreign
from core.diff_svc.voice import DiffSvcVoice
from core.errors import ConfigError, VoiceChangerError, VoiceFileError
from core.imports.diff_svc import import_diff_svc, read_diff_svc
from core.voice import read_config
from tests.core.imports.foreign_voice import checkpoint, hubert, write_config, write_voice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "nyaru"


def test_a_whole_voice(folder: Path, tmp_path: Path) -> None:
    imported = import_diff_svc(write_voice(folder))
    assert imported.config.name == "nyaru"
    assert imported.config.step == 400
    report = "\n".join(imported.report)
    for words in ("schedule: 100 steps, from the checkpoint", "dead weights left out: 1 tensors"):
        assert words in report
    path = tmp_path / "voice.safetensors"
    save_foreign(path, imported.config, imported.weights)
    assert read_foreign_config(path) == imported.config
    voice = DiffSvcVoice.load(path)
    assert torch.isfinite(voice.units(torch.randn(1, 16_000))).all()
    with pytest.raises(
        VoiceFileError, match="is a diff-svc voice; it converts files and runs live"
    ):
        read_config(path)


def test_the_checkpoints_buffers_win_and_the_config_fills_gaps(folder: Path) -> None:
    whole = read_diff_svc(write_voice(folder, max_beta=0.01, spec_min=[-9.0]))
    assert whole.weights["diffusion.betas"].max() == pytest.approx(0.06)
    data = checkpoint()
    for key in [k for k in data["state_dict"] if "alphas" in k or "posterior" in k]:
        del data["state_dict"][key]
    torch.save(data, folder / "rebuilt.ckpt")
    rebuilt = read_diff_svc(folder / "rebuilt.ckpt")
    for key, value in whole.weights.items():
        torch.testing.assert_close(rebuilt.weights[key], value, rtol=1e-5, atol=1e-6)
    assert any("rebuilt" in line for line in rebuilt.report)
    for key in ("betas", "spec_min", "spec_max"):
        del data["state_dict"][f"model.{key}"]
    torch.save(data, folder / "bare.ckpt")
    bare = read_diff_svc(folder / "bare.ckpt")
    assert bare.weights["diffusion.betas"].max() == pytest.approx(0.01)
    assert bare.weights["diffusion.spec_min"].item() == -9.0


def test_the_weights_decide_about_the_encoder(folder: Path) -> None:
    assert "encoder: none, units as they are" in read_diff_svc(write_voice(folder)).report
    write_config(folder, no_fs2=False)
    assert (
        "encoder: none, units as they are"
        in read_diff_svc(folder / "model_ckpt_steps_400.ckpt").report
    )


def test_unknown_weights_are_reported(folder: Path) -> None:
    data = checkpoint()
    data["state_dict"]["model.fs2.wings.weight"] = torch.zeros(2)
    voice = read_diff_svc(write_voice(folder, data))
    assert "unknown keys ignored: fs2.wings.weight" in voice.report


def test_a_table_of_speakers_is_added(folder: Path) -> None:
    data = checkpoint()
    data["state_dict"]["model.fs2.spk_embed_proj.weight"] = torch.tensor([[0.0], [2.0]]).expand(
        2, 32
    )
    imported = read_diff_svc(write_voice(folder, data))
    assert imported.config.speakers == 2
    voice = DiffSvcVoice(imported.config, imported.weights)
    heard = voice.hear(torch.randn(1, 4096), torch.randn(1, 4, 32), np.full(8, 200.0))
    first, second = (voice.conditioned(heard, speaker=n)[0] for n in (1, 2))
    torch.testing.assert_close(second, first + 2)


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda state: state.pop(key)


def _reshaped(key: str, *shape: int) -> Callable[[dict[str, Any]], None]:
    return lambda state: state.update({key: torch.zeros(shape)})


def _nan(state: dict[str, Any]) -> None:
    state["model.denoise_fn.mlp.0.bias"] = torch.full((64,), float("nan"))


def _foreign(state: dict[str, Any]) -> None:
    state.clear()
    state["generator.conv_pre.weight"] = torch.zeros(3)


NET = "model.denoise_fn"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_foreign, r"expected model\.denoise_fn\.\*, found nothing"),
        (_nan, r"denoise_fn\.mlp\.0\.bias holds numbers that are not finite"),
        (_without(f"{NET}.mlp.2.weight"), r'the weights lack "mlp\.2\.weight"'),
        (_reshaped(f"{NET}.mlp.2.weight", 16, 3), r"shape \(16, 64\) but has \(16, 3\)"),
        (_reshaped("model.spec_min", 1, 1, 7), "spec_min from the checkpoint has 7 values, exp"),
        (_reshaped("model.posterior_variance", 50), r"\(100\) but has \(50\)"),
        (_reshaped("model.fs2.pitch_embed.weight", 20, 32), r"\(20, 32\), expected a table of 256"),
        (_without("model.fs2.pitch_embed.weight"), "pitch_embed.weight is missing"),
    ],
)
def test_a_spoilt_checkpoint(
    spoil: Callable[[dict[str, Any]], None], words: str, folder: Path
) -> None:
    data = checkpoint()
    spoil(data["state_dict"])
    path = write_voice(folder, data)
    with pytest.raises(VoiceFileError, match=words) as caught:
        read_diff_svc(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audio_num_mel_bins": 80}, "audio_num_mel_bins is 80, but .* has 128; this config is of"),
        ({"hidden_size": 256}, "hidden_size is 256, but the checkpoint's denoiser has 32"),
        ({"residual_channels": 384}, "residual_channels is 384"),
        ({"residual_layers": 20}, "residual_layers is 20"),
        ({"f0_max": "high"}, "f0_max should be a float"),
        ({"f0_min": 2000}, "f0_min must lie between 0 and f0_max"),
        ({"vocoder": "x.WaveRNN"}, 'vocoder is "x.WaveRNN"; known: NsfHifiGAN'),
        ({"diff_decoder_type": "fft"}, 'diff_decoder_type is "fft", expected "wavenet"'),
        ({"pitch_norm": "standard"}, 'pitch_norm is "standard", expected "log"'),
        ({"fmax": 30000}, "f_min < f_max <= 22050"),
    ],
)
def test_a_config_that_does_not_fit(changes: dict[str, Any], words: str, folder: Path) -> None:
    with pytest.raises(VoiceChangerError, match=words):
        read_diff_svc(write_voice(folder, **changes))


def test_lists_of_the_wrong_length(folder: Path) -> None:
    data = checkpoint()
    del data["state_dict"]["model.spec_min"]
    with pytest.raises(VoiceFileError, match=r"spec_min from .* has 3 values, expected 1 or 128"):
        read_diff_svc(write_voice(folder, data, spec_min=[-5.0, -5.0, -5.0]))


def test_what_is_not_beside_it_is_asked_for(folder: Path) -> None:
    path = write_voice(folder, hubert_path="elsewhere/hubert_soft.pt")
    with pytest.raises(VoiceFileError, match=r"hubert_soft\.pt .*; put it beside .* --hubert"):
        import_diff_svc(path)
    assert import_diff_svc(path, hubert=folder / "hubert").config.content == "hubert-soft"
    torch.save(hubert(units=48), folder / "wide.pt")
    with pytest.raises(VoiceFileError, match="units of 48, but the voice's hidden_size is 32"):
        import_diff_svc(path, hubert=folder / "wide.pt")
    torch.save(checkpoint(), folder / "no_hubert.pt")
    with pytest.raises(VoiceFileError, match=r"expected feature_extractor\.conv0\.weight"):
        import_diff_svc(path, hubert=folder / "no_hubert.pt")
    (folder / "config.yaml").unlink()
    with pytest.raises(VoiceFileError, match=r"no config\.yaml beside it"):
        import_diff_svc(path)


def test_a_voice_of_contentvec_asks_for_its_folder(folder: Path) -> None:
    with pytest.raises(VoiceFileError, match="hears units of contentvec; name a folder"):
        import_diff_svc(write_voice(folder, use_vec=True))


def test_windows_paths_and_hubert_as_the_first_pt_in_the_folder(folder: Path) -> None:
    path = write_voice(folder, hubert_path="hubert\\hubert.onnx")
    assert import_diff_svc(path).config.content == "hubert-soft"


def test_a_mel_the_embedded_vocoder_does_not_speak(folder: Path) -> None:
    path = write_voice(folder, fmax=12_000)
    with pytest.raises(VoiceFileError, match="name the voice's own vocoder with --vocoder"):
        import_diff_svc(path)


def test_a_vocoder_without_its_config_or_weights(folder: Path) -> None:
    path = write_voice(folder)
    (folder / "vocoder").mkdir()
    with pytest.raises(VoiceFileError, match="no vocoder weights in this folder"):
        import_diff_svc(path, vocoder=folder / "vocoder")
    torch.save({"generator": {"a": torch.zeros(1)}}, folder / "vocoder" / "model")
    with pytest.raises(VoiceFileError, match=r"expected config\.json or config\.yaml beside it"):
        import_diff_svc(path, vocoder=folder / "vocoder")
    (folder / "vocoder" / "config.json").write_text('{"num_mels": 128}')
    with pytest.raises(VoiceFileError, match=r"conv_pre\.weight is missing"):
        import_diff_svc(path, vocoder=folder / "vocoder")
    torch.save({"wings": {}}, folder / "vocoder" / "model")
    with pytest.raises(VoiceFileError, match='expected "state_dict", found wings'):
        import_diff_svc(path, vocoder=folder / "vocoder")
    weights = {"generator": {"conv_pre.weight": torch.zeros(4, 80, 7)}}
    torch.save(weights, folder / "vocoder" / "model")
    with pytest.raises(VoiceFileError, match=r"80 mel bins .* expected 44100 Hz, hop 512 and 128"):
        import_diff_svc(path, vocoder=folder / "vocoder")


def test_a_foreign_config_is_checked() -> None:
    from core.diff_svc.config import ForeignConfig, MelFormat

    with pytest.raises(ConfigError, match="unknown family of voices"):
        ForeignConfig(family="rvc")
    with pytest.raises(ConfigError, match="unknown mel front end"):
        MelFormat("stft")
    with pytest.raises(ConfigError, match="hop_length <= win_length <= n_fft"):
        MelFormat(hop_length=4096)
