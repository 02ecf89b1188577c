"""A PipeWire server of a test's own, with its session manager and its PulseAudio side.

It stands in for `PulseServer`: the same null sinks under the same names, in its own folder.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pulse_server import PATIENCE, PulseServer, need_client

PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse")
COMMANDS = (
    "load-module module-null-sink sink_name=speaker rate=48000",
    "load-module module-null-sink sink_name=room rate=48000",
    "load-module module-remap-source source_name=mic master=room.monitor",
    "set-default-sink speaker",
    "set-default-source mic",
)


class PipeWireServer(PulseServer):
    """Three processes that start and end together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.env["PIPEWIRE_RUNTIME_DIR"] = self.env["XDG_RUNTIME_DIR"]
        self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={folder}/no-bus"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Returns when it answers and has its devices."""
        with (self.folder / "pipewire.log").open("ab") as log:
            for program in PROGRAMS:
                self._running.append(
                    subprocess.Popen([program], env=self.env, stdout=log, stderr=log)
                )
        self._wait_for("PipeWire", "info")
        for command in COMMANDS:
            self.pactl(*command.split())
        self._wait_for("mic", "list", "short", "sources")

    def kill(self) -> None:
        """As if all of it had crashed."""
        for process in self._running:
            process.send_signal(signal.SIGKILL)
        for process in self._running:
            process.wait(PATIENCE)
        self._running.clear()

    def _wait_for(self, word: str, *question: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while word not in self.pactl(*question):
            if time.monotonic() > deadline:
                pytest.skip(f"the PipeWire server does not start here (no {word})")
            time.sleep(0.05)


@contextmanager
def pipewire_server() -> Iterator[PipeWireServer]:
    """Running; gone afterwards."""
    need_client()
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="moksori-pw-") as folder:
        server = PipeWireServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
