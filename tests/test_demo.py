"""`moksori demo`: the packaged recording through the live engine, on a real clock."""

from __future__ import annotations

import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import load_mono
from core.config import AudioConfig, F0Config
from core.f0 import f0_estimator
from core.voice import VOICES_FOLDER, read_config
from moksori import main

SOURCE = VOICES_FOLDER / "demo.flac"


@dataclass(frozen=True)
class Demo:
    folder: Path
    out: str
    err: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "heard"
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        assert main(["demo", "--output", str(folder)]) == 0
    return Demo(folder, out.getvalue(), err.getvalue())


def test_it_tells_what_the_engine_did(demo: Demo) -> None:
    lines = dict(re.findall(r"^(\S+(?: \S+)*) {2,}(.*)$", demo.out, re.MULTILINE))
    assert lines["voice"].startswith("embedded (kathleen)")
    assert re.fullmatch(r"\+\d\.\d semitones, automatic, at its end", lines["pitch shift"])
    assert float(lines["block"].split()[0]) <= 93
    assert float(lines["declared latency"].split()[0]) <= 160
    assert float(lines["real-time factor"]) > 0
    for stage in ("whole block", "f0", "content", "denoiser", "vocoder"):
        assert re.fullmatch(r"p50 [\d.]+  p95 [\d.]+  p99 [\d.]+ ms", lines[stage]), stage
    assert int(lines["underruns"]) >= 0
    assert lines["original"] == str(demo.folder / "original.wav")
    assert lines["converted"] == str(demo.folder / "converted.wav")
    assert demo.err.count("\n") in (1, 2)  # one more on a machine too busy for it


def test_the_original_is_the_packaged_recording(demo: Demo) -> None:
    original, rate = load_mono(demo.folder / "original.wav")
    packaged, same_rate = load_mono(SOURCE)
    assert rate == same_rate
    np.testing.assert_array_equal(original, packaged)
    heard = soundfile.info(demo.folder / "converted.wav")
    assert 0 < heard.duration - len(packaged) / rate < 0.5  # a listener waits for the latency


def test_the_converted_voice_has_the_pitch_of_its_target(demo: Demo) -> None:
    converted, _ = load_mono(demo.folder / "converted.wav", 44_100)
    target = read_config(VOICES_FOLDER / "embedded.safetensors").speakers[0].f0_median
    f0, voiced = f0_estimator(AudioConfig(), F0Config())(converted)
    assert 0.2 < voiced.mean() < 0.9
    semitones = 12 * np.log2(np.median(f0[voiced]) / target)
    assert abs(semitones) < 2
