"""A PipeWire server of a test's own, with its session manager and its PulseAudio side.

It stands in for `PulseServer`: the same null sinks under the same names, in its own folder.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pulse_server import PATIENCE, PulseServer, need_client

PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse")
BUS = "dbus-daemon"  # without one the session manager links nothing
DEVICES = (
    "load-module module-null-sink sink_name=speaker rate=48000",
    "load-module module-null-sink sink_name=room rate=48000",
    "load-module module-remap-source source_name=mic master=room.monitor",
)
DEFAULTS = ("set-default-sink speaker", "set-default-source mic")


class PipeWireServer(PulseServer):
    """Four processes that start and end together."""

    has_dummy = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.env["PIPEWIRE_RUNTIME_DIR"] = self.env["XDG_RUNTIME_DIR"]
        self._bus = folder / "bus"
        self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self._bus}"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Returns when it answers and its devices are the defaults."""
        run = self.folder / "run"
        self._launch([BUS, "--session", "--nofork", f"--address=unix:path={self._bus}"], self._bus)
        self._launch(["pipewire"], run / "pipewire-0")
        self._launch(["wireplumber"])
        self._launch(["pipewire-pulse"], run / "pulse" / "native")
        self._until(lambda: "PipeWire" in self.pactl("info"))
        for line in DEVICES:
            self.pactl(*line.split())
        self._until(self._chosen)

    def _launch(self, command: list[str], socket: Path | None = None) -> None:
        """Waits for its socket: the others end at once where they cannot connect."""
        if socket is not None:
            socket.unlink(missing_ok=True)  # a dead one's
        with (self.folder / "pipewire.log").open("ab") as log:
            self._running.append(subprocess.Popen(command, env=self.env, stdout=log, stderr=log))
        self._until(lambda: socket is None or socket.exists())

    def _chosen(self) -> bool:
        """The session manager hears of defaults only once it is up."""
        for line in DEFAULTS:
            self.pactl(*line.split())
        info = self.pactl("info")
        return "Default Sink: speaker\n" in info and "Default Source: mic\n" in info

    def kill(self) -> None:
        """As if all of it had crashed."""
        for process in self._running:
            process.send_signal(signal.SIGKILL)
        for process in self._running:
            process.wait(PATIENCE)
        self._running.clear()

    def _until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                pytest.skip("the PipeWire server does not start here")
            time.sleep(0.05)


@contextmanager
def pipewire_server() -> Iterator[PipeWireServer]:
    """Running; gone afterwards."""
    need_client()
    for program in (BUS, *PROGRAMS):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="moksori-pw-") as folder:
        server = PipeWireServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
