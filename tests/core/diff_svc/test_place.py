"""An imported voice on a card, without one: PyTorch's device "meta" holds shapes and no values.

Where tensors of two devices meet, or a value is asked for that would make a card wait, it raises.
"""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from core.content.precision import content_in_precision
from core.diff_svc.converter import ForeignConverter, LiveVoices, MelStream
from core.diff_svc.place import Elsewhere, find_device, place
from core.diffusion.precision import in_precision
from core.errors import ConfigError
from core.int8 import snr_db
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


def test_a_recorded_content_encoder_says_the_same(voice: LiveVoices) -> None:
    """Windows waver by a unit; long ones, of files, are not recorded."""
    wave, record = speechlike(40 * 6 * HOP), Recorder()
    wanted = ForeignConverter(voice, STREAM).push(wave)
    assert voice.content is not None
    voice.content = Elsewhere(voice.content, torch.device("cpu"), record)
    np.testing.assert_array_equal(ForeignConverter(voice, STREAM).push(wave), wanted)
    assert record.recorded <= 4
    assert record.replayed >= 20
    recorded = record.recorded
    for _ in range(4):
        voice.units(torch.zeros(1, 5 * 16_000))
    assert record.recorded == recorded


def on_a_card(inner: LiveVoices) -> LiveVoices:
    """In half precision where a card is faster in it."""
    card, content = torch.device("cuda"), inner.content
    assert content is not None
    inner.diffusion.to(card)
    inner.diffusion.denoise_fn = in_precision(inner.diffusion.denoise_fn)
    inner.content = content_in_precision(content.to(card))
    place(inner, card)
    return inner


@pytest.mark.gpu
def test_a_card_says_what_a_processor_says(voice: LiveVoices) -> None:
    wave = speechlike(40 * 6 * HOP)
    wanted = ForeignConverter(voice, STREAM).push(wave)
    made = ForeignConverter(on_a_card(voice), STREAM)
    assert isinstance(voice.content, Elsewhere)
    got = made.push(wave)
    assert snr_db(torch.from_numpy(wanted), torch.from_numpy(got)) > 25
    for replayed in (voice.content._replayed, made._mels._walk):
        assert any(recording.replay for recording in replayed._recordings.values())


@pytest.mark.gpu
@torch.inference_mode()
def test_a_card_replays_content(voice: LiveVoices) -> None:
    wave, content = torch.from_numpy(speechlike(16_000))[None], voice.content
    assert content is not None
    wanted = content(wave)
    on_a_card(voice)
    for _ in range(5):
        assert snr_db(wanted, voice.units(wave)) > 25


@pytest.mark.gpu
def test_a_card_replays_the_diffusion(voice: LiveVoices) -> None:
    wave, said = speechlike(12 * 6 * HOP), []
    voice.diffusion.to("cuda")
    for record in (Recorder(), None):  # one that runs as it is; the card's own
        converter = ForeignConverter(voice, STREAM)
        converter._mels = MelStream(voice, STREAM, record)
        said.append(converter.push(wave))
    np.testing.assert_allclose(said[1], said[0], atol=1e-4)


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
