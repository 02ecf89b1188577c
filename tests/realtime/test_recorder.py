"""Recordings: complete after stop, and after a crash all but their last moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.audio import load_mono
from core.errors import AudioFileError, ConfigError, VoiceChangerError
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
    error = recordings.stop()
    assert isinstance(error, VoiceChangerError)
    assert "disk full" in str(error)
    assert recordings.news() is None  # told once
    recordings.put(block, block)  # and the sound goes on


BLOCK = np.full(1536, 0.25, np.float32)


def test_recordings_begin_and_end_while_sound_runs(tmp_path: Path) -> None:
    recordings = Recordings(None, None, 44_100)
    recordings.put(BLOCK, BLOCK)
    for name, blocks in (("a", 3), ("b", 2)):
        recordings.start(tmp_path / f"{name}.flac", tmp_path / f"{name}-in.flac")
        with pytest.raises(VoiceChangerError, match="stop it before"):
            recordings.start(tmp_path / "c.flac", None)
        for _ in range(blocks):
            recordings.put(BLOCK, 2 * BLOCK)
        assert recordings.stop() is None
        recordings.put(BLOCK, BLOCK)
        made, heard = (load_mono(tmp_path / f"{name}{end}.flac")[0] for end in ("", "-in"))
        np.testing.assert_allclose(made, np.full(blocks * 1536, 0.5), atol=1e-4)
        np.testing.assert_allclose(heard, np.full(blocks * 1536, 0.25), atol=1e-4)
    assert recordings.stop() is None  # harmless


def test_a_second_file_that_cannot_be_made_leaves_no_first(tmp_path: Path) -> None:
    recordings = Recordings(None, None, 44_100)
    with pytest.raises(AudioFileError, match="does not exist"):
        recordings.start(tmp_path / "a.flac", tmp_path / "no" / "b.flac")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="two names"):
        recordings.start(tmp_path / "a.flac", tmp_path / "a.flac")
    with pytest.raises(ConfigError, match="needs a file"):
        recordings.start(None, None)
    recordings.start(tmp_path / "a.flac", None)
    recordings.put(BLOCK, BLOCK)
    assert recordings.stop() is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]
