"""The plan: lengths add up, windows commit each frame once, misfits are named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from core.config import AudioConfig, ContentConfig, StreamConfig
from core.errors import ConfigError
from core.streaming.plan import (
    StreamPlan,
    block_frames_from_ms,
    block_frames_from_samples,
    delay_from_ms,
)
from core.streaming.window import SlidingWindow

HOP = 10
AUDIO = AudioConfig(sample_rate=1000, hop_length=HOP)


def make_plan(block_frames: int, context_frames: int, analysis_lookahead: int) -> StreamPlan:
    stream = StreamConfig(block_frames=block_frames, context_frames=context_frames)
    return StreamPlan(AUDIO, stream, analysis_lookahead=analysis_lookahead, vocoder_latency=5)


def test_lengths_of_the_embedded_voice() -> None:
    """Three frames of content lookahead, a 1024-sample front end, a 1024-sample overlap-add."""
    plan = StreamPlan(AudioConfig(), StreamConfig(), 3 * 512 + (1024 - 512) // 2, (1024 - 512) // 2)
    assert (plan.block, plan.context, plan.lookahead) == (1536, 12_288, 2048)
    assert plan.window == plan.context + plan.block + plan.lookahead
    assert (plan.crossfade, plan.search) == (0, 0)
    assert plan.latency == 2048 + 256
    assert plan.algorithmic_latency == 1536 + 2048 + 256
    assert plan.milliseconds(plan.algorithmic_latency) == pytest.approx(87.1, abs=0.05)


def test_a_splice_costs_its_crossfade_and_its_search() -> None:
    exact = StreamPlan(AUDIO, StreamConfig(), 20, 3)
    spliced = StreamPlan(AUDIO, StreamConfig(), 20, 3, streams_exactly=False)
    assert spliced.crossfade == 2 * HOP
    assert spliced.search == HOP
    assert spliced.latency == exact.latency + spliced.crossfade + spliced.search
    short = StreamPlan(AUDIO, StreamConfig(block_frames=1), streams_exactly=False)
    assert short.crossfade == short.block == HOP


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (9, 1), (10, 1), (11, 2)])
def test_lookahead_is_whole_frames(samples: int, frames: int) -> None:
    assert make_plan(4, 8, samples).lookahead_frames == frames


@pytest.mark.parametrize("n", [0, 1, 2, 5, 37, 64])
@pytest.mark.parametrize("lookahead", [0, 1, 15, 40, 130])
@pytest.mark.parametrize("block_frames", [1, 2, 5, 37])
def test_windows_commit_each_frame_once(block_frames: int, lookahead: int, n: int) -> None:
    plan = make_plan(block_frames, 6, lookahead)
    windows = list(plan.windows(n))
    committed = [f for w in windows for f in range(w.commit_start, w.commit_stop)]
    assert committed == list(range(n))
    for window in windows:
        assert window.stop - window.start == plan.window_frames
        assert window.stop % block_frames == 0  # a push ends there
        assert window.start + plan.context_frames <= window.commit_start < window.commit_stop
        assert window.commit_stop <= window.stop - plan.lookahead_frames


@pytest.mark.parametrize("lookahead", [0, 15, 40, 130])
@pytest.mark.parametrize("block_frames", [1, 2, 5, 37])
def test_windows_are_those_of_a_live_run(block_frames: int, lookahead: int) -> None:
    plan = make_plan(block_frames, 6, lookahead)
    n = 64
    signal = np.arange(1, n * HOP + 1, dtype=np.float32)
    edge = np.zeros(plan.window + plan.block, np.float32)
    padded = np.concatenate([edge, signal, edge, edge])
    live = SlidingWindow(plan.context, plan.block, plan.lookahead)
    expected = list(plan.windows(n))
    seen = []
    stream = np.concatenate([signal, edge, edge])
    for push in range(len(stream) // plan.block):
        view = live.push(stream[push * plan.block : (push + 1) * plan.block])
        first = live.start // HOP + plan.context_frames
        commit_start, commit_stop = max(0, first), min(n, first + block_frames)
        if commit_stop > commit_start:
            window = expected[len(seen)]
            seen.append((live.start // HOP, commit_start, commit_stop))
            assert seen[-1] == (window.start, window.commit_start, window.commit_stop)
            replay = padded[len(edge) + window.start * HOP : len(edge) + window.stop * HOP]
            np.testing.assert_array_equal(view, replay)
    assert len(seen) == len(expected)


def test_latency_is_when_the_last_sample_of_a_frame_can_be_known() -> None:
    """At each push the committed frames, less the vocoder's tail, are what the output needs."""
    plan = make_plan(4, 8, 15)
    for window in plan.windows(100):
        if window.commit_stop < 100:
            known = window.commit_stop * HOP - plan.vocoder_latency
            assert known == window.stop * HOP - plan.latency


@pytest.mark.parametrize("name", ["analysis_lookahead", "vocoder_latency", "analysis_context"])
def test_negative_lengths(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        StreamPlan(AUDIO, StreamConfig(), **{name: -1})


def test_a_context_too_short_names_one_that_fits() -> None:
    with pytest.raises(ConfigError, match="use 3 or more"):
        StreamPlan(AUDIO, StreamConfig(context_frames=2), analysis_context=21)


@pytest.mark.parametrize(
    ("samples", "choices"),
    [(1000, "try 512 or 1024"), (300, "try 512"), (0, "try 512"), (-5, "try")],
)
def test_a_block_of_no_whole_frames_names_the_nearest(samples: int, choices: str) -> None:
    with pytest.raises(ConfigError, match=f"block of {samples} samples is not a whole .*{choices}"):
        block_frames_from_samples(AudioConfig(), samples)


def test_block_from_samples() -> None:
    assert block_frames_from_samples(AudioConfig(), 2048) == 4


@pytest.mark.parametrize(
    ("milliseconds", "frames"), [(0.1, 1), (11.6, 1), (17.0, 1), (18.0, 2), (46.4, 4), (93.0, 8)]
)
def test_block_from_milliseconds(milliseconds: float, frames: int) -> None:
    assert block_frames_from_ms(AudioConfig(), milliseconds) == frames


@pytest.mark.parametrize("milliseconds", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_milliseconds(milliseconds: float) -> None:
    with pytest.raises(ConfigError, match="longer than 0 ms"):
        block_frames_from_ms(AudioConfig(), milliseconds)


@pytest.mark.parametrize(
    ("milliseconds", "frames"), [(0.0, 0), (5.0, 0), (15.0, 1), (46.4, 4), (60.0, 4), (9999.0, 14)]
)
def test_lookahead_from_milliseconds_is_one_that_was_trained(
    milliseconds: float, frames: int
) -> None:
    assert delay_from_ms(AudioConfig(), ContentConfig(), milliseconds) == frames


@pytest.mark.parametrize("milliseconds", [-1.0, float("nan"), float("inf")])
def test_impossible_lookahead(milliseconds: float) -> None:
    with pytest.raises(ConfigError, match="lookahead must be 0 ms or more"):
        delay_from_ms(AudioConfig(), ContentConfig(), milliseconds)


def test_needs_no_torch() -> None:
    code = "import sys, core.streaming.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
