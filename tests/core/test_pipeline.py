"""convert: the input's length, the voice's sound, the knobs, and the same whatever the plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.config import LOW_LATENCY, StreamConfig, VoiceConfig, VoiceParams
from core.diffusion.samplers import SAMPLERS
from core.errors import ConfigError
from core.pipeline import convert, plan_for, synthesise
from core.voice import VoiceModel
from tests.toy import TOY, speechlike, toy_conditions, toy_voice

HOP = TOY.audio.hop_length


@pytest.fixture(scope="module")
def voice() -> VoiceModel:
    return toy_voice()


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 10_000])
def test_length_is_kept(voice: VoiceModel, samples: int) -> None:
    made = convert(voice, speechlike(samples))
    assert made.shape == (samples,)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()


def test_sound_comes_out_and_comes_out_again(voice: VoiceModel) -> None:
    wave = speechlike(20_000)
    made = convert(voice, wave)
    assert np.abs(made).max() > 0.01
    np.testing.assert_array_equal(made, convert(voice, wave))


@pytest.mark.parametrize("block_frames", [1, 7])
def test_the_plan_changes_nothing_where_all_streams_exactly(
    voice: VoiceModel, block_frames: int
) -> None:
    wave = speechlike(20_000)
    plan = plan_for(voice, StreamConfig(block_frames=block_frames))
    np.testing.assert_allclose(convert(voice, wave, plan=plan), convert(voice, wave), atol=1e-6)


def test_what_follows_changes_nothing_before_the_lookahead(voice: VoiceModel) -> None:
    wave = speechlike(40 * HOP)
    plan = plan_for(voice, StreamConfig())
    short, whole = convert(voice, wave[: 30 * HOP]), convert(voice, wave)
    same = 30 * HOP - plan.latency
    np.testing.assert_allclose(short[:same], whole[:same], atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        VoiceParams(pitch_shift=5.0),
        VoiceParams(pitch_shift=0.0),
        VoiceParams(speakers=(0, 1)),
        VoiceParams(speakers=(0.9, 0.1)),
        VoiceParams(gain_db=6.0),
    ],
    ids=["shift", "no shift", "speaker", "mix", "gain"],
)
def test_knobs_are_heard(voice: VoiceModel, params: VoiceParams) -> None:
    wave = speechlike(20_000)
    plain, turned = convert(voice, wave), convert(voice, wave, params)
    assert np.abs(plain - turned).max() > 1e-3


def test_gain_is_in_db(voice: VoiceModel) -> None:
    wave = speechlike(20_000)
    louder = convert(voice, wave, VoiceParams(gain_db=20.0))
    np.testing.assert_allclose(louder, 10 * convert(voice, wave), rtol=1e-4, atol=1e-6)


def test_all_dry_is_the_input(voice: VoiceModel) -> None:
    wave = speechlike(20_000)
    dry = convert(voice, wave, VoiceParams(dry_mix=1.0))
    np.testing.assert_allclose(dry, wave, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 10_000])
def test_silence_gives_exact_silence(voice: VoiceModel, samples: int) -> None:
    assert not convert(voice, np.zeros(samples, np.float32)).any()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_sampler_and_seed(voice: VoiceModel, sampler: str) -> None:
    wave = speechlike(10_000)
    stream = StreamConfig(steps=3, sampler=sampler, seed=1)
    made = convert(voice, wave, stream=stream)
    plan = plan_for(voice, stream)
    np.testing.assert_allclose(convert(voice, wave, plan=plan), made, atol=1e-6)
    for other in (replace(stream, seed=2), replace(stream, steps=1)):
        assert np.abs(convert(voice, wave, stream=other) - made).max() > 1e-4


def test_an_unknown_sampler_lists_the_known(voice: VoiceModel) -> None:
    with pytest.raises(ConfigError, match='unknown sampler "lms"; known: ddim'):
        convert(voice, speechlike(5000), stream=StreamConfig(sampler="lms"))


def test_a_speaker_that_does_not_exist(voice: VoiceModel) -> None:
    with pytest.raises(ConfigError, match="speaker 9 does not exist"):
        convert(voice, speechlike(5000), VoiceParams(speakers=(0,) * 9 + (1,)))


@pytest.mark.parametrize("live", [False, True])
def test_nothing_to_convert(voice: VoiceModel, live: bool) -> None:
    plan = plan_for(voice, StreamConfig()) if live else None
    with pytest.raises(ConfigError, match="the wave has no samples"):
        convert(voice, np.zeros(0, np.float32), plan=plan)


def test_synthesise_is_aligned_with_its_conditions(voice: VoiceModel) -> None:
    """The gate opens with frame 20, faded in over that frame, which lies half a hop early."""
    conditions = toy_conditions(40)
    conditions.loudness[:, :20] = -100.0
    wave = synthesise(voice, conditions, VoiceParams())
    assert wave.shape == (1, 40 * HOP)
    first = int(torch.nonzero(wave[0])[0])
    assert 20 * HOP - voice.vocoder.latency <= first < 20 * HOP


def test_the_plan_counts_lookahead_and_vocoder(voice: VoiceModel) -> None:
    plan = plan_for(voice, StreamConfig(block_frames=4))
    assert plan.latency == plan.lookahead + voice.vocoder.latency
    assert plan.lookahead >= voice.encoder.lookahead()
    assert plan.block == 4 * HOP


@pytest.mark.parametrize(
    ("stream", "samples"),
    [(StreamConfig(), 7.5 * 512), (LOW_LATENCY, 4.5 * 512)],
    ids=["default", "low-latency"],
)
def test_what_a_voice_of_the_default_config_declares(stream: StreamConfig, samples: float) -> None:
    plan = plan_for(VoiceModel(VoiceConfig()), stream)
    assert plan.algorithmic_latency == samples
    assert plan.milliseconds(plan.algorithmic_latency) <= (60 if stream == LOW_LATENCY else 90)


@pytest.mark.parametrize("lookahead", [0, 1, 14])
def test_another_lookahead_is_live_what_it_is_offline(voice: VoiceModel, lookahead: int) -> None:
    wave, stream = speechlike(20_000), StreamConfig(2, lookahead_frames=lookahead)
    made = convert(voice, wave, stream=stream)
    np.testing.assert_allclose(convert(voice, wave, plan=plan_for(voice, stream)), made, atol=1e-6)
    assert np.abs(convert(voice, wave) - made).max() > 1e-4
