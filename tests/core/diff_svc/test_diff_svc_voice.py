"""Imported voices against the original, stage by stage, on files that went through the import."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.diff_svc.alignment import energy
from core.diff_svc.foreign import save_foreign
from core.diff_svc.pitch import coarse_pitch
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.gaussian import BUFFERS, schedule_betas, schedule_buffers
from core.imports.diff_svc import read_diff_svc
from core.imports.imported import settings_of
from tests.golden import GOLDEN, Arrays, arrays, batched, cases, distance, needs_golden, tensor

pytestmark = needs_golden

CASES = cases("model_ckpt_steps_*.ckpt")
BATCHED = cases("io_batch.npz")
ON_ITS_OWN = 1e-4
IN_A_CHAIN = 1e-3
_voices: dict[str, DiffSvcVoice] = {}


@pytest.fixture
def voice(case: str, tmp_path_factory: pytest.TempPathFactory) -> DiffSvcVoice:
    """The case's acoustic model: imported, written as a voice file and loaded again."""
    if case not in _voices:
        path = tmp_path_factory.mktemp(case) / "voice.safetensors"
        imported = read_diff_svc(checkpoint(case))
        save_foreign(path, imported.config, imported.weights)
        _voices[case] = DiffSvcVoice.load(path)
    return _voices[case]


def checkpoint(case: str) -> Path:
    return next(iter((GOLDEN / case).glob("model_ckpt_steps_*.ckpt")))


def conditioned(voice: DiffSvcVoice, io: Arrays) -> tuple[Tensor, Tensor]:
    log2 = batched(io["f0_log2" if "f0_log2" in io else "f0"], 2)
    unvoiced = batched(io["uv"], 2) if "uv" in io else torch.zeros_like(log2)
    made: tuple[Tensor, Tensor] = voice.condition(
        batched(io["units" if "units" in io else "hubert"], 3),
        batched(io["mel2ph"], 2),
        log2,
        unvoiced,
        batched(io["energy"], 2),
    )
    return made


def real(io: Arrays) -> Tensor:
    """1 where a frame is no padding, (B, 1, T)."""
    return (batched(io["mel2ph"], 2) > 0).float()[:, None]


def noises(values: Tensor) -> Tensor:
    """(..., B, 1, M, T) -> (..., B, M, T)."""
    return values.squeeze(-3)


@pytest.mark.parametrize("case", CASES)
def test_schedule_is_the_checkpoints_and_the_configs(case: str, voice: DiffSvcVoice) -> None:
    io, settings = arrays(case), settings_of(checkpoint(case))
    made = schedule_buffers(
        schedule_betas(
            settings.get("schedule_type", "linear"),
            settings.get("timesteps", 1000),
            settings.get("max_beta", 0.02),
        )
    )
    for name in BUFFERS:
        assert distance(made[name], getattr(voice.diffusion, name)) < 1e-6
        if f"buf_{name}" in io:
            assert distance(made[name], io[f"buf_{name}"]) < 1e-6


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_condition(case: str, voice: DiffSvcVoice) -> None:
    io, form = arrays(case), voice.config.pitch
    cond, f0 = conditioned(voice, io)
    assert distance(cond, io["cond"]) < 1e-6
    assert distance(f0, io["f0_denorm"]) < 1e-6
    bins = coarse_pitch(f0, form.bins, form.f0_min, form.f0_max)
    assert torch.equal(bins.reshape(-1), tensor(io["pitch_idx"]).reshape(-1))
    if "encoder_out" in io:
        assert voice.condition.encoder is not None
        assert distance(voice.condition.encoder(batched(io["units"], 3)), io["encoder_out"]) < 1e-6
    if "mel" in io:
        assert distance(energy(tensor(io["mel"]).T[None]), io["energy"]) < 1e-6


@torch.inference_mode()
@pytest.mark.parametrize("case", cases("input.wav"))
def test_denoiser(case: str, voice: DiffSvcVoice) -> None:
    io, net = arrays(case), voice.diffusion.denoise_fn
    prepared = net.condition(tensor(io["cond"]))
    for step, wanted in zip(io["diffnet_t"], io["diffnet_out"], strict=True):
        made = net(tensor(io["diffnet_x"])[:, 0], torch.tensor([int(step)]), prepared)
        assert distance(made, wanted) < 1e-6
    mel = tensor(io["mel"]).T[None]
    assert distance(voice.diffusion.normalise(mel)[0].T, io["spec_norm"]) < 1e-6


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_plms_at_every_speedup(case: str, voice: DiffSvcVoice) -> None:
    io = arrays(case)
    for key in [key for key in io if key.startswith("mel_plms_")]:
        speedup = int(key.removeprefix("mel_plms_"))
        made = voice.sample(tensor(io["cond"]), noises(tensor(io["x_T"])), speedup) * real(io)
        bar = ON_ITS_OWN if voice.config.k_step < 50 * speedup else IN_A_CHAIN
        assert distance(made.transpose(1, 2), io[key]) < bar, key


