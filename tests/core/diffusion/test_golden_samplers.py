"""Our samplers, over levels, walk where the originals walked over steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from core.diff_svc.unit2mel import Unit2Mel
from core.diffusion.discrete import DiscreteSchedule
from core.diffusion.gaussian import GaussianDiffusion
from core.diffusion.original import bind
from core.diffusion.samplers import Denoise, Sampler, sample_ddim, sample_dpmpp_2m, sample_plms
from core.imports.plain_yaml import read_yaml
from tests.reference import arrays, cases_with, checkpoint, error, golden, tensor


class Voice:
    """A golden voice's denoiser with its own condition."""

    def __init__(self, case: str, decoder: GaussianDiffusion, cond: Tensor) -> None:
        self.case, self.decoder = case, decoder
        self.predict = bind(decoder, cond)
        self.schedule = DiscreteSchedule(decoder.alphas_cumprod.double().numpy())

    def walk(self, sampler: Sampler, z: Tensor, levels: list[float], last: float) -> Tensor:
        """z as the original starts with it, taken for level levels[0] -> mel (B, T, M)."""
        denoise: Denoise = self.schedule.denoise(self.predict)
        x = sampler(denoise, z / self.schedule.alpha(levels[0]), levels)
        return self.decoder.denormalise(x * self.schedule.alpha(last)).transpose(1, 2)


def diff_svc(case: str) -> Voice:
    """From a checkpoint of the original; only the steps up to K_step count."""
    (file,) = golden(case).glob("model_ckpt_steps_*.ckpt")
    weights = checkpoint(f"{case}/{file.name}")["state_dict"]
    inner = {k.removeprefix("model."): v for k, v in weights.items() if "fs2" not in k}
    config = read_yaml((golden(case) / "config.yaml").read_text(), case)
    decoder = GaussianDiffusion.from_state_dict(inner, config["dilation_cycle_length"])
    return Voice(case, decoder, tensor(case, "cond"))


def plms_cases() -> Iterator[tuple[str, int]]:
    for case in cases_with("io.npz"):
        if list(golden(case).glob("model_ckpt_steps_*.ckpt")):
            for name in arrays(case):
                if name.startswith("mel_plms_"):
                    yield case, int(name.rpartition("_")[2])


@torch.inference_mode()
@pytest.mark.parametrize(("case", "speedup"), [*plms_cases()])
def test_plms_of_the_original(case: str, speedup: int) -> None:
    """The DDIM form: the first level is that of the first visited step, the last that of step 0."""
    config = read_yaml((golden(case) / "config.yaml").read_text(), case)
    voice = diff_svc(case)
    steps = [*reversed(range(0, config["K_step"], speedup))]
    levels = [voice.schedule.sigma(step) for step in steps]
    made = voice.walk(sample_plms, tensor(case, "x_T")[:, 0], levels, levels[-1])
    made = made * (tensor(case, "mel2ph").view(made.shape[:2]) > 0)[..., None]
    wanted = tensor(case, f"mel_plms_{speedup}")
    assert error(made, wanted.view(made.shape)) < 1e-4


@torch.inference_mode()
def test_ddpm_is_ddim_with_all_its_noise() -> None:
    case = "sched_cosine"
    voice = diff_svc(case)
    schedule, noise = voice.schedule, tensor(case, "ddpm_noise")
    levels = [*(schedule.sigma(step) for step in reversed(range(schedule.timesteps))), 0.0]
    x = tensor(case, "x_T")[:, 0] / schedule.alpha(levels[0])
    denoise = schedule.denoise(voice.predict, clamp=1.0)
    made = sample_ddim(denoise, x, levels, eta=1.0, noise=lambda step: noise[step][:, 0])
    wanted = tensor(case, "mel_ddpm_full")[0]
    assert error(voice.decoder.denormalise(made)[0].T, wanted) < 1e-4


def unit2mel(case: str) -> Voice:
    (file,) = golden(case).glob("model_*.pt")
    model = Unit2Mel.from_state_dict(checkpoint(f"{case}/{file.name}")["model"])
    return Voice(case, model.decoder, tensor(case, "cond").transpose(1, 2))


def unit2mel_cases() -> Iterator[tuple[str, str]]:
    for case in cases_with("io.npz"):
        if case.startswith("diffusion_svc"):
            for name in arrays(case):
                if name.startswith(("mel_ddim_", "mel_pndm_", "mel_dpm-solver_")):
                    yield case, name


@torch.inference_mode()
@pytest.mark.parametrize(("case", "name"), [*unit2mel_cases()])
def test_samplers_of_diffusion_svc(case: str, name: str) -> None:
    _, method, stride, begin = name.split("_")
    voice, speedup = unit2mel(case), int(stride)
    start = int(begin.removeprefix("shallow")) if begin != "full" else voice.schedule.timesteps
    steps = [float(step) for step in reversed(range(0, start, speedup))]
    if method == "dpm-solver":
        if start // speedup < 10:
            pytest.skip("so few steps end on one of first order there")
        steps = np.linspace(start - 1, 0, start // speedup + 1).tolist()
    z = tensor(case, "x_T")[:, 0]
    if begin != "full":
        spec = voice.decoder.normalise(tensor(case, "gt_spec").transpose(1, 2))
        z = voice.decoder.diffuse(spec, torch.tensor([start - 1]), z)
    sampler = {"ddim": sample_ddim, "pndm": sample_plms, "dpm-solver": sample_dpmpp_2m}[method]
    levels = [voice.schedule.sigma(step) for step in steps]
    made = voice.walk(sampler, z, levels, levels[-1])
    assert error(made, tensor(case, name)) < (1e-3 if begin == "full" else 1e-4)
