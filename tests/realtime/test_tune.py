"""Tuning: the least latency that holds is chosen, kept, and used by the next start."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import VoiceChangerError
from realtime.settings import Tuned, load_tuned, store_tuned
from realtime.tune import LEAST_BLOCKS, Candidate, choose, measure, thread_counts
from tests.command_line import Moksori
from tests.doubles import Delay
from tests.sound_card import FalseSoundDevice

TUNED = Tuned("embedded", 6, 2, 69.7, 20.0, 200.0)


def candidate(block_ms: float, p99_ms: float, threads: int = 1) -> Candidate:
    return Candidate(1, threads, block_ms, 2 * block_ms + 40, p99_ms / 2, p99_ms)


def test_the_least_latency_that_holds_is_chosen() -> None:
    found = [candidate(10, 7), candidate(20, 12), candidate(20, 8, 2), candidate(40, 1)]
    assert [c.holds for c in found] == [False, True, True, True]
    assert choose(found) == found[2]
    with pytest.raises(VoiceChangerError, match="too slow"):
        choose(found[:1])


def test_every_candidate_is_measured() -> None:
    made = []

    def make(block_frames: int, threads: int) -> Delay:
        made.append((block_frames, threads))
        return Delay(100, 48_000, 480 * block_frames)

    found = measure(make, np.zeros(5000, np.float32), [1, 2], 0.0, (1, 4))
    assert made == [(1, 1), (4, 1), (1, 2), (4, 2)]
    assert [round(c.block_ms) for c in found] == [10, 40, 10, 40]
    assert found[0].latency_ms == pytest.approx(20 + 100 / 48)
    assert all(0 < c.p50_ms <= c.p99_ms for c in found)
    assert LEAST_BLOCKS > 1
    assert thread_counts()[0] == 1


def test_what_was_found_is_kept_for_each_voice(settings: Path) -> None:
    assert load_tuned("embedded") is None
    store_tuned(TUNED)
    store_tuned(replace(TUNED, voice="other", threads=1))
    assert load_tuned("embedded") == TUNED
    assert load_tuned("third") is None
    assert [p.name for p in settings.parent.iterdir()] == ["settings.json"]


def test_live_starts_as_tuned_unless_told_otherwise(
    moksori: Moksori, card: FalseSoundDevice
) -> None:
    store_tuned(TUNED)
    figures = moksori("live", "--seconds", 0.2, "--json").lines[-1]
    assert figures["block_ms"] == pytest.approx(69.7, abs=0.1)
    figures = moksori("live", "--seconds", 0.2, "--json", "--block-ms", 35).lines[-1]
    assert figures["block_ms"] == pytest.approx(34.8, abs=0.1)


def test_the_command_stores_what_it_says(
    moksori: Moksori, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.tune.BLOCK_FRAMES", (30,))
    monkeypatch.setattr("realtime.tune.LEAST_BLOCKS", 2)
    monkeypatch.setattr("realtime.tune.measure.__defaults__", (20.0, (30,)))
    monkeypatch.setattr("realtime.tune.SHARE", 100.0)  # a loaded machine may be slow
    said = moksori("tune", "--seconds", 0.1, "--json")
    assert said.code == 0
    assert str(settings) in said.err
    tuned = load_tuned("embedded")
    assert tuned is not None
    assert tuned.block_frames == 30
    assert json.loads(settings.read_text())["tuned"]["embedded"]["threads"] in thread_counts()
