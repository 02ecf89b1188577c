"""A tiny diff-svc voice with random weights, in the files that a user would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.diff_svc.unit2mel import Unit2Mel
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.gaussian import GaussianDiffusion, schedule_betas, schedule_buffers

CONFIG: dict[str, Any] = {
    "audio_sample_rate": 44100,
    "hop_size": 512,
    "fft_size": 2048,
    "win_size": 2048,
    "fmin": 40,
    "fmax": 16000,
    "audio_num_mel_bins": 128,
    "vocoder": "network.vocoders.nsf_hifigan.NsfHifiGAN",
    "vocoder_ckpt": "nsf_hifigan/model",
    "hubert_path": "hubert/hubert_soft.pt",
    "hidden_size": 32,
    "residual_channels": 16,
    "residual_layers": 3,
    "dilation_cycle_length": 2,
    "timesteps": 100,
    "K_step": 100,
    "schedule_type": "linear",
    "max_beta": 0.06,
    "pndm_speedup": 25,
    "use_uv": False,
    "no_fs2": True,
    "spec_min": [-5.0],
    "spec_max": [0.0],
}
HUBERT_WIDTH = 48


def checkpoint(seed: int = 0) -> dict[str, Any]:
    """What `torch.save` wrote of it."""
    torch.manual_seed(seed)
    net = DiffNet(DiffNetSize(128, 32, 16, 3, 2))
    diffusion = GaussianDiffusion(net, 100, 1)
    state = dict(diffusion.state_dict())
    state.update(schedule_buffers(schedule_betas("linear", 100, 0.06)))
    state["spec_min"], state["spec_max"] = torch.full((1, 1, 1), -5.0), torch.zeros(1, 1, 1)
    state["fs2.pitch_embed.weight"] = 0.1 * torch.randn(300, 32)
    state["fs2.mel_out.weight"] = torch.zeros(128, 32)
    model = {f"model.{key}": value for key, value in state.items()}
    return {"epoch": 1, "global_step": 400, "state_dict": model}


def hubert(units: int = 32, seed: int = 1) -> dict[str, Tensor]:
    """Weights under the names of hubert_soft.pt, one layer deep."""
    torch.manual_seed(seed)
    width, channels, inner = HUBERT_WIDTH, 8, 16
    shapes: dict[str, tuple[int, ...]] = {
        "feature_extractor.conv0.weight": (channels, 1, 10),
        "feature_projection.projection.weight": (width, channels),
        "positional_embedding.conv.bias": (width,),
        "positional_embedding.conv.weight_g": (1, 1, 128),
        "positional_embedding.conv.weight_v": (width, width // 16, 128),
        "encoder.layers.0.self_attn.in_proj_weight": (3 * width, width),
        "encoder.layers.0.self_attn.in_proj_bias": (3 * width,),
        "encoder.layers.0.self_attn.out_proj.weight": (width, width),
        "encoder.layers.0.linear1.weight": (inner, width),
        "encoder.layers.0.linear2.weight": (width, inner),
        "proj.weight": (units, width),
    }
    for i in range(1, 7):
        shapes[f"feature_extractor.conv{i}.weight"] = (channels, channels, 3 if i < 5 else 2)
    for norm, size in (
        ("feature_extractor.norm0", channels),
        ("feature_projection.norm", channels),
        ("norm", width),
        ("encoder.layers.0.norm1", width),
        ("encoder.layers.0.norm2", width),
    ):
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (size,)
    for linear, size in (
        ("feature_projection.projection", width),
        ("encoder.layers.0.self_attn.out_proj", width),
        ("encoder.layers.0.linear1", inner),
        ("encoder.layers.0.linear2", width),
        ("proj", units),
    ):
        shapes[f"{linear}.bias"] = (size,)
    return {key: 0.3 * torch.randn(shape) for key, shape in shapes.items()}


def write_config(folder: Path, **changes: Any) -> Path:
    """config.yaml with these settings changed; None leaves one out."""
    settings = {k: v for k, v in {**CONFIG, **changes}.items() if v is not None}
    path = folder / "config.yaml"
    path.write_text("".join(f"{key}: {_plain(value)}\n" for key, value in settings.items()))
    return path


def write_voice(folder: Path, data: dict[str, Any] | None = None, **changes: Any) -> Path:
    """The whole folder of a voice without a vocoder of its own; the checkpoint's path."""
    (folder / "hubert").mkdir(parents=True)
    torch.save(hubert(), folder / "hubert" / "hubert_soft.pt")
    write_config(folder, **changes)
    path = folder / "model_ckpt_steps_400.ckpt"
    torch.save(checkpoint() if data is None else data, path)
    return path


def write_diffusion_svc(folder: Path, extra: str = "", speakers: int = 2) -> Path:
    """A Diffusion-SVC voice in a folder; the checkpoint's path. extra: lines of its config."""
    torch.manual_seed(2)
    net = DiffNet(DiffNetSize(128, 32, 16, 3, 1))
    diffusion = GaussianDiffusion(net, 1000, 1)
    model = Unit2Mel(diffusion, 32, speakers if speakers > 1 else 0, shifts=True)
    state = dict(model.state_dict())
    buffers = schedule_buffers(schedule_betas("linear", 1000, 0.02))
    buffers.update(
        {"spec_min": torch.full((1, 1, 1), -12.0), "spec_max": torch.full((1, 1, 1), 2.0)}
    )
    state.update({f"decoder.{key}": value for key, value in buffers.items()})
    folder.mkdir(parents=True)
    torch.save({"global_step": 12_000, "model": state}, folder / "model_12000.pt")
    torch.save(hubert(), folder / "hubert_soft.pt")
    (folder / "config.yaml").write_text(
        "data:\n  sampling_rate: 44100\n  block_size: 512\n  encoder: hubertsoft\n"
        "  encoder_ckpt: hubert_soft.pt\n  encoder_out_channels: 32\n"
        f"infer: {{method: unipc, speedup: 100}}\nmodel:\n  n_spk: {speakers}\n{extra}"
    )
    return folder / "model_12000.pt"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
