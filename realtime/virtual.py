"""The virtual microphone: a sink that a session plays into, and a source that other programs hear.

On PulseAudio and PipeWire it is made of two modules, tagged with the process that wants them. What
a crash leaves behind is removed when the next one is made. Elsewhere a cable the user has installed
is found by its name (`docs/virtual-microphone.md`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.errors import DeviceError
from realtime.backend import Device
from realtime.devices import Direction, channels
from realtime.pulse import modules, pactl

SINK, SOURCE = "moksori", "moksori_microphone"
SINK_WORDS, SOURCE_WORDS = "moksori-output", "moksori-microphone"
SAMPLE_RATE = 48_000
FOR_ALL = 0  # owner of a microphone that stays until it is removed
_TAG = "moksori.owner="
CABLES = ("CABLE Input", "CABLE Output", "VB-Audio", "BlackHole", "Loopback Audio", "VoiceMeeter")


@dataclass(frozen=True)
class VirtualModule:
    """A module of the sound server that belongs to us. owner: a process, or FOR_ALL."""

    number: int
    name: str
    owner: int


class VirtualMicrophone:
    """Makes the microphone where there is none, and removes what it has made."""

    def __init__(self, owner: int | None = None) -> None:
        self.owner = os.getpid() if owner is None else owner

    def create(self) -> bool:
        """That it is there. False if it was before. DeviceError without a sound server."""
        remove_abandoned()
        present = {module.name for module in our_modules()}
        if len(present) == 2:
            return False
        if present:  # half of one
            remove()
        tag = f"{_TAG}{self.owner}"
        pactl(
            "load-module",
            "module-null-sink",
            f"sink_name={SINK}",
            f"rate={SAMPLE_RATE}",
            "channels=2",
            f'sink_properties="device.description={SINK_WORDS} {tag}"',
        )
        pactl(
            "load-module",
            "module-remap-source",
            f"source_name={SOURCE}",
            f"master={SINK}.monitor",
            f'source_properties="device.description={SOURCE_WORDS} {tag}"',
        )
        return True

    def remove(self) -> None:
        """Takes away what this owner has made; harmless where there is nothing, or no server."""
        try:
            remove(self.owner)
        except DeviceError:
            return


def act(action: str) -> str:
    """What `moksori virtual` does and says: create (to stay), remove, status."""
    if not sys.platform.startswith("linux"):
        from realtime.portaudio import list_devices

        cable = find_cable(list_devices(), "output").name
        return f"{cable} is there; moksori live --virtual speaks through it"
    if action == "create":
        made = VirtualMicrophone(FOR_ALL).create()
        words = "made" if made else "was there already"
        return f"{SOURCE_WORDS} {words}; moksori live --virtual speaks through it"
    if action == "remove":
        return f"{SOURCE_WORDS} {'removed' if remove() else 'was not there'}"
    found = our_modules()
    if len(found) < 2:
        return f"{SOURCE_WORDS} is not there; moksori virtual create makes it"
    owner = "stays until removed" if found[0].owner == FOR_ALL else f"of process {found[0].owner}"
    return f"{SOURCE_WORDS} is there, {owner}"


def our_modules() -> list[VirtualModule]:
    """Those that are there now."""
    return list(_ours())


def remove(owner: int | None = None) -> int:
    """Unloads our modules, all or those of an owner; how many they were."""
    found = [m for m in our_modules() if owner is None or m.owner == owner]
    for module in reversed(found):  # the source before the sink it hears
        pactl("unload-module", str(module.number))
    return len(found)


def remove_abandoned() -> int:
    """Unloads what processes have left that are no more; how many modules."""
    gone = {m.owner for m in our_modules() if m.owner != FOR_ALL and not _alive(m.owner)}
    return sum(remove(owner) for owner in gone)


def find_cable(devices: Iterable[Device], direction: Direction) -> Device:
    """The end of the virtual cable that a user of Windows or macOS has installed."""
    ends = [device for device in devices if channels(device, direction)]
    for name in CABLES:
        for device in ends:
            if name.lower() in device.name.lower():
                return device
    offer = "VB-CABLE (vb-audio.com/Cable)" if sys.platform == "win32" else "BlackHole"
    raise DeviceError(
        f"no virtual cable was found; install {offer}, then try again."
        " How: docs/virtual-microphone.md"
    )


def _ours() -> Iterator[VirtualModule]:
    for number, name, arguments in modules():
        _, tag, rest = arguments.partition(_TAG)
        if tag:
            digits = rest.split('"')[0].split()[0]
            yield VirtualModule(number, name, int(digits) if digits.isdigit() else FOR_ALL)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
