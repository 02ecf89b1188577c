"""PulseAudio and PipeWire through `pactl`: what sources and sinks there are, modules in and out.

Both servers speak to it. PortAudio sees such a server as one ALSA device; which source or sink that
means is told to the client library by PULSE_SOURCE and PULSE_SINK while a stream is opened.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.errors import DeviceError

TIMEOUT = 5.0  # seconds, for a server that hangs


@dataclass(frozen=True)
class ServerDevice:
    """A source (is_input) or sink of the sound server. sample_rate in Hz."""

    name: str
    description: str
    is_input: bool
    channels: int
    sample_rate: int
    default: bool


def pactl(*arguments: str) -> str:
    """What `pactl` answers. DeviceError where it or the server is missing, or it refuses."""
    path = shutil.which("pactl")
    if path is None:
        raise DeviceError(
            "this needs `pactl`, which speaks to PulseAudio and PipeWire; mend it with"
            " `sudo apt install pulseaudio-utils`"
        )
    try:
        done = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(f"the sound server did not answer within {TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        reason = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
        raise DeviceError(
            f"`pactl {' '.join(arguments)}` failed ({reason}); is the sound server running?"
        )
    return done.stdout


def server_devices() -> list[ServerDevice]:
    """All sources, among them what each sink plays, and all sinks; empty if no server answers."""
    if shutil.which("pactl") is None:
        return []
    try:
        defaults = json.loads(pactl("--format=json", "info"))
        sources = _table("sources")
        sinks = _table("sinks")
    except (DeviceError, ValueError):  # no server, or a pactl before JSON
        return []
    heard = [_device(entry, True, defaults.get("default_source_name")) for entry in sources]
    return heard + [_device(entry, False, defaults.get("default_sink_name")) for entry in sinks]


def modules() -> Iterator[tuple[int, str, str]]:
    """Number, name and arguments of every module that is loaded.

    PipeWire breaks the arguments of its own into lines, of which only the first is given here.
    """
    for line in pactl("list", "short", "modules").splitlines():
        number, *rest = line.split("\t")
        if number.isdigit() and rest:
            yield int(number), rest[0], rest[1] if len(rest) > 1 else ""


@contextmanager
def routed(variable: str, name: str) -> Iterator[None]:
    """PULSE_SOURCE or PULSE_SINK is `name` meanwhile; nothing changes for an empty one."""
    if not name:
        yield
        return
    before = os.environ.get(variable)
    os.environ[variable] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _table(kind: str) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = json.loads(pactl("--format=json", "list", kind))
    return table


def _device(entry: dict[str, Any], is_input: bool, default: str | None) -> ServerDevice:
    _, channels, rate = str(entry["sample_specification"]).split()  # s16le 2ch 48000Hz
    return ServerDevice(
        name=str(entry["name"]),
        description=str(entry["description"]),
        is_input=is_input,
        channels=int(channels.removesuffix("ch")),
        sample_rate=int(rate.removesuffix("Hz")),
        default=entry["name"] == default,
    )
