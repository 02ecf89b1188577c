"""Imported voices live: blocks equal the whole with the same windows, of every family."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import StreamConfig, VoiceParams
from core.diff_svc.converter import ForeignConverter, LiveVoices, Wave, convert_windowed
from core.diff_svc.diffusion_svc_voice import DiffusionSvcVoice
from core.diff_svc.foreign import save_foreign
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.diffnet_stream import DiffNetStream
from core.errors import ConfigError
from core.f0.pitch_extractor import PitchExtractor
from core.f0.praat import PraatConfig, praat_f0
from core.f0.praat_stream import PraatStream, file_grid
from core.imports.diff_svc import import_diff_svc
from core.imports.diffusion_svc import import_diffusion_svc
from core.kaiser_best import KaiserStream, resample_kaiser_best
from core.vocoder.hifigan24k import HifiGan24k
from core.vocoder.nsf_hifigan import NsfHifiGan
from tests.core.imports.foreign_voice import write_diffusion_svc, write_voice
from tests.core.vocoder.test_nsf_hifigan import SMALL, shapes, small
from tests.reference import recipe
from tests.toy import speechlike

HOP = 512
STREAM = StreamConfig(block_frames=6, context_frames=40, lookahead_frames=5)
PARAMS = VoiceParams(pitch_shift=2.0, gain_db=3.0, gate_db=-50.0, dry_mix=0.25)


@pytest.fixture(params=["diff-svc", "diff-svc, own vocoder", "diffusion-svc"])
def voice(request: pytest.FixtureRequest, tmp_path: Path) -> LiveVoices:
    """Tiny random weights, through the real import."""
    path = tmp_path / "voice.safetensors"
    if request.param == "diffusion-svc":
        made = import_diffusion_svc(write_diffusion_svc(tmp_path / "made"))
        save_foreign(path, made.config, made.weights)
        return DiffusionSvcVoice.load(path)
    made = import_diff_svc(write_voice(tmp_path / "made", use_uv=True))
    save_foreign(path, made.config, made.weights)
    loaded = DiffSvcVoice.load(path)
    if "own" in request.param:
        loaded.vocoder = own_vocoder()
    return loaded


def own_vocoder() -> NsfHifiGan:
    torch.manual_seed(3)
    vocoder = small(num_mels=128, upsample_rates=[8, 8, 8], upsample_kernel_sizes=[16, 16, 8])
    assert vocoder.hop_length == HOP
    return vocoder


def streamed(voice: LiveVoices, wave: Wave, stream: StreamConfig, params: VoiceParams) -> Wave:
    """A live run, its latency taken off."""
    converter = ForeignConverter(voice, stream, params)
    heard = np.pad(wave, (0, -len(wave) % converter.block))
    out = np.concatenate([converter.push(heard), converter.flush()])
    return out[converter.latency : converter.latency + len(wave)]


@pytest.mark.parametrize("block", [1, 6, 13])
def test_plumbing_error_is_nothing(voice: LiveVoices, block: int) -> None:
    stream = StreamConfig(block_frames=block, context_frames=40, lookahead_frames=5, steps=4)
    wave = speechlike(50 * HOP + 77)
    wanted = convert_windowed(voice, wave, PARAMS, stream)
    got = streamed(voice, wave, stream, PARAMS)
    assert wanted.shape == got.shape == wave.shape
    assert np.abs(wanted).max() > 1e-3
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.fixture
def old_voice(tmp_path: Path) -> DiffSvcVoice:
    """Of 24 kHz, hop 128, with a HiFi-GAN of its own, whose f0 is read off the mel."""
    rate = {"audio_sample_rate": 24_000, "hop_size": 128, "fft_size": 512, "win_size": 512}
    form = {"fmin": 30, "fmax": 12_000, "vocoder": "network.vocoders.hifigan.HifiGAN"}
    config = {**SMALL, "num_mels": 128, "upsample_rates": [8, 8, 2], "sampling_rate": 24_000}
    config["upsample_kernel_sizes"] = [16, 16, 4]
    vocoder = tmp_path / "hifigan"
    vocoder.mkdir()
    torch.save({"generator": recipe(shapes(config), "nsf.", 3)}, vocoder / "model")
    (vocoder / "config.json").write_text(json.dumps(config))
    made = import_diff_svc(write_voice(tmp_path / "made", **rate, **form), vocoder=vocoder)
    save_foreign(tmp_path / "voice.safetensors", made.config, made.weights)
    voice = DiffSvcVoice.load(tmp_path / "voice.safetensors")
    assert isinstance(voice.vocoder, HifiGan24k)
    torch.manual_seed(3)
    voice.pitch_extractor = PitchExtractor((128, 16, 5, 2), (3, 1), (16, 5, 2)).eval()
    with torch.no_grad():
        voice.pitch_extractor.pitch_predictor.linear.bias[0] = 7.5  # about 180 Hz
    voice.config = replace(voice.config, pitch_extractor=True)
    return voice


@pytest.mark.parametrize("block", [1, 6, 13])
def test_a_voice_of_24_khz(old_voice: DiffSvcVoice, block: int) -> None:
    form = old_voice.config.mel
    assert (form.kind, form.sample_rate, form.hop_length) == ("hifigan", 24_000, 128)
    stream = StreamConfig(block_frames=block, context_frames=150, lookahead_frames=20, steps=4)
    wave = speechlike(150 * 128 + 77, sample_rate=24_000)
    wanted = convert_windowed(old_voice, wave, PARAMS, stream)
    got = streamed(old_voice, wave, stream, PARAMS)
    assert wanted.shape == got.shape == wave.shape
    assert np.abs(wanted).max() > 1e-3
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_reset_gives_the_same_again_and_silence_is_silence(voice: LiveVoices) -> None:
    converter = ForeignConverter(voice, STREAM, VoiceParams())
    wave = speechlike(30 * HOP)
    first = np.concatenate([converter.push(wave), converter.flush()])
    np.testing.assert_array_equal(np.concatenate([converter.push(wave), converter.flush()]), first)
    assert not converter.push(np.zeros(30 * HOP, np.float32)).any()


def test_its_memory_ends_with_it(voice: LiveVoices) -> None:
    """One of ten seconds holds 400 MiB: a folder of files must not wait for the collector."""
    gc.disable()
    try:
        converter = ForeignConverter(voice, STREAM)
        converter.push(speechlike(30 * HOP))
        left = weakref.ref(converter), weakref.ref(converter._mels)
        del converter
        assert [part() for part in left] == [None, None]
    finally:
        gc.enable()


def test_what_is_not_there_is_refused(voice: LiveVoices) -> None:
    with pytest.raises(ConfigError, match="push 3072 samples"):
        ForeignConverter(voice, STREAM).push(np.zeros(HOP, np.float32))
    mixed = VoiceParams(speakers=(0.0, 0.0, 1.0))
    with pytest.raises(ConfigError, match="speaker 3 does not exist"):
        ForeignConverter(voice, STREAM, mixed).push(speechlike(6 * HOP))


def test_the_network_hears_all_where_the_lookahead_covers_it() -> None:
    """Then blocks are the whole, whatever each layer keeps."""
    torch.manual_seed(0)
    net = DiffNet(DiffNetSize(8, 4, 16, 3, 2)).eval()  # hears 1 + 2 + 1 frames to each side
    cond, x = torch.randn(1, 4, 40), torch.randn(1, 8, 40)
    stream, parts = DiffNetStream(net), []
    with torch.inference_mode():
        wanted = net(x, torch.tensor([7.0]), net.condition(cond))
        for start in range(0, 40, 5):
            stop = min(start + 5 + 4, 40)
            stream.begin(cond[..., start:stop], 5)
            parts.append(stream(x[..., start:stop], 7.0)[..., :5])
    torch.testing.assert_close(torch.cat(parts, 2), wanted, rtol=1e-5, atol=1e-6)


def test_the_resampler_and_the_pitch_of_a_stream_are_those_of_the_file() -> None:
    wave = speechlike(120 * HOP)
    resampler, config = KaiserStream(44_100, 16_000), PraatConfig(40.0, 1100.0)
    pitch = PraatStream(file_grid(44_100, HOP, config.f0_min), config)
    heard, found = [], []
    for number, at in enumerate(range(0, len(wave), 10 * HOP), start=1):
        heard.append(resampler.push(wave[at : at + 10 * HOP]))
        until = max(10 * number - 8, 0)
        new = pitch.push(wave[at : at + 10 * HOP], until)
        found.append(new[: until - max(10 * number - 18, 0)])
    made = np.concatenate(heard)
    np.testing.assert_array_equal(made, resample_kaiser_best(wave, 44_100, 16_000)[: len(made)])
    got = np.concatenate(found)
    wanted = praat_f0(wave, 44_100, HOP, 120, config)[: len(got)]
    same = np.abs(np.log2(np.maximum(got, 1) / np.maximum(wanted, 1))) < 0.01
    assert same.mean() > 0.9
