"""A voice of tiny random networks that makes sound: every part of the real one, in milliseconds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from core.config import (
    ContentConfig,
    DenoiserConfig,
    MelConfig,
    Speaker,
    VocoderConfig,
    VoiceConfig,
)
from core.features import Conditions
from core.voice import VoiceModel

Wave = NDArray[np.float32]

TOY = VoiceConfig(
    name="toy",
    speakers=(Speaker("low", f0_median=110.0), Speaker("high", f0_median=220.0)),
    mel=MelConfig(n_mels=16),
    content=ContentConfig(
        dim=8,
        lookahead_frames=2,
        n_bands=20,
        channels=16,
        dilations=(1, 2),
        n_phones=40,
        bank_size=6,
    ),
    denoiser=DenoiserConfig(
        channels=16, dilations=(1, 2), condition_channels=16, condition_dilations=(1, 2)
    ),
    vocoder=VocoderConfig(channels=16, dilations=(1, 2)),
    steps=2,
)


def toy_voice(seed: int = 0, **changes: Any) -> VoiceModel:
    """A voice of `TOY`'s shape with these fields changed; the same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        voice = VoiceModel(replace(TOY, **changes))
        last = voice.denoiser.network.out[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.5)  # training starts from 0, which would hide the rest
        nn.init.normal_(voice.bank.units)
    voice.denoiser.mel_mean.fill_(-6.0)
    voice.denoiser.mel_std.fill_(2.0)
    return voice


def toy_conditions(frames: int, batch: int = 1, seed: int = 0) -> Conditions:
    """Random conditions that fit `TOY`."""
    generator = torch.Generator().manual_seed(seed)
    return Conditions(
        torch.randn(batch, TOY.content.dim, frames, generator=generator),
        80 + 300 * torch.rand(batch, frames, generator=generator),
        torch.rand(batch, frames, generator=generator) < 0.6,
        -60 + 40 * torch.rand(batch, frames, generator=generator),
        torch.eye(len(TOY.speakers))[torch.arange(batch) % len(TOY.speakers), :, None].expand(
            -1, -1, frames
        ),
    )


def speechlike(samples: int, seed: int = 0, sample_rate: int = 44_100) -> Wave:
    """A gliding harmonic tone that comes and goes over faint noise."""
    t = np.arange(samples) / sample_rate
    phase = 2 * np.pi * np.cumsum(150 + 40 * np.sin(2 * np.pi * 1.3 * t)) / sample_rate
    tone = np.stack([np.sin(k * phase) / k for k in range(1, 8)]).sum(0)
    noise = np.random.default_rng(seed).standard_normal(samples)
    wave = 0.2 * tone * (np.sin(2 * np.pi * 2.1 * t) > -0.2) + 0.005 * noise
    return wave.astype(np.float32)


def cut(total: int, sizes: Iterable[int]) -> list[int]:
    """Block sizes in turn, the last one whatever is left."""
    blocks: list[int] = []
    for size in cycle(sizes):
        if sum(blocks) >= total:
            return blocks
        blocks.append(min(size, total - sum(blocks)))
    return blocks


BLOCKS: dict[str, tuple[int, ...]] = {
    "1": (1,),
    "2": (2,),
    "5": (5,),
    "37": (37,),
    "mixed": (1, 5, 2, 37, 3),
}
"""Awkward block sizes in frames, by name."""


def needs_pyworld() -> None:
    """Skips a test where pyworld is not installed; `core.f0.world` loads what its import cannot."""
    if importlib.util.find_spec("pyworld") is None:
        pytest.skip("pyworld is not installed")
