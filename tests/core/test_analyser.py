"""The analyser: the right frames, and live the same as whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.config import F0Config, StreamConfig
from core.errors import ConfigError
from core.features import Conditions
from core.pipeline import plan_for
from core.streaming.plan import StreamPlan
from core.voice import VoiceModel
from tests.toy import BLOCKS, TOY, cut, needs_pyworld, speechlike, toy_voice

HOP, FRAMES = TOY.audio.hop_length, 88
WINDOWED = F0Config(estimator="dio")


def stream(
    voice: VoiceModel, wave: np.typing.NDArray[np.float32], sizes: tuple[int, ...], plan: StreamPlan
) -> list[Conditions]:
    live, parts, at = voice.analyser.stream(plan), [], 0
    for size in cut(len(wave) // HOP, sizes):
        committed = live.push(wave[at * HOP : (at + size) * HOP])
        at += size
        if committed is not None:
            parts.append(committed)
        assert sum(part.frames for part in parts) == max(at - plan.lookahead_frames, 0)
    return parts


def assert_same(parts: list[Conditions], whole: Conditions) -> None:
    n = sum(part.frames for part in parts)
    assert n > 0
    for name in ("units", "f0", "voiced", "loudness", "brightness"):
        joined = torch.cat([getattr(part, name) for part in parts], -1)
        wanted = getattr(whole, name)[..., :n]
        torch.testing.assert_close(joined, wanted, rtol=1e-5, atol=1e-4, msg=name)


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 9000])
@pytest.mark.parametrize("live", [False, True])
def test_frames_cover_any_length(samples: int, live: bool) -> None:
    voice = toy_voice()
    plan = plan_for(voice, StreamConfig()) if live else None
    found = voice.analyser(speechlike(samples), plan)
    frames = TOY.audio.frames(samples)
    assert found.frames == found.voiced.shape[1] == found.loudness.shape[1] == frames
    assert found.units.shape == (1, TOY.content.dim, frames)
    assert found.speaker.tolist() == [[[1.0] * frames, [0.0] * frames]]


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("lookahead", [None, 14, 4, 1, 0])
def test_stream_equals_the_whole(blocks: str, lookahead: int | None) -> None:
    voice, wave = toy_voice(), speechlike(FRAMES * HOP)
    plan = plan_for(voice, StreamConfig(BLOCKS[blocks][0], lookahead_frames=lookahead))
    whole = voice.analyser(wave, lookahead_frames=lookahead)
    assert 0.1 < float(whole.voiced.float().mean()) < 0.9
    assert_same(stream(voice, wave, BLOCKS[blocks], plan), whole)


@pytest.mark.parametrize("block", [1, 4, 11])
def test_a_windowed_estimator_hears_the_same_windows(block: int) -> None:
    needs_pyworld()
    voice, wave = toy_voice(f0=WINDOWED), speechlike(FRAMES * HOP)
    plan = plan_for(voice, StreamConfig(block_frames=block))
    assert_same(stream(voice, wave, (block,), plan), voice.analyser(wave, plan))


def test_reset_forgets() -> None:
    voice, wave = toy_voice(), speechlike(20 * HOP)
    live = voice.analyser.stream(plan_for(voice, StreamConfig()))
    first = live.push(wave)
    live.reset()
    again = live.push(wave)
    assert first is not None
    assert again is not None
    assert torch.equal(first.units, again.units)
    assert torch.equal(first.f0, again.f0)


def test_nothing_to_analyse() -> None:
    with pytest.raises(ConfigError, match="the wave has no samples"):
        toy_voice().analyser(np.zeros(0, np.float32))


@pytest.mark.parametrize("frames", [None, 14, 4, 1, 0])
def test_the_content_sets_the_lookahead_and_f0_waits_no_longer(frames: int | None) -> None:
    voice, stream = toy_voice(), StreamConfig(lookahead_frames=frames)
    lookahead = voice.analyser.lookahead(stream)
    assert lookahead.content == voice.encoder.lookahead(frames)
    plan = plan_for(voice, stream)
    assert lookahead.f0 <= plan.lookahead == TOY.audio.frames(lookahead.content) * HOP
    wave = speechlike(40 * HOP)
    assert_same([voice.analyser(wave, plan, frames)], voice.analyser(wave, None, frames))
