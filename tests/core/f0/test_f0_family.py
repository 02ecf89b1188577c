"""The table of estimators: names, laziness, and the libraries behind it, whole and in windows."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from core.config import AudioConfig, F0Config
from core.errors import ConfigError
from core.f0 import F0_ESTIMATORS, f0_estimator
from core.f0.frames import DEFAULT_F0, hold

AUDIO = AudioConfig()
HOP, RATE = AUDIO.hop_length, AUDIO.sample_rate


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r'unknown f0 estimator "crepe"; known: .*yin'):
        f0_estimator(AUDIO, F0Config("crepe"))


def test_importing_the_family_loads_no_library() -> None:
    code = (
        "import sys, core.f0; "
        "print([m for m in ('torch', 'pyworld', 'librosa', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_default_is_known() -> None:
    assert F0Config().estimator in F0_ESTIMATORS


def test_swift_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    with pytest.raises(ConfigError, match="pip install swift-f0"):
        f0_estimator(AUDIO, F0Config("swift"))


def test_hold() -> None:
    f0 = np.array([0.0, 100.0, 0.0, 0.0, 200.0, 7.0])
    voiced = np.array([False, True, False, False, True, False])
    assert hold(f0, voiced).tolist() == [DEFAULT_F0, 100, 100, 100, 200, 200]
    assert hold(f0[2:4], voiced[2:4], 100.0).tolist() == [100, 100]
    assert len(hold(f0[:0], voiced[:0])) == 0


@pytest.mark.parametrize(
    "name", ["dio", "harvest", pytest.param("pyin", marks=pytest.mark.slow), "swift"]
)
def test_windowed_estimators(name: str) -> None:
    library = {"pyin": "librosa", "swift": "swift_f0"}.get(name, "pyworld")
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    estimator = f0_estimator(AUDIO, F0Config(name))
    n = np.arange(RATE * 3 // 4)
    wave = sum(0.2 / k * np.sin(2 * np.pi * 220 * k * n / RATE) for k in range(1, 9))
    wave = np.concatenate([wave, np.zeros(9000)]).astype(np.float32)
    f0, voiced = estimator(wave)
    assert len(f0) == AUDIO.frames(len(wave))
    assert voiced[10:50].all()
    assert not voiced[-4:].any()
    np.testing.assert_allclose(f0[10:50], 220, rtol=0.01)

    stream = estimator.stream(block_frames=8, context_frames=16)
    assert len(stream.push(wave[: stream.block + stream.lookahead - 1])[0]) == 0
    stream.reset()
    even = [stream.push(wave[at : at + 4096]) for at in range(0, len(wave), 4096)]
    even.append(stream.flush())
    odd = [stream.push(wave[at : at + 9999]) for at in range(0, len(wave), 9999)]
    odd.append(stream.flush())
    for k in (0, 1):
        streamed = np.concatenate([track[k] for track in even])
        assert len(streamed) == len(f0)
        np.testing.assert_array_equal(streamed, np.concatenate([track[k] for track in odd]))
    streamed = np.concatenate([track[0] for track in even])
    np.testing.assert_allclose(streamed[12:50], 220, rtol=0.01)
