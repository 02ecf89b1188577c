"""A real window on a screen of its own (Xvfb), driven with mouse and keys as a user does it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gui import engine
from tests.command_line import ROOT

PATIENCE_SECONDS = 90.0
pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"
)


def eventually(seen: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not seen():
        assert time.monotonic() < end, f"not so in time: {what}"
        time.sleep(0.1)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """The number of a screen as servers find a free one."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x1000x24"]
    with (tmp_path / "Xvfb.log").open("wb") as log:
        server = subprocess.Popen(command, pass_fds=[writing], stdout=log, stderr=log)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


class Driven:
    """The app in a process of its own, and the hand on its mouse. It tells its state by lines."""

    def __init__(self, display: str, home: Path) -> None:
        self._told = home / "told.txt"
        self._environment = {
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "LANG": "C.UTF-8",
        }
        self._environment.pop("WAYLAND_DISPLAY", None)
        command = [sys.executable, "-m", "tests.gui.told_window", str(engine.DEMO)]
        with self._told.open("wb") as told:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=told, stderr=subprocess.STDOUT
            )

    def told(self) -> str:
        return self._told.read_text("utf-8", "replace")

    def do(self, *words: str) -> None:
        subprocess.run(
            ["xdotool", *words], env=self._environment, check=True, capture_output=True, timeout=60
        )

    def click(self, name: str) -> None:
        """On the control that the window says is there."""
        lines = [line for line in self.told().splitlines() if line.startswith(f"at {name}: ")]
        x, y = lines[-1].rpartition(": ")[2].split()
        self.do("mousemove", x, y, "click", "1")

    def expect(self, line: str) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, self.told()
            return line in self.told().splitlines()

        eventually(seen, line)


def test_from_the_first_start_to_changed_speech(display: str, tmp_path: Path) -> None:
    began = time.monotonic()
    app = Driven(display, tmp_path)
    try:
        for step in (1, 2, 3):
            app.expect(f"step {step}")
            app.click("next")
        app.expect("phase live")
        app.expect("spoken in another voice")
        print(f"{time.monotonic() - began:.1f} s from start to changed speech")
        app.do("key", "F7")
        app.expect("mode mute")
        if "global keys" in app.told().splitlines():
            app.do("key", "ctrl+alt+b")
            app.expect("mode dry")
        app.do("key", "F5")
        app.expect("phase ready")
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(30) == 0
    finally:
        if app.process.poll() is None:
            app.process.kill()
            app.process.wait(10)
        print(app.told())
    sound = int(
        next(line for line in app.told().splitlines() if line.startswith("sound ")).split()[1]
    )
    eventually(lambda: not Path(f"/proc/{sound}").exists(), "the sound's process has ended")
