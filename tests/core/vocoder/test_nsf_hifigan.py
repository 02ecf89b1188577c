"""NSF-HiFiGAN and its relatives against published generators, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import ConfigError, VoiceFileError
from core.imports.plain_yaml import read_yaml
from core.vocoder import nsf_generator
from core.vocoder.hifigan24k import HifiGan24k
from core.vocoder.nsf_generator import generator_config
from core.vocoder.nsf_hifigan import NsfHifiGan
from tests.reference import arrays, cases_with, checkpoint, error, golden, recipe, tensor

LN_OF_10 = 2.30259  # as the original rounds it

SMALL: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [4, 4, 2],
    "upsample_kernel_sizes": [8, 8, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "num_mels": 6,
    "sampling_rate": 16000,
}


def config_of(name: str) -> dict[str, Any]:
    text = golden(name).read_text()
    if name.endswith(".yaml"):
        return dict(read_yaml(text, name))
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def published(name: str, **changed: Any) -> NsfHifiGan:
    file = {"pc_nsf": "model.ckpt"}.get(name, "model")
    config = {**config_of(f"vocoders/{name}/config.json"), **changed}
    return NsfHifiGan.from_state_dict(checkpoint(f"vocoders/{name}/{file}"), config)


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of a checkpoint with weight norm."""
    model = NsfHifiGan(generator_config(config, sample_rate="sampling_rate", n_mels="num_mels"))
    found: dict[str, tuple[int, ...]] = {}
    for key, value in model.state_dict().items():
        key, shape = key.removeprefix("generator."), tuple(value.shape)
        normed = key.startswith(("conv_p", "ups.", "resblocks."))
        if normed and key.endswith("weight"):
            found[key + "_g"] = (shape[0], 1, 1)
            found[key + "_v"] = shape
        else:
            found[key] = shape
    return found


def small(**changed: Any) -> NsfHifiGan:
    config = {**SMALL, **changed}
    return NsfHifiGan.from_state_dict(recipe(shapes(config), "nsf.", 3), config)


def sung(frames: int, batch: int = 1, n_mels: int = 6) -> tuple[Tensor, Tensor]:
    """A mel and an f0 with unvoiced frames."""
    generator = torch.Generator().manual_seed(4)
    mel = torch.randn(batch, n_mels, frames, generator=generator) - 2
    f0 = 180 + 40 * torch.rand(batch, frames, generator=generator)
    f0[:, 3:5] = 0.0
    return mel, f0


@torch.inference_mode()
@pytest.mark.parametrize("family", ["original", "openvpi", "diffusion_svc", "ddsp_svc"])
def test_published_generators(family: str) -> None:
    vocoder = published("nsf_classic")
    source = "unmasked" if family == "diffusion_svc" else "masked"
    mel, f0, ini, noise = (tensor("vocoders", n) for n in ("mel_ln", "f0", "rand_ini", "noise"))
    clean = vocoder(mel, f0, source=source)[0]
    assert error(clean, tensor("vocoders", f"wav_{family}_clean")) < 2e-5
    noisy = vocoder(mel, f0, ini, noise, source=source)[0]
    assert error(noisy, tensor("vocoders", f"wav_{family}_noise")) < 2e-5


@torch.inference_mode()
def test_mini_nsf() -> None:
    mel, f0 = tensor("vocoders", "mel_ln"), tensor("vocoders", "f0")
    vocoder = published("pc_nsf")
    excitation, _ = vocoder.excite(f0)
    assert excitation is not None
    assert error(excitation[0, 0], tensor("vocoders", "pc_nsf_source")) < 2e-5
    assert error(vocoder(mel, f0)[0], tensor("vocoders", "wav_pc_nsf")) < 2e-5
    noisy = published("pc_nsf", noise_sigma=float(arrays("vocoders")["noise_sigma"]))
    wave = noisy(mel, f0, pre_noise=tensor("vocoders", "pre_noise"))[0]
    assert error(wave, tensor("vocoders", "wav_pc_nsf_sigma")) < 2e-5


