"""Live equals offline: plumbing error, latency, flush, reset, silence, knobs, bad blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config, StreamConfig, VoiceParams
from core.diffusion.samplers import evaluations
from core.errors import ConfigError
from core.pipeline import convert
from core.speakers import RAMP_FRAMES
from core.streaming.converter import StreamingConverter
from core.streaming.meter import StageMeter
from core.voice import VoiceModel
from tests.toy import BLOCKS, TOY, cut, needs_pyworld, speechlike, toy_voice

HOP, FRAMES = TOY.audio.hop_length, 88
SECOND = (0.0, 1.0)
Wave = NDArray[np.float32]


@pytest.fixture(scope="module")
def voice() -> VoiceModel:
    return toy_voice()


def converter_for(voice: VoiceModel, block: int = 4, **params: Any) -> StreamingConverter:
    return StreamingConverter(voice, StreamConfig(block_frames=block), VoiceParams(**params))


def push_all(converter: StreamingConverter, wave: Wave, sizes: tuple[int, ...]) -> Wave:
    """Everything pushed and the rest flushed; each push gives what it takes."""
    parts, at = [], 0
    for size in cut(len(wave) // HOP, sizes):
        parts.append(converter.push(wave[at * HOP : (at + size) * HOP]))
        assert parts[-1].shape == (size * HOP,)
        assert parts[-1].dtype == np.float32
        at += size
    rest = converter.flush()
    assert rest.shape == (converter.latency,)
    return np.concatenate([*parts, rest])


def relative(a: Wave, b: Wave) -> float:
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.fixture(scope="module")
def looking_ahead() -> VoiceModel:
    return toy_voice(denoiser=replace(TOY.denoiser, causal=False))


@pytest.fixture(params=["voice", "looking_ahead"])
def any_voice(request: pytest.FixtureRequest) -> VoiceModel:
    found: VoiceModel = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("blocks", BLOCKS)
def test_plumbing_error(any_voice: VoiceModel, blocks: str) -> None:
    voice, wave = any_voice, speechlike(FRAMES * HOP)
    converter = converter_for(
        voice, BLOCKS[blocks][0], pitch_shift=3.0, dry_mix=0.1, speakers=SECOND
    )
    streamed = push_all(converter, wave, BLOCKS[blocks])
    offline = convert(voice, wave, converter.params, converter.plan)
    assert relative(streamed[converter.latency :], offline) < 1e-5
    assert np.abs(offline).max() > 0.01


@pytest.mark.parametrize("blocks", BLOCKS)
def test_plumbing_error_of_a_mix_with_an_automatic_shift(
    any_voice: VoiceModel, blocks: str
) -> None:
    voice, wave = any_voice, speechlike(FRAMES * HOP)
    converter = converter_for(voice, BLOCKS[blocks][0], speakers=(0.6, 0.4), formant=2.0)
    streamed = push_all(converter, wave, BLOCKS[blocks])
    offline = convert(voice, wave, converter.params, converter.plan)
    assert relative(streamed[converter.latency :], offline) < 1e-5


@pytest.mark.parametrize("blocks", BLOCKS)
def test_plumbing_error_of_a_sharper_speaker(blocks: str) -> None:
    """The postfilter streams, and is heard of the speakers that want it."""
    low, high = TOY.speakers
    voice, wave = toy_voice(speakers=(low, replace(high, sharpness=0.5))), speechlike(FRAMES * HOP)
    converter = converter_for(voice, BLOCKS[blocks][0], speakers=SECOND)
    streamed = push_all(converter, wave, BLOCKS[blocks])
    offline = convert(voice, wave, converter.params, converter.plan)
    assert relative(streamed[converter.latency :], offline) < 1e-5
    plain = toy_voice()
    assert relative(offline, convert(plain, wave, converter.params, converter.plan)) > 0.01
    first = VoiceParams()
    np.testing.assert_array_equal(convert(voice, wave, first), convert(plain, wave, first))


def test_a_target_takes_its_share_of_the_retrieval() -> None:
    """Half a share of twice as much is the same, and of none nothing is drawn."""
    low, high = TOY.speakers
    wave = speechlike(FRAMES * HOP)

    def said(share: float, retrieval: float) -> NDArray[np.float32]:
        voice = toy_voice(speakers=(replace(low, retrieval_share=share), high))
        voice.bank.units.normal_(generator=torch.Generator().manual_seed(3))
        return convert(voice, wave, VoiceParams(retrieval=retrieval))

    whole = said(1.0, 0.4)
    assert relative(said(0.5, 0.8), whole) < 1e-5
    assert relative(said(1.0, 0.0), whole) > 1e-3
    np.testing.assert_array_equal(said(0.0, 0.4), said(1.0, 0.0))


@pytest.mark.parametrize("block", [1, 4, 11])
def test_plumbing_error_with_a_windowed_f0(block: int) -> None:
    needs_pyworld()
    voice = toy_voice(f0=F0Config(estimator="dio"))
    wave = speechlike(FRAMES * HOP)
    converter = converter_for(voice, block)
    streamed = push_all(converter, wave, (block,))
    offline = convert(voice, wave, plan=converter.plan)
    assert relative(streamed[converter.latency :], offline) < 1e-5
    again = push_all(converter, wave, (block,))
    np.testing.assert_array_equal(again, streamed)


@pytest.mark.parametrize(
    ("rate", "hop", "content_n_fft", "vocoder_n_fft"),
    [(16_000, 160, 400, 480), (48_000, 480, 1024, 960), (22_050, 256, 512, 2048)],
)
def test_plumbing_error_on_other_grids(
    rate: int, hop: int, content_n_fft: int, vocoder_n_fft: int
) -> None:
    voice = toy_voice(
        audio=AudioConfig(rate, hop),
        content=replace(TOY.content, n_fft=content_n_fft),
        vocoder=replace(TOY.vocoder, n_fft=vocoder_n_fft),
        mel=replace(TOY.mel, f_max=rate / 3),
    )
    wave = speechlike(60 * hop, sample_rate=rate)
    converter = converter_for(voice, 3)
    parts = [converter.push(wave[at : at + 3 * hop]) for at in range(0, len(wave), 3 * hop)]
    streamed = np.concatenate([*parts, converter.flush()])[converter.latency :]
    assert relative(streamed, convert(voice, wave)) < 1e-5


@pytest.mark.parametrize("at", [0, 1, 700, 5 * HOP - 1])
@pytest.mark.parametrize("block", [1, 4])
def test_an_impulse_arrives_after_exactly_the_latency(
    any_voice: VoiceModel, block: int, at: int
) -> None:
    converter = converter_for(any_voice, block, dry_mix=1.0)
    wave = np.zeros(40 * HOP, np.float32)
    wave[at] = 1.0
    streamed = push_all(converter, wave, (block,))
    assert np.flatnonzero(np.abs(streamed) > 1e-6).tolist() == [at + converter.latency]
    assert streamed[at + converter.latency] == pytest.approx(1.0)


def test_looking_ahead_is_declared(voice: VoiceModel, looking_ahead: VoiceModel) -> None:
    """As many frames as the dilations reach, for each call of the sampler."""
    calls = evaluations(TOY.sampler, TOY.steps)
    waits = converter_for(looking_ahead).latency - converter_for(voice).latency
    assert waits == calls * sum(TOY.denoiser.dilations) * HOP


@pytest.mark.parametrize("block", [1, 4, 9])
def test_the_voice_arrives_after_the_latency(any_voice: VoiceModel, block: int) -> None:
    """The gate opens over the first loud frame, half a hop before it: the vocoder's overlap."""
    voice = any_voice
    converter = converter_for(voice, block)
    start = 20
    wave = speechlike(45 * HOP)
    wave[: start * HOP] = 0.0
    streamed = push_all(converter, wave, (block,))
    first = int(np.flatnonzero(streamed)[0])
    opens = start * HOP + converter.latency - voice.vocoder.latency
    assert opens <= first <= opens + 2


