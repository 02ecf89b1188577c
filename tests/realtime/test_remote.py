"""A session in a process of its own: the same verbs and results; each side outlives the other."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from core.audio import load_mono, save_audio
from core.config import VoiceParams
from core.errors import DeviceError, VoiceChangerError
from realtime.remote import Engine, RemoteSession
from realtime.session import SessionEvent
from realtime.sound import SoundParams
from realtime.stats import SessionState
from tests.command_line import ROOT
from tests.realtime import remote_sessions as there

PATIENCE = 60.0


@pytest.fixture(scope="module")
def warm() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


class Heard:
    """Events in order."""

    def __init__(self) -> None:
        self.events: queue.Queue[SessionEvent] = queue.Queue()

    def next(self, kind: str) -> SessionEvent:
        event = self.events.get(timeout=PATIENCE)
        assert event.kind == kind, event
        return event


def remote(engine: Engine, make: object) -> tuple[RemoteSession, Heard]:
    heard = Heard()
    return RemoteSession(engine, make, on_event=heard.events.put), heard  # type: ignore[arg-type]


def eventually(condition: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_comes_out_is_what_a_session_here_gives(warm: Engine, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, 20_000).astype(np.float32)
    source = tmp_path / "in.wav"
    save_audio(source, noise, there.RATE)
    with there.files(source, tmp_path / "here.wav") as here:
        here.wait()
    session, heard = remote(warm, partial(there.files, source, tmp_path / "there.wav"))
    session.start()
    assert session.wait(PATIENCE)
    session.stop()
    for kind in ("started", "finished", "stopped"):
        heard.next(kind)
    assert session.error is None
    assert session.state is SessionState.IDLE
    assert session.stats.blocks == here.stats.blocks > 0
    assert session.stats.latency == here.stats.latency
    ours, theirs = (load_mono(tmp_path / name)[0] for name in ("here.wav", "there.wav"))
    np.testing.assert_array_equal(ours, theirs)


def test_knobs_and_voices_change_while_it_runs(warm: Engine) -> None:
    session, heard = remote(warm, there.endless)
    with session:
        heard.next("started")
        assert session.state is SessionState.RUNNING
        eventually(lambda: session.stats.blocks > 2)
        session.params = VoiceParams(pitch_shift=3.0)
        session.sound = SoundParams(mode="mute")
        eventually(lambda: session.ask(there.shift_of) == 3.0)
        assert session.ask(there.mode_of) == "mute"
        session.switch(there.Higher)
        heard.next("switched")
        assert session.params.pitch_shift == session.ask(there.shift_of) == 7.0
    heard.next("stopped")
    assert session.state is SessionState.IDLE
    session, heard = remote(warm, there.endless)  # the same engine once more
    with session:
        heard.next("started")


def test_a_recording_begins_and_ends_there(warm: Engine, tmp_path: Path) -> None:
    session, heard = remote(warm, there.endless)
    with session:
        heard.next("started")
        session.start_recording(tmp_path / "out.flac", tmp_path / "in.flac")
        goal = session.stats.blocks + 10
        eventually(lambda: session.stats.blocks > goal)
        with pytest.raises(VoiceChangerError, match="stop it before"):
            session.start_recording(tmp_path / "more.flac")
        session.stop_recording()
        lengths = [len(load_mono(tmp_path / name)[0]) for name in ("out.flac", "in.flac")]
        assert lengths[0] == lengths[1] > 0
        assert session.state is SessionState.RUNNING


def test_errors_there_are_raised_here_as_they_are(warm: Engine) -> None:
    session, _ = remote(warm, there.refusing)
    with pytest.raises(DeviceError, match="the microphone is in use"):
        session.start()
    assert session.state is SessionState.FAILED
    session, heard = remote(warm, there.failing)
    session.start()
    heard.next("started")
    assert isinstance(heard.next("failed").error, ZeroDivisionError)
    assert session.wait(PATIENCE)
    assert isinstance(session.error, ZeroDivisionError)
    with pytest.raises(VoiceChangerError, match="cannot leave the engine"):
        session.ask(there.unportable)
    session.stop()


def test_the_engine_crashes_and_the_window_goes_on() -> None:
    with Engine() as engine:
        session, heard = remote(engine, there.endless)
        session.start()
        heard.next("started")
        with pytest.raises(VoiceChangerError, match="exit code 3"):
            session.ask(there.die)
        assert "exit code 3" in str(heard.next("failed").error)
        assert session.state is SessionState.FAILED
        assert session.wait(0)
        session.params = VoiceParams()  # harmless
        session.stop()
        with pytest.raises(VoiceChangerError, match="start again"):
            session.start()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_the_window_is_killed_and_the_engine_ends() -> None:
    command = [sys.executable, "-m", "tests.realtime.remote_sessions"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        engine = int(window.stdout.readline())
        window.send_signal(signal.SIGKILL)
        window.wait(PATIENCE)
        eventually(lambda: _gone(engine))


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    try:  # where nobody reaps orphans it stays as a zombie
        return ") Z " in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
