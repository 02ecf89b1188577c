"""Several short files in one pass: what each alone would be, and one failure is one failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import load_mono
from core.config import F0Config, StreamConfig, VoiceParams
from core.errors import VoiceChangerError
from core.voice import VoiceModel
from offline.convert import Converted, convert_file
from offline.convert_together import Outcome, Pair, convert_group, grouped, side_by_side
from tests.toy import TOY, needs_pyworld, speechlike, toy_voice

SECONDS = (0.9, 0.02, 1.3, 0.5)
RATES = (16_000, 44_100, 48_000, 44_100)


@pytest.fixture(scope="module")
def voice() -> VoiceModel:
    return toy_voice()


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    found = []
    for i, (seconds, rate) in enumerate(zip(SECONDS, RATES, strict=True)):
        source = tmp_path / f"{i}.wav"
        soundfile.write(source, speechlike(round(seconds * rate), i, rate), rate, subtype="FLOAT")
        found.append((source, tmp_path / f"together-{i}.wav"))
    return found


def convert(voice: VoiceModel, pairs: list[Pair], **wishes: float | None) -> list[Outcome]:
    return convert_group(voice, pairs, VoiceParams(**wishes), StreamConfig())  # type: ignore[arg-type]


def same(voice: VoiceModel, pairs: list[Pair], **wishes: float | None) -> None:
    for source, target in pairs:
        alone = target.with_name(f"alone-{source.name}")
        convert_file(voice, source, alone, VoiceParams(**wishes), StreamConfig())  # type: ignore[arg-type]
        one, both = load_mono(alone)[0], load_mono(target)[0]
        assert one.shape == both.shape
        np.testing.assert_allclose(both, one, atol=1e-4)


@pytest.mark.parametrize(
    "wishes",
    [{}, {"pitch_shift": 3.0, "level_shift": 0.0, "gain_db": -6.0}],
    ids=["automatic", "fixed"],
)
def test_each_is_what_it_would_be_alone(
    voice: VoiceModel, pairs: list[Pair], wishes: dict[str, float]
) -> None:
    for outcome in convert(voice, pairs, **wishes):
        assert isinstance(outcome[2], Converted)
    same(voice, pairs, **wishes)


def test_a_denoiser_that_looks_ahead(pairs: list[Pair]) -> None:
    voice = toy_voice(denoiser=replace(TOY.denoiser, causal=False))
    convert(voice, pairs, formant=2.0)
    same(voice, pairs, formant=2.0)


def test_threads_change_nothing(voice: VoiceModel, pairs: list[Pair]) -> None:
    groups = grouped(pairs, lanes=2)
    assert [len(group) for group in groups] == [2, 2]
    told = list(side_by_side(lambda group: convert(voice, list(group)), groups))
    assert sorted(source for source, _, _ in told) == [source for source, _ in pairs]
    same(voice, pairs)


def test_a_failure_is_one_failure(voice: VoiceModel, pairs: list[Pair], tmp_path: Path) -> None:
    broken = (tmp_path / "broken.wav", tmp_path / "no.wav")
    broken[0].write_bytes(b"RIFF")
    nowhere = (pairs[0][0], tmp_path / "absent" / "no.wav")
    told = convert(voice, [*pairs, broken, nowhere])
    failed = {target for _, target, what in told if isinstance(what, VoiceChangerError)}
    assert failed == {broken[1], nowhere[1]}
    assert len(told) == len(pairs) + 2
    same(voice, pairs)


def test_parts_that_stream_in_windows_are_left_alone(pairs: list[Pair]) -> None:
    needs_pyworld()
    voice = toy_voice(f0=F0Config(estimator="dio"))
    convert(voice, pairs)
    same(voice, pairs)


def test_too_little_memory_means_one_by_one(
    voice: VoiceModel, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("offline.convert_together._say", full)
    convert(voice, pairs)
    same(voice, pairs)


def test_groups(pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(31 * 8000, np.float32), 8000)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"")
    others = [(long, tmp_path / "a"), (broken, tmp_path / "b")]
    assert grouped([*pairs, *others]) == [[others[0]], pairs, [others[1]]]  # the longest first
    monkeypatch.setattr("offline.convert_together.free_bytes", lambda device: 1)
    assert [len(group) for group in grouped(pairs)] == [1, 1, 1, 1]