def test_flush_returns_to_the_start(voice: VoiceModel) -> None:
    wave = speechlike(20 * HOP)
    converter = converter_for(voice)
    first = push_all(converter, wave, (4,))
    assert first.shape == (len(wave) + converter.latency,)
    np.testing.assert_array_equal(push_all(converter, wave, (4,)), first)


def test_flush_before_any_push(voice: VoiceModel) -> None:
    converter = converter_for(voice)
    assert not converter.flush().any()


def test_reset_is_bit_identical(voice: VoiceModel) -> None:
    wave = speechlike(20 * HOP)
    converter = converter_for(voice)
    first = push_all(converter, wave, (4,))
    converter.push(wave[: 4 * HOP] * 3)
    converter.reset()
    np.testing.assert_array_equal(push_all(converter, wave, (4,)), first)


def test_two_converters_of_one_voice_do_not_meet(voice: VoiceModel) -> None:
    wave = speechlike(20 * HOP)
    alone = push_all(converter_for(voice), wave, (4,))
    one, other, parts = converter_for(voice), converter_for(voice, speakers=SECOND), []
    for at in range(0, len(wave), 4 * HOP):
        parts.append(one.push(wave[at : at + 4 * HOP]))
        other.push(wave[at : at + 4 * HOP][::-1].copy())
    np.testing.assert_array_equal(np.concatenate(parts), alone[: len(wave)])


