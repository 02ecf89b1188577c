"""An imported voice on a card, without one: PyTorch's device "meta" holds shapes and no values.

Where tensors of two devices meet, or a value is asked for that would make a card wait, it raises.
"""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from core.diff_svc.converter import ForeignConverter, LiveVoices, MelStream
from core.diff_svc.place import Elsewhere, find_device, place
from core.errors import ConfigError
from tests.core.diff_svc.test_diff_svc_live import HOP, STREAM, speechlike, voice
from tests.core.diffusion.test_replay import Recorder

__all__ = ["voice"]

CARD = torch.device("meta")


@pytest.fixture
def back(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of what came back from the card, as zeros."""
    came = []

    def cpu(self: Tensor) -> Tensor:
        if self.device == CARD:
            came.append(tuple(self.shape))
            return torch.zeros(self.shape, dtype=self.dtype)
        return self

    monkeypatch.setattr(Tensor, "cpu", cpu)
    return came


def test_the_networks_compute_there_and_all_else_here(
    voice: LiveVoices, back: list[tuple[int, ...]]
) -> None:
    heard = ForeignConverter(voice, STREAM)
    levels = voice.diffusion.levels  # of a trained diffusion, before it moves
    place(voice, CARD)
    assert voice.diffusion.device == CARD
    assert isinstance(voice.content, Elsewhere)
    assert levels.timesteps > 1
    moved = ForeignConverter(voice, STREAM)
    wave = speechlike(60 * HOP)
    wave = wave[: len(wave) // heard.block * heard.block]
    made = moved.push(wave)
    assert made.shape == wave.shape
    assert np.isfinite(made).all()
    assert len(back) >= 2 * (len(wave) // heard.block - 2)  # units and mel of every window


@pytest.mark.parametrize("steps", [[10] * 6, [10, 10, 10, 10, 10, 4, 4, 4, 4]])
def test_a_recorded_diffusion_says_the_same(voice: LiveVoices, steps: list[int]) -> None:
    wave = speechlike((len(steps) + 2) * 6 * HOP)
    record, said = Recorder(), []
    for recorder in (None, record):
        converter = ForeignConverter(voice, STREAM)
        converter._mels = MelStream(voice, STREAM, recorder)
        parts = []
        for i, number in enumerate(steps):
            converter.steps = number
            parts.append(converter.push(wave[i * 6 * HOP : (i + 1) * 6 * HOP]))
        said.append(np.concatenate(parts))
    assert record.replayed >= 1
    np.testing.assert_allclose(said[1], said[0], atol=1e-5)


def test_a_device_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("cpu") == find_device() == torch.device("cpu")
    for name in ("cuda:99", "mps", "toaster"):
        with pytest.raises(ConfigError, match=f"no device '{name}': expected cpu, or cuda with"):
            find_device(name)


def test_a_card_that_does_not_compute_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*shape: int, device: torch.device) -> Tensor:
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with caplog.at_level(logging.WARNING):
        assert find_device() == torch.device("cpu")
    assert "the card is left out, it does not compute: no kernel image" in caplog.text
