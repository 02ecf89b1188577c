"""Devices as a user meets them: grouped by host API, found by number, name or stable id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from core.errors import DeviceError
from realtime.backend import Device

Direction = Literal["input", "output"]


def by_host_api(devices: Iterable[Device]) -> dict[str, list[Device]]:
    """The devices grouped by host API, in PortAudio's order."""
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(device.host_api, []).append(device)
    return groups


def find_device(devices: list[Device], wanted: str | int | None, direction: Direction) -> Device:
    """The device of that number, id or name; a whole name comes before a part of one."""
    fit = [d for d in devices if channels(d, direction) > 0]
    if not fit:
        raise DeviceError(f"no {direction} device was found; plug one in or start the sound server")
    default = next((d for d in fit if _is_default(d, direction)), None)
    if wanted is None:
        return default or fit[0]
    text = str(wanted).strip()
    if text.isdigit():
        for device in fit:
            if device.index == int(text):
                return device
        raise DeviceError(f"no {direction} device has number {text}; known: {_names(fit)}")
    named = [d for d in fit if d.id.lower() == text.lower()]
    named = named or [d for d in fit if d.name.lower() == text.lower()]
    named = named or [d for d in fit if text.lower() in d.name.lower()]
    if not named:
        raise DeviceError(f'no {direction} device is called "{text}"; known: {_names(fit)}')
    preferred = [d for d in named if default and d.host_api == default.host_api] or named
    if len(preferred) > 1:
        raise DeviceError(
            f'"{text}" fits several {direction} devices; take a number: {_names(preferred)}'
        )
    return preferred[0]


def channels(device: Device, direction: Direction) -> int:
    """How many it offers; 0: it is none."""
    return device.input_channels if direction == "input" else device.output_channels


def _is_default(device: Device, direction: Direction) -> bool:
    return device.default_input if direction == "input" else device.default_output


def _names(devices: list[Device]) -> str:
    return ", ".join(f"{d.index}: {d.name} ({d.host_api})" for d in devices)


def with_ids(devices: Iterable[Device]) -> list[Device]:
    """The same with `id` set: host API and name; the second of the same name ends in #2."""
    seen: dict[str, int] = {}
    named = []
    for device in devices:
        plain = f"{device.host_api}:{device.server_name or device.name}"
        seen[plain] = count = seen.get(plain, 0) + 1
        named.append(replace(device, id=plain if count == 1 else f"{plain}#{count}"))
    return named