def test_silence_in_is_exact_silence_out(voice: VoiceModel) -> None:
    converter = converter_for(voice, gain_db=40.0)
    silent = push_all(converter, np.zeros(40 * HOP, np.float32), (4,))
    assert not silent.any()
    wave = np.concatenate([speechlike(30 * HOP), np.zeros(60 * HOP, np.float32)])
    closed = push_all(converter, wave, (4,))
    assert closed[: 30 * HOP].any()
    assert not closed[-30 * HOP :].any()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((100,), r"block of shape \(100,\) is not a whole number of 512-sample frames; push 2048"),
        ((0,), r"block of shape \(0,\)"),
        ((1, 2048), r"block of shape \(1, 2048\)"),
        ((2049,), "not a whole number of 512-sample frames"),
    ],
)
def test_a_wrong_block_is_refused(voice: VoiceModel, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        converter_for(voice).push(np.zeros(shape, np.float32))


def test_a_windowed_f0_takes_whole_blocks_only() -> None:
    needs_pyworld()
    converter = converter_for(toy_voice(f0=F0Config(estimator="dio")))
    with pytest.raises(ConfigError, match="not a whole number of 2048-sample blocks; push 2048"):
        converter.push(np.zeros(HOP, np.float32))
    assert converter.push(np.zeros(3 * converter.block, np.float32)).shape == (3 * 2048,)


def test_params_may_change_while_sound_runs(voice: VoiceModel) -> None:
    wave = speechlike(FRAMES * HOP)
    converter = converter_for(voice)
    knobs = [
        VoiceParams(),
        VoiceParams(pitch_shift=7.0, speakers=SECOND),
        VoiceParams(gate_db=0.0),
        VoiceParams(dry_mix=1.0, gain_db=-30.0),
    ]
    for i, at in enumerate(range(0, len(wave), converter.block)):
        converter.params = knobs[i % len(knobs)]
        out = converter.push(wave[at : at + converter.block])
        assert out.shape == (converter.block,)
        assert np.isfinite(out).all()
        if converter.params.dry_mix == 1.0:
            dry = wave[at - converter.latency : at - converter.latency + converter.block]
            np.testing.assert_allclose(out, dry, atol=1e-6)
    assert converter.flush().shape == (converter.latency,)


def switched(voice: VoiceModel, wave: Wave, before: VoiceParams, after: VoiceParams) -> Wave:
    """The wave with other params from the middle on."""
    converter = StreamingConverter(voice, StreamConfig(block_frames=4), before)
    middle = len(wave) // 2 // converter.block * converter.block
    parts = []
    for at in range(0, len(wave), converter.block):
        if at == middle:
            converter.params = after
        parts.append(converter.push(wave[at : at + converter.block]))
    return np.concatenate([*parts, converter.flush()])


@pytest.mark.parametrize("mix", [SECOND, (0.3, 0.7)], ids=["another", "a mix"])
def test_speakers_change_without_a_gap(voice: VoiceModel, mix: tuple[float, ...]) -> None:
    """Up to the switch all is the first's; after the ramp and what the networks remember, all is
    what it would be had the other spoken from the start. Between them nothing jumps.
    """
    wave = speechlike(200 * HOP)
    wave += 0.1 * np.sin(np.arange(len(wave)) * 2 * np.pi * 150 / 44_100).astype(np.float32)
    one, other = VoiceParams(pitch_shift=2.0), VoiceParams(pitch_shift=2.0, speakers=mix)
    switch, first, second = made = tuple(
        switched(voice, wave, *pair) for pair in ((one, other), (one, one), (other, other))
    )
    plan = converter_for(voice).plan
    assert len(switch) == len(wave) + plan.latency
    # what a push changes is heard where its frames are, before the overlap of the vocoder
    at = 100 * HOP + plan.lookahead - plan.lookahead_frames * HOP
    np.testing.assert_array_equal(switch[:at], first[:at])
    remembered = (RAMP_FRAMES + 40) * HOP + plan.latency  # the toy's networks: 3 x 3 layers
    np.testing.assert_allclose(switch[at + remembered :], second[at + remembered :], atol=1e-6)
    assert np.abs(first[at + remembered :] - second[at + remembered :]).max() > 1e-3
    during = slice(at, at + remembered)
    plain = max(np.abs(np.diff(w[during])).max() for w in (first, second))
    assert np.abs(np.diff(switch[during])).max() < 1.5 * plain
    quietest = [np.abs(w[during][: 40 * HOP]).reshape(40, HOP).max(1).min() for w in made]
    assert quietest[0] > 0.5 * min(quietest[1:])


def test_the_pitch_follows_when_the_speaker_changes(voice: VoiceModel) -> None:
    """From a target of 110 Hz to one of 220 Hz."""
    wave = speechlike(200 * HOP)
    converter = converter_for(voice)
    seen = []
    for at in range(0, len(wave), converter.block):
        if at == 100 * HOP:
            converter.params = VoiceParams(speakers=SECOND)
        converter.push(wave[at : at + converter.block])
        seen.append(converter.pitch_shift)
    assert seen[26 + 8] - seen[24] == pytest.approx(12, abs=1)


def test_input_is_left_as_it_was_and_output_is_ones_own(voice: VoiceModel) -> None:
    converter = converter_for(voice, dry_mix=0.5)
    wave = speechlike(4 * HOP)
    before = wave.copy()
    out = converter.push(wave)
    out[:] = 9.0
    np.testing.assert_array_equal(wave, before)
    assert np.abs(push_all(converter, wave, (4,))).max() < 9


def test_loud_and_broken_input_stays_finite(voice: VoiceModel) -> None:
    wave = np.sign(speechlike(20 * HOP)).astype(np.float32)
    assert np.isfinite(push_all(converter_for(voice), wave, (4,))).all()


def test_the_meter_changes_nothing_but_counts(voice: VoiceModel) -> None:
    wave = speechlike(8 * HOP)
    meter, plain = StageMeter(converter_for(voice)), converter_for(voice)
    assert (meter.block, meter.latency, meter.sample_rate) == (4 * HOP, plain.latency, 44_100)
    for at in range(0, len(wave), meter.block):
        block = wave[at : at + meter.block]
        np.testing.assert_array_equal(meter.push(block), plain.push(block))
    assert set(meter.quantiles()) == {"block", "f0", "content", "denoiser", "vocoder"}
    assert len(meter.stages["block"]) == 2
    p50, p95, p99 = meter.quantiles()["block"]
    assert 0 < p50 <= p95 <= p99
    meter.params = VoiceParams(speakers=SECOND)
    assert meter.params.speakers == SECOND
    meter.reset()
    assert not meter.stages


def test_steps_may_change_between_pushes() -> None:
    """One step from the start is what fewer steps give later on; the sound stays whole."""
    wave = speechlike(80 * 512)
    one = StreamingConverter(toy_voice(), StreamConfig(block_frames=4, steps=1))
    changed = StreamingConverter(toy_voice(), StreamConfig(block_frames=4, steps=4))
    made = []
    for number, at in enumerate(range(0, len(wave), one.block)):
        if number == 5:
            changed.steps = 1
        block = wave[at : at + one.block]
        made.append((one.push(block), changed.push(block)))
    assert changed.steps == 1
    assert not np.array_equal(*made[4])
    late = np.concatenate([np.stack(pair) for pair in made[14:]], axis=1)
    np.testing.assert_allclose(late[0], late[1], atol=1e-3)
    assert all(np.isfinite(pair).all() for pair in made)
