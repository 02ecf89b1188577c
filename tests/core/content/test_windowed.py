"""Encoders of whole waves behind our own voices: the grid, windows, files without them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.config import AudioConfig, ContentConfig, StreamConfig, VoiceParams
from core.content import UNIT_ENCODERS, content_encoder
from core.content.windowed import DELAYS, WindowedUnits, fingerprint, read_network
from core.errors import ConfigError, VoiceFileError
from core.pipeline import convert, plan_for
from core.streaming.converter import StreamingConverter
from core.streaming.plan import live_stream
from core.voice import VoiceModel
from tests.core.content.test_hubert_soft import small
from tests.toy import TOY, speechlike, toy_voice

RATE = TOY.audio.sample_rate
PARAMS = VoiceParams(pitch_shift=0.0, level_shift=0.0)


def soft(folder: Path, seed: int = 0, name: str = "soft.pt") -> ContentConfig:
    """A small HuBERT-soft in a file, as voices know it."""
    folder.mkdir(exist_ok=True)
    torch.save(small(seed), folder / name)
    network = read_network("hubert-soft", str(folder / name), None)
    read_network.cache_clear()
    return ContentConfig(
        encoder="hubert-soft",
        dim=network.dim,
        delays=DELAYS,
        lookahead_frames=9,
        bank_size=0,
        source=str(folder / name),
        fingerprint=fingerprint(network),
    )


class Places(nn.Module):
    """Unit i of a wave says sample 320 i + 160, and says it twice, the second time turned."""

    sample_rate, hop_length, dim = 16_000, 320, 2

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        middle = wave[:, 160 : wave.shape[1] // 320 * 320 : 320]
        return torch.stack([middle, -middle], -1)


@pytest.mark.parametrize("rate", [44_100, 24_000, 16_000])
def test_a_frame_hears_the_unit_at_its_middle(rate: int) -> None:
    encoder = WindowedUnits(AudioConfig(rate, 512), ContentConfig(encoder="hubert", dim=2))
    frames = torch.arange(20_000)
    units = encoder.unit_of(frames)
    middle = (2 * frames + 1) * 512 / (2 * rate)  # seconds
    assert bool(((units * 0.02 <= middle + 1e-9) & (middle < (units + 1) * 0.02 + 1e-9)).all())


@torch.inference_mode()
@pytest.mark.parametrize("block", [1, 5, 22])
@pytest.mark.parametrize("delay", [0, 9])
def test_windows_take_units_by_their_place(
    monkeypatch: pytest.MonkeyPatch, block: int, delay: int
) -> None:
    monkeypatch.setitem(UNIT_ENCODERS, "hubert", lambda source, options: Places())
    read_network.cache_clear()
    encoder = content_encoder(TOY.audio, ContentConfig(encoder="hubert", dim=2, delays=DELAYS))
    monkeypatch.setattr("torch.nn.functional.layer_norm", lambda x, shape: x)
    wave = torch.from_numpy(speechlike(RATE + 777))[None]
    assert isinstance(encoder, WindowedUnits)
    whole = encoder(wave)
    assert whole.shape == (1, 2, TOY.audio.frames(RATE + 777))
    assert torch.equal(encoder.in_windows(wave, block, 8, delay), whole)
    read_network.cache_clear()


@pytest.mark.parametrize(("block", "context"), [(2, 4), (6, 30), (22, 172)])
def test_live_is_the_whole_in_the_same_windows(tmp_path: Path, block: int, context: int) -> None:
    voice = toy_voice(content=soft(tmp_path))
    wave = speechlike(RATE // 2)
    plan = plan_for(voice, StreamConfig(block_frames=block, context_frames=context))
    converter = StreamingConverter(voice, plan.stream, PARAMS)
    blocks = len(wave) // plan.block
    said = [converter.push(x) for x in np.split(wave[: blocks * plan.block], blocks)]
    made = np.concatenate([*said, converter.flush()])[plan.latency :]
    wanted = convert(voice, wave[: blocks * plan.block], PARAMS, plan)
    assert np.abs(made[: len(wanted)] - wanted).max() < 1e-5 * np.abs(wanted).max()
    if block > 1:
        with pytest.raises(ConfigError, match=f"push {plan.block} samples"):
            converter.push(wave[: plan.audio.hop_length])


def test_a_voice_file_knows_its_encoder(tmp_path: Path) -> None:
    content = soft(tmp_path / "far")
    voice, path = toy_voice(content=content), tmp_path / "voice" / "own.safetensors"
    path.parent.mkdir()
    voice.save(path)
    wave = speechlike(RATE // 2)
    wanted = convert(VoiceModel.load(path), wave, PARAMS)
    assert path.stat().st_size < 200_000
    assert live_stream(voice.config).block_frames == 22
    assert live_stream(TOY).block_frames == 3

    shutil.move(tmp_path / "far" / "soft.pt", path.parent / "soft.pt")  # it travels with the voice
    read_network.cache_clear()
    assert np.array_equal(convert(VoiceModel.load(path), wave, PARAMS), wanted)

    (path.parent / "soft.pt").unlink()
    read_network.cache_clear()
    with pytest.raises(VoiceFileError, match="hears with hubert-soft, whose weights are not in"):
        VoiceModel.load(path)

    soft(tmp_path / "far", seed=1)
    with pytest.raises(VoiceFileError, match="is another hubert-soft than the one that this voice"):
        VoiceModel.load(path)


def test_unknown_encoders_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'unknown content encoder "ear"; known: .*phonetic'):
        content_encoder(TOY.audio, replace(TOY.content, encoder="ear"))
