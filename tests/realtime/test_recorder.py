"""Recordings: complete after stop, and after a crash all but their last moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.audio import load_mono
from core.errors import AudioFileError, VoiceChangerError
from realtime.recorder import Recorder, Recordings, salvage
from tests.command_line import ROOT

CRASH = """
import os, signal, sys, time
import numpy as np
from realtime.recorder import Recorder
recorder = Recorder(sys.argv[1], 44_100)
ramp = np.arange(60 * 1536, dtype=np.float32) / (60 * 1536)
for block in ramp.reshape(60, 1536):
    recorder.put(block)
while not recorder._queue.empty():
    time.sleep(0.01)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("extension", ["flac", "wav"])
def test_after_a_crash_the_next_recording_keeps_the_last(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"take [1].{extension}"
    done = subprocess.run([sys.executable, "-c", CRASH, str(path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    Recorder(path, 44_100).close()
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("take [1]-recovered-")
    wave, rate = load_mono(kept)
    assert rate == 44_100
    assert len(wave) >= 60 * 1536 - 2 * 4096  # what the encoder had not written yet: 0.2 s
    np.testing.assert_allclose(wave, np.arange(len(wave)) / (60 * 1536), atol=1e-4)


def test_what_another_session_is_writing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "take.flac"
    running = Recorder(path, 44_100)
    running.put(np.ones(100, np.float32))
    assert salvage(path) == []
    running.close()
    assert running.error is None
    assert [p.name for p in tmp_path.iterdir()] == ["take.flac"]


def test_what_cannot_be_read_stays(tmp_path: Path) -> None:
    part = tmp_path / f".take-{2**22 + 1}-abcd.part"
    part.write_bytes(b"no sound at all")
    assert salvage(tmp_path / "take.flac") == []
    assert [p.name for p in tmp_path.iterdir()] == [part.name]


def test_a_full_disk_ends_the_recording_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = Recordings(tmp_path / "out.flac", tmp_path / "in.flac", 44_100)

    def full(self: object, wave: object) -> None:
        raise AudioFileError("writing stopped (No space left on device); is the disk full?")

    monkeypatch.setattr("core.audio.AudioWriter._append", full)
    block = np.zeros(1536, np.float32)
    recordings.put(block, block)
    recordings.close()
    error = recordings.news()
    assert isinstance(error, VoiceChangerError)
    assert "disk full" in str(error)
    assert recordings.news() is None  # told once
    recordings.put(block, block)  # and the sound goes on
