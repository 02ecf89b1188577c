"""Loss and return on real PulseAudio and PipeWire, which the tests start, kill, start again."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import load_mono, save_audio
from core.config import AudioConfig, F0Config
from core.f0 import f0_estimator
from tests.command_line import DEMO, ROOT
from tests.pipewire_server import pipewire_server
from tests.pulse_server import PATIENCE, PulseServer, pulse_server

BACK_SECONDS = 2.0


class Told:
    """A running `pulse_session` and the lines it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def next(self, event: str) -> dict[str, Any]:
        """The next line of this event. A starved machine may lose its device in between as well."""
        while (line := self._lines.get(timeout=PATIENCE))["event"] != event:
            assert line["event"] in ("lost", "resumed", "stats"), line
        return line

    def stats(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.next("stats")

    def running(self, blocks: int) -> dict[str, Any]:
        """The stats once so many more blocks have been played."""
        goal = self.stats()["blocks"] + blocks
        deadline = time.monotonic() + PATIENCE
        while (stats := self.stats())["blocks"] < goal:
            assert time.monotonic() < deadline, stats
            time.sleep(0.05)
        return stats


@contextmanager
def session(server: PulseServer, *monitor: str) -> Iterator[Told]:
    """monitor: a third device."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.realtime.pulse_session", *monitor],
        cwd=ROOT,
        env=server.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        told = Told(process)
        try:
            told.next("started")
            yield told
            assert process.stdin is not None
            process.stdin.close()
            told.next("stopped")
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.fixture(params=[pulse_server, pipewire_server], ids=["pulseaudio", "pipewire"])
def server(request: pytest.FixtureRequest) -> Iterator[PulseServer]:
    with request.param() as server:
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_the_server_is_killed_and_started_again(server: PulseServer, times: int) -> None:
    """Each time the session is running again by itself; the median takes less than two seconds."""
    waits = []
    with session(server) as told:
        for count in range(1, times + 1):
            told.running(5)
            server.kill()
            told.next("lost")
            server.start()
            began = time.monotonic()
            waits.append(told.next("resumed")["time"] - began)
            assert told.running(5)["reopened"] >= count
    print("seconds from the server's answer to sound:", *(f"{wait:.2f}" for wait in waits))
    assert sorted(waits)[times // 2] < BACK_SECONDS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_microphone_is_unplugged_and_comes_back(server: PulseServer, times: int) -> None:
    """Its module is unloaded, and with it all devices, while the server runs. PulseAudio's streams
    are gone with them; PipeWire's go on with a dummy, and come back by themselves.
    """
    with session(server) as told:
        for _ in range(times):
            told.running(5)
            for module in ("module-remap-source", "module-null-sink"):
                server.pactl("unload-module", module)
            if server.has_dummy:
                told.running(20)
            else:
                told.next("lost")
            for name in ("speaker", "room"):
                server.pactl("load-module", "module-null-sink", f"sink_name={name}")
            server.pactl(
                "load-module", "module-remap-source", "source_name=mic", "master=room.monitor"
            )
            if not server.has_dummy:
                told.next("resumed")
        assert told.running(5)["reopened"] >= (0 if server.has_dummy else times)


def test_another_default_source_is_heard_without_a_break(server: PulseServer) -> None:
    """Only the source is unloaded: the server moves the stream, and the session goes on."""
    with session(server) as told:
        told.running(5)
        server.pactl("unload-module", "module-remap-source")
        told.running(20)


def streams(server: PulseServer) -> dict[str, str]:
    """The device's number of each of the session's streams: `source` and `sink`."""
    found = {}
    for side, kind in (("source", "source-outputs"), ("sink", "sink-inputs")):
        table = json.loads(server.pactl("--format=json", "list", kind))
        own = [e for e in table if "moksori" in str(e) or "ython" in str(e) or "ALSA" in str(e)]
        found[side] = str(own[-1][side]) if own else ""
    return found


def number(server: PulseServer, kind: str, name: str) -> str:
    rows = [row.split("\t") for row in server.pactl("list", "short", kind).splitlines()]
    return next(row[0] for row in rows if row[1] == name)


@pytest.mark.timeout(300)
def test_the_default_is_followed_in_the_middle_of_a_run(server: PulseServer) -> None:
    """Another default sink and source, and back again: the session's streams go there by the
    server's own doing, and the session goes on.
    """
    server.pactl("load-module", "module-null-sink", "sink_name=headset")
    waits = []
    with session(server) as told:
        told.running(5)
        for sink, source in (("headset", "headset.monitor"), ("speaker", "mic")):
            wanted = {
                "source": number(server, "sources", source),
                "sink": number(server, "sinks", sink),
            }
            server.pactl("set-default-sink", sink)
            server.pactl("set-default-source", source)
            began = time.monotonic()
            while streams(server) != wanted:
                assert time.monotonic() - began < PATIENCE, (streams(server), wanted)
                time.sleep(0.05)
            waits.append(time.monotonic() - began)
            told.running(5)
    print("seconds until the streams had moved:", *(f"{wait:.2f}" for wait in waits))
    assert min(waits) < BACK_SECONDS


@pytest.mark.timeout(300)
def test_the_monitor_hears_the_result(server: PulseServer, tmp_path: Path) -> None:
    """A third output plays what the second does: a tone into the room, heard in the headphones."""
    server.pactl("load-module", "module-null-sink", "sink_name=headphones", "rate=48000")
    tone = np.sin(2 * np.pi * 440 * np.arange(4 * 48_000) / 48_000).astype(np.float32)
    save_audio(tmp_path / "tone.wav", 0.3 * tone, 48_000)
    with session(server, "PulseAudio:headphones") as told:
        told.running(5)
        heard = record(server, "headphones.monitor", tmp_path / "tone.wav")
    loud = level(heard) > 0.05
    assert loud.sum() * ENVELOPE > 1000  # of 4000 ms, on a starved machine
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * 48_000 / len(heard) == pytest.approx(440, abs=5)


def test_speech_goes_through_the_virtual_microphone(server: PulseServer, tmp_path: Path) -> None:
    """From a null sink through `moksori live --virtual` to a recorder: the pitch is the wanted one,
    nothing is missing, and in the end nothing is left behind.
    """
    speech, rate = load_mono(DEMO, 48_000)
    speech = speech[: 6 * rate]
    save_audio(tmp_path / "speech.wav", speech, rate)
    command = [
        *(sys.executable, "-m", "moksori", "live", "--virtual", "--json"),
        *("--shift", "7"),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as live:
        try:
            assert live.stderr is not None
            while "Ctrl-C ends" not in (line := live.stderr.readline()):
                assert line or live.poll() is None, line
            assert "moksori_microphone" in server.pactl("list", "short", "sources")
            made = record(server, "moksori_microphone", tmp_path / "speech.wav")
            live.send_signal(signal.SIGINT)
            out, _ = live.communicate(timeout=PATIENCE)
        finally:
            live.kill()
    assert live.returncode == 0
    assert "moksori" not in server.pactl("list", "short", "modules")
    figures = json.loads(out.splitlines()[-1])
    disturbed = ("reopened", "xruns", "device_xruns", "bypassed_blocks")
    if not any(figures[name] for name in disturbed):  # a starved machine's sound says nothing
        f0 = [pitch(wave, rate) for wave in (speech, made)]
        assert 12 * np.log2(f0[1] / f0[0]) == pytest.approx(7, abs=1)
        assert longest_gap(made, speech) <= 20


ENVELOPE = 5  # ms


def record(server: PulseServer, source: str, played: Path) -> NDArray[np.float32]:
    """What the source gives from before the file is played into the room until it is over.

    Into a file: a full pipe would hold the recorder back, and what it had would be lost.
    """
    tools = {"env": server.env, "stderr": subprocess.DEVNULL}
    shape = ["--raw", "--format=float32le", "--rate=48000", "--channels=1", "--latency-msec=20"]
    recorded = server.folder / "recorded"
    with (
        recorded.open("wb") as file,
        subprocess.Popen(["parec", "-d", source, *shape], stdout=file, **tools) as recorder,
    ):
        deadline = time.monotonic() + PATIENCE
        while recorded.stat().st_size < 4 * 4800:  # until it runs
            assert time.monotonic() < deadline
            time.sleep(0.05)
        subprocess.run(["paplay", "-d", "room", str(played)], timeout=60, check=True, **tools)
        time.sleep(1)
        recorder.terminate()
    sound = recorded.read_bytes()
    return np.frombuffer(sound[: len(sound) // 4 * 4], np.float32)


def longest_gap(made: NDArray[np.float32], speech: NDArray[np.float32]) -> float:
    """Milliseconds of silence in what was made while the speech is loud for 40 ms around."""
    loud, heard = level(speech), level(made)
    scores = np.correlate(np.log(heard + 1e-3), np.log(loud + 1e-3) - np.log(loud + 1e-3).mean())
    at = int(np.argmax(scores))
    heard = heard[at : at + len(loud)]
    around = np.convolve(loud[: len(heard)] < 0.02, np.ones(17), "same") == 0
    silent = np.flatnonzero(np.diff(np.concatenate([[0], around & (heard < 1e-4), [0]])))
    runs = silent[1::2] - silent[::2]
    return float(runs.max(initial=0)) * ENVELOPE


def level(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """The RMS of every 5 ms."""
    step = 48 * ENVELOPE
    rms: NDArray[np.float32] = np.sqrt(
        np.square(wave[: len(wave) // step * step].reshape(-1, step)).mean(1)
    )
    return rms


def pitch(wave: NDArray[np.float32], rate: int) -> float:
    """The median f0 of a wave in Hz."""
    f0, voiced = f0_estimator(AudioConfig(rate), F0Config())(wave)
    return float(np.median(f0[voiced]))