@torch.inference_mode()
def test_the_second_kind_of_resblock() -> None:
    wave = published("nsf_resblock2")(tensor("vocoders", "mel_ln"), tensor("vocoders", "f0"))[0]
    assert error(wave, tensor("vocoders", "wav_resblock2")) < 2e-5


def check_whole_voice(vocoder: NsfHifiGan, case: str, factor: float) -> None:
    """Every array of the vocoder of a voice. factor: from its mel to what the vocoder hears."""
    mel, f0 = factor * tensor(case, "voc_mel").T[None], tensor(case, "voc_f0")[None]
    ini, noise = tensor(case, "voc_rand_ini"), tensor(case, "voc_noise")
    assert error(vocoder(mel, f0)[0], tensor(case, "voc_wav_nonoise")) < 1e-5
    assert error(vocoder(mel, f0, ini, noise)[0], tensor(case, "voc_wav_noise")) < 1e-5
    excitation, _ = vocoder.excite(f0, ini, noise)
    assert excitation is not None
    assert error(excitation[0, 0], tensor(case, "voc_har_source")) < 1e-5
    batch = vocoder(tensor(case, "voc_batch_c"), tensor(case, "voc_batch_f0"))
    assert error(batch, tensor(case, "voc_batch_wav")) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("case", cases_with("nsf_hifigan/model"))
def test_vocoders_of_44k_voices(case: str) -> None:
    weights = checkpoint(f"{case}/nsf_hifigan/model")
    config = config_of(f"{case}/nsf_hifigan/config.json")
    check_whole_voice(NsfHifiGan.from_state_dict(weights, config), case, LN_OF_10)


@torch.inference_mode()
@pytest.mark.parametrize("case", cases_with("hifigan24k/config.yaml"))
def test_vocoders_of_24k_voices(case: str) -> None:
    (file,) = golden(f"{case}/hifigan24k").glob("*.ckpt")
    weights = checkpoint(f"{case}/hifigan24k/{file.name}")
    config = config_of(f"{case}/hifigan24k/config.yaml")
    check_whole_voice(HifiGan24k.from_state_dict(weights, config), case, 1.0)


@torch.inference_mode()
def test_full_size() -> None:
    case = "recipe_fullsize"
    config = config_of(f"{case}/nsf_config.json")
    weights = recipe(shapes(config), "nsf.", int(arrays(case)["seed"]))
    vocoder = NsfHifiGan.from_state_dict({"generator": weights}, config)
    wave = vocoder(tensor(case, "nsf_mel_ln"), tensor(case, "nsf_f0"), tensor(case, "nsf_rand_ini"))
    assert error(wave[0], tensor(case, "nsf_wav").flatten()) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize(
    "changed",
    [{}, {"resblock": "2"}, {"mini_nsf": True}, {"upsample_kernel_sizes": [4, 16, 2]}],
    ids=str,
)
def test_a_sample_hears_the_declared_frames(changed: dict[str, Any]) -> None:
    vocoder = small(**changed)
    reach, hop = vocoder.receptive_frames, vocoder.hop_length
    frames = 4 * reach
    mel, f0 = sung(frames)
    whole = vocoder(mel, f0)
    other = mel.clone()
    other[..., 2 * reach] += 5.0
    moved = (vocoder(other, f0) - whole).abs()[0].view(frames, hop).amax(1).nonzero()[:, 0]
    assert int(moved.min()) >= reach
    assert int(moved.max()) <= 3 * reach
    assert int(moved.max() - moved.min()) >= 2 * (reach - 1)


@torch.inference_mode()
def test_length_and_batch() -> None:
    vocoder = small()
    mel, f0 = sung(9, batch=3)
    waves = vocoder(mel, f0)
    assert waves.shape == (3, 9 * vocoder.hop_length)
    torch.testing.assert_close(waves[1:2], vocoder(mel[1:2], f0[1:2]), rtol=1e-4, atol=1e-6)


