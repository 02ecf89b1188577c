"""A PulseAudio server of a test's own: null sinks as loudspeaker and microphone, in its own folder.

Nothing else on the machine sees it or is seen by it.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SETUP = """
load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-sink sink_name=speaker rate=48000
load-module module-null-sink sink_name=room rate=48000
load-module module-remap-source source_name=mic master=room.monitor
set-default-sink speaker
set-default-source mic
"""
PATIENCE = 40.0  # seconds, on a loaded machine


def need_pulseaudio() -> None:
    """Skips a test where the server, its tools or its ALSA plug-in are missing."""
    if shutil.which("pulseaudio") is None:
        pytest.skip("pulseaudio is not installed")
    need_client()


def need_client() -> None:
    """Skips a test where what speaks to such a server is missing."""
    for tool in ("pactl", "parec", "paplay"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("PortAudio is not installed")
    folders = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    if not any(folders):
        pytest.skip("the ALSA plug-in of PulseAudio is not installed")


class PulseServer:
    """env: what a program needs to find it. has_dummy: it puts one where the last device was."""

    has_dummy = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run, home = folder / "run", folder / "home"
        for made in (run, home):
            made.mkdir(mode=0o700)
        (folder / "setup.pa").write_text(SETUP)
        (home / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        self.env = {
            **os.environ,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(run),
            "PULSE_SERVER": f"unix:{run}/pulse/native",
            "OMP_NUM_THREADS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "pulseaudio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("pulseaudio", "-n", "-F", str(self.folder / "setup.pa")),
                    *("--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
                ],
                env=self.env,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while "mic" not in self.pactl("list", "short", "sources"):
            if time.monotonic() > deadline:
                pytest.skip("the PulseAudio server does not start here")
            time.sleep(0.05)

    def kill(self) -> None:
        """As if it had crashed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def pactl(self, *arguments: str) -> str:
        """Its answer; empty where it failed."""
        done = subprocess.run(
            ["pactl", *arguments], env=self.env, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout


@contextmanager
def pulse_server() -> Iterator[PulseServer]:
    """Running; gone afterwards."""
    need_pulseaudio()
    with tempfile.TemporaryDirectory(
        prefix="moksori-pulse-"
    ) as folder:  # short: a socket lies here
        server = PulseServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