@torch.inference_mode()
@pytest.mark.parametrize("case", [case for case in CASES if "ddpm_noise" in arrays(case)])
def test_ddpm(case: str, voice: DiffSvcVoice) -> None:
    io = arrays(case)
    noise, cond, x = noises(tensor(io["ddpm_noise"])), tensor(io["cond"]), tensor(io["x_T"])
    made = voice.sample(cond, noises(x), 1, start=len(noise), fresh=lambda j: noise[j]) * real(io)
    key = "mel_ddpm_full" if "mel_ddpm_full" in io else "mel_ddpm_from_noise"
    assert distance(made.transpose(1, 2), io[key]) < ON_ITS_OWN


@torch.inference_mode()
@pytest.mark.parametrize("case", cases("input.wav"))
def test_shallow_start(case: str, voice: DiffSvcVoice) -> None:
    io = arrays(case)
    cond, mel = tensor(io["cond"]), tensor(io["mel"]).T[None]
    noise, steps = noises(tensor(io["shallow_noise"])), noises(tensor(io["ddpm_noise"]))
    start, speedup = (int(n) for n in io["shallow_steps"])
    made = voice.sample(cond, noise, speedup, mel, start)
    assert distance(made[0].T, io["mel_shallow_plms"]) < ON_ITS_OWN
    made = voice.sample(cond, noise, 1, mel, len(steps), lambda j: steps[j])
    assert distance(made[0].T, io["mel_shallow_ddpm"]) < ON_ITS_OWN


@torch.inference_mode()
@pytest.mark.parametrize("case", BATCHED)
def test_a_padded_batch(case: str, voice: DiffSvcVoice) -> None:
    io, net = arrays(case, "io_batch"), voice.diffusion.denoise_fn
    cond, f0 = conditioned(voice, io)
    assert distance(cond, io["cond"]) < 1e-6
    assert distance(f0, io["f0_denorm"]) < 1e-6
    made = net(noises(tensor(io["diffnet_x"])), tensor(io["diffnet_t"]), net.condition(cond))
    assert distance(made, io["diffnet_out"]) < 1e-6
    made = voice.sample(cond, noises(tensor(io["x_T"])), int(io["plms_speedup"])) * real(io)
    assert distance(made.transpose(1, 2), io["mel_plms"]) < ON_ITS_OWN
    fresh = noises(tensor(io["ddpm4_noise"]))
    mel = tensor(io["mels"]).transpose(1, 2)
    noise = noises(tensor(io["ddpm4_q_noise"]))
    made = voice.sample(cond, noise, 1, mel, len(fresh), lambda j: fresh[j]) * real(io)
    assert distance(made.transpose(1, 2), io["mel_ddpm4"]) < ON_ITS_OWN


@pytest.mark.parametrize("case", BATCHED)
def test_training_loss_and_gradients(case: str, voice: DiffSvcVoice) -> None:
    io, diffusion = arrays(case, "io_batch"), voice.diffusion
    mel, noise = tensor(io["mels"]).transpose(1, 2), noises(tensor(io["loss_noise"]))
    voice.requires_grad_(True)
    cond, _ = conditioned(voice, io)
    diffusion.loss(mel, cond, tensor(io["loss_t"]), noise).backward()
    net = diffusion.denoise_fn
    layer = net.residual_layers[0].dilated_conv
    assert voice.condition.pitch_embed is not None
    rows = voice.condition.pitch_embed.weight.grad
    assert rows is not None
    for made, key in (
        (net.input_projection.weight.grad, "grad_in_w"),
        (layer.bias.grad, "grad_l0_dil_b"),
        (net.output_projection.bias.grad, "grad_out_b"),
        (rows.norm(dim=1), "grad_pitch_embed_norm"),
    ):
        assert made is not None
        assert distance(made, io[key]) < 1e-4, key
    with torch.no_grad():
        for kind in ("l1", "l2"):
            loss = diffusion.loss(mel, cond, tensor(io["loss_t"]), noise, kind)
            assert loss.item() == pytest.approx(float(io[f"loss_{kind}"]), rel=1e-5)
    voice.zero_grad(set_to_none=True)


@torch.inference_mode()
@pytest.mark.parametrize("case", BATCHED)
def test_a_masked_batch_is_as_one_by_one(case: str, voice: DiffSvcVoice) -> None:
    io = arrays(case, "io_batch")
    cond, x = tensor(io["cond"]), noises(tensor(io["x_T"]))
    mask = real(io)
    made = voice.sample(cond, x, 100, mask=mask)
    for row, length in enumerate(mask.sum(-1).int()[:, 0].tolist()):
        alone = voice.sample(cond[row : row + 1, :, :length], x[row : row + 1, :, :length], 100)
        assert distance(made[row, :, :length], alone[0]) < ON_ITS_OWN
