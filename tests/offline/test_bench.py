"""bench: the figures a user may hold us to, on a toy voice and a stand-in recording."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import torch

from core.config import F0Config, StreamConfig
from core.pipeline import plan_for
from core.voice import VoiceModel
from offline.bench import bench
from tests.toy import needs_pyworld, speechlike, toy_voice


@pytest.fixture(autouse=True)
def _recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    soundfile.write(tmp_path / "demo.flac", speechlike(44_100), 44_100)
    monkeypatch.setattr("offline.bench.VOICES_FOLDER", tmp_path)
    monkeypatch.setattr("offline.convert.OFFLINE_BLOCK_FRAMES", 16)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def figures_of(voice: VoiceModel) -> dict[str, float | int]:
    figures = bench(voice, StreamConfig())
    assert all(math.isfinite(value) for value in figures.values())
    return figures


def test_figures() -> None:
    voice = toy_voice()
    figures = figures_of(voice)
    plan = plan_for(voice, StreamConfig())
    assert figures["block_ms"] == pytest.approx(plan.milliseconds(3 * 512))
    assert figures["latency_ms"] == pytest.approx((plan.latency + plan.block) / 44.1)
    assert figures["plumbing_error"] < 1e-5
    assert figures["plumbing_error_mixed"] < 1e-5
    assert figures["window_error"] < 1e-5
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert {f"{stage}_ms" for stage in ("f0", "content", "denoiser", "vocoder")} <= set(figures)


def test_a_windowed_f0_has_a_window_error_but_none_of_plumbing() -> None:
    needs_pyworld()
    figures = figures_of(toy_voice(f0=F0Config(estimator="dio")))
    assert figures["plumbing_error"] < 1e-5
    assert "plumbing_error_mixed" not in figures