@torch.inference_mode()
@pytest.mark.parametrize("resblock", ["1", "2"])
def test_segments_equal_the_whole(resblock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder = small(resblock=resblock)
    mel, f0 = sung(40)
    whole = vocoder(mel, f0)
    monkeypatch.setattr(nsf_generator, "_CACHED", 1)
    torch.testing.assert_close(vocoder(mel, f0), whole, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_every_layout_of_the_file() -> None:
    weights = recipe(shapes(SMALL), "nsf.", 3)
    mel, f0 = sung(6)
    wanted = NsfHifiGan.from_state_dict(weights, SMALL)(mel, f0)
    folded = dict(weights)
    for key in [key for key in weights if key.endswith("_v")]:
        v, g = folded.pop(key), folded.pop(key[:-1] + "g")
        norm = v.flatten(1).norm(dim=1)[:, None, None]
        folded[key.removesuffix("_v")] = v * g / norm
    training = {f"generator.{key}": value for key, value in weights.items()}
    for state in (
        {"generator": weights},
        {"generator": folded},
        {"state_dict": {**training, "discriminator.0.weight": torch.zeros(2)}, "epoch": 1},
    ):
        torch.testing.assert_close(NsfHifiGan.from_state_dict(state, SMALL)(mel, f0), wanted)


@torch.inference_mode()
def test_a_24k_file_without_a_source() -> None:
    settings = {**SMALL, "audio_sample_rate": 24000, "use_pitch_embed": False, "num_mels": 80}
    weights = recipe(shapes({**settings, "sampling_rate": 24000}), "nsf.", 3)
    vocoder = HifiGan24k.from_state_dict({"state_dict": {"model_gen": weights}}, settings)
    mel, f0 = sung(5, n_mels=80)
    assert torch.equal(vocoder(mel, f0), vocoder(mel, 2 * f0))


def test_refusals() -> None:
    weights = recipe(shapes(SMALL), "nsf.", 3)
    load = NsfHifiGan.from_state_dict
    with pytest.raises(ConfigError, match="'upsample_rates' is missing"):
        load(weights, {k: v for k, v in SMALL.items() if k != "upsample_rates"})
    with pytest.raises(ConfigError, match='resblock must be "1" or "2", got \'3\''):
        load(weights, {**SMALL, "resblock": "3"})
    with pytest.raises(ConfigError, match="3 upsample_rates need as many"):
        load(weights, {**SMALL, "upsample_kernel_sizes": [8, 8]})
    with pytest.raises(VoiceFileError, match=r"NSF-HiFiGAN: \"conv_pre.weight\".*6, 7.*\(16, 6"):
        load(weights, {**SMALL, "upsample_initial_channel": 32})
    with pytest.raises(VoiceFileError, match="sets mini_nsf, but the weights are those of the"):
        load(weights, {**SMALL, "mini_nsf": True})
    with pytest.raises(VoiceFileError, match="not finite"):
        load({**weights, "conv_post.bias": torch.full((1,), torch.inf)}, SMALL)
    mel, f0 = sung(6)
    with pytest.raises(ConfigError, match=r"mel \(B, 6, T\) and f0 \(B, T\), got \(1, 6, 6\)"):
        small()(mel, f0[:, :5])


@torch.inference_mode()
@pytest.mark.parametrize("mini", [False, True])
def test_the_phase_is_carried_from_part_to_part(mini: bool) -> None:
    vocoder = small(mini_nsf=mini)
    _, f0 = sung(40)
    whole, _ = vocoder.excite(f0)
    assert whole is not None
    parts, phase, at = [], None, 0
    for size in (1, 2, 5, 13, 19):
        after = f0[:, at + size] if at + size < 40 else None
        part, phase = vocoder.excite(f0[:, at : at + size], phase=phase, f0_after=after)
        assert part is not None
        parts.append(part)
        at += size
    torch.testing.assert_close(torch.cat(parts, 2), whole, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_the_pitch_is_kept_over_a_minute() -> None:
    """At 500 Hz a frame is one period: after a minute it still begins where the first began."""
    vocoder = small()
    steady = torch.full((1, 60 * 500), 500.0)
    excitation, _ = vocoder.excite(steady)
    assert excitation is not None
    frames = excitation.view(-1, 32)
    torch.testing.assert_close(frames[-1], frames[0], rtol=0, atol=1e-5)
