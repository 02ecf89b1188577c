"""SourceFilter: exact across blocks, late by what it declares, as loud as the mel says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.mel import LogMel
from core.vocoder.source_filter import SourceFilter
from tests.toy import BLOCKS, TOY, cut, toy_conditions, toy_voice

HOP, FRAMES = TOY.audio.hop_length, 44


@pytest.fixture(scope="module")
def vocoder() -> SourceFilter:
    vocoder = toy_voice().vocoder
    torch.manual_seed(1)
    torch.nn.init.normal_(vocoder.head.weight, std=0.1)
    return vocoder


def inputs(frames: int = FRAMES, batch: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    mel = torch.randn(batch, TOY.mel.n_mels, frames, generator=generator) - 5
    conditions = toy_conditions(frames, batch)
    return mel, conditions.f0, conditions.voiced


@torch.inference_mode()
@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(vocoder: SourceFilter, blocks: str) -> None:
    mel, f0, voiced = inputs()
    whole, _ = vocoder(mel, f0, voiced)
    assert whole.shape == (1, FRAMES * HOP)
    state, parts, at = None, [], 0
    for size in cut(FRAMES, BLOCKS[blocks]):
        part = slice(at, at + size)
        wave, state = vocoder(mel[..., part], f0[:, part], voiced[:, part], state)
        parts.append(wave)
        at += size
    assert float((torch.cat(parts, 1) - whole).abs().max() / whole.abs().max()) < 1e-5


@torch.inference_mode()
def test_causal(vocoder: SourceFilter) -> None:
    mel, f0, voiced = inputs()
    short, _ = vocoder(mel[..., :17], f0[:, :17], voiced[:, :17])
    whole, _ = vocoder(mel, f0, voiced)
    torch.testing.assert_close(short, whole[:, : 17 * HOP], rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_no_state_repeats(vocoder: SourceFilter) -> None:
    assert torch.equal(vocoder(*inputs())[0], vocoder(*inputs())[0])


@torch.inference_mode()
def test_batch_items_are_alone(vocoder: SourceFilter) -> None:
    mel, f0, voiced = inputs(batch=2)
    both, _ = vocoder(mel, f0, voiced)
    second, _ = vocoder(mel[1:], f0[1:], voiced[1:])
    torch.testing.assert_close(both[1:], second, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_measured_latency_is_the_declared() -> None:
    """With flat filters the excitation itself comes out, late by `latency`."""
    vocoder = toy_voice().vocoder
    torch.nn.init.zeros_(vocoder.head.weight)
    mel, f0, _ = inputs()
    mel = torch.full_like(mel, vocoder.level)  # unit gain everywhere
    wave, _ = vocoder(mel, f0, torch.zeros_like(f0, dtype=torch.bool))
    noise = vocoder.tape.frames(0, FRAMES).transpose(1, 2).reshape(1, -1)
    late = vocoder.latency
    torch.testing.assert_close(wave[:, late:], noise[:, :-late], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_noise_has_the_power_the_mel_asks_for() -> None:
    vocoder = toy_voice().vocoder
    torch.nn.init.zeros_(vocoder.head.weight)
    _, f0, _ = inputs(120)
    mel = torch.full((1, TOY.mel.n_mels, 120), -3.0)
    wave, _ = vocoder(mel, f0, torch.zeros_like(f0, dtype=torch.bool))
    heard = LogMel(TOY.audio, TOY.mel)(wave)[..., 8:-8]
    assert float(heard.mean()) == pytest.approx(-3.0, abs=0.25)


@torch.inference_mode()
@pytest.mark.parametrize("level", [-11.5, 4.0])
def test_extreme_mels_stay_finite(vocoder: SourceFilter, level: float) -> None:
    mel, f0, voiced = inputs()
    assert vocoder(torch.full_like(mel, level), f0, voiced)[0].isfinite().all()


@torch.inference_mode()
def test_no_noise_under_a_sung_fundamental() -> None:
    """What the mel has there is a formant of speech; speech itself keeps its noise."""
    vocoder = toy_voice().vocoder
    torch.nn.init.zeros_(vocoder.head.weight)
    mel = torch.full((1, TOY.mel.n_mels, FRAMES), vocoder.level)
    hz = torch.fft.rfftfreq(FRAMES * HOP, 1 / TOY.audio.sample_rate)

    def under(pitch: float, top: float, says_voiced: bool = True) -> float:
        """Power from 100 Hz to `top`."""
        f0 = torch.full((1, FRAMES), pitch)
        wave, _ = vocoder(mel, f0, torch.full_like(f0, says_voiced, dtype=torch.bool))
        power = torch.fft.rfft(wave * torch.hann_window(FRAMES * HOP)).abs().square()
        return float(power[0, (hz > 100) & (hz < top)].sum())

    assert under(740, 450) < 0.02 * under(740, 450, says_voiced=False)
    assert under(290, 180) == pytest.approx(under(290, 180, says_voiced=False), rel=0.5)
