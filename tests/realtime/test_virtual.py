"""The virtual microphone: made once, removed with its owner, found by name elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import DeviceError
from realtime import virtual
from realtime.backend import Device
from realtime.virtual import FOR_ALL, VirtualMicrophone, act, find_cable, our_modules
from tests.command_line import Moksori, complaint
from tests.pulse_server import PulseServer, pulse_server

NOBODY = 2**22 + 1  # beyond the largest number of a process


@pytest.fixture(scope="module")
def shared() -> Iterator[PulseServer]:
    with pulse_server() as server:
        yield server


@pytest.fixture
def server(shared: PulseServer, monkeypatch: pytest.MonkeyPatch) -> PulseServer:
    for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER"):
        monkeypatch.setenv(name, shared.env[name])
    virtual.remove()
    return shared


def test_it_is_made_once_and_removed_by_its_owner(server: PulseServer) -> None:
    ours, all_users = VirtualMicrophone(), VirtualMicrophone(FOR_ALL)
    assert ours.create()
    assert not all_users.create()
    assert "moksori_microphone" in server.pactl("list", "short", "sources")
    all_users.remove()
    assert len(our_modules()) == 2
    ours.remove()
    ours.remove()
    assert our_modules() == []


def test_what_a_crash_left_is_removed_at_the_next_start(server: PulseServer) -> None:
    VirtualMicrophone(NOBODY).create()
    left = {module.number for module in our_modules()}
    VirtualMicrophone().create()
    assert len(our_modules()) == 2
    assert not left & {module.number for module in our_modules()}


def test_half_a_microphone_is_made_anew(server: PulseServer) -> None:
    VirtualMicrophone().create()
    server.pactl("unload-module", str(our_modules()[1].number))
    assert VirtualMicrophone().create()
    assert len(our_modules()) == 2


def test_the_command(moksori: Moksori, server: PulseServer) -> None:
    for action, words in (
        ("status", "is not there"),
        ("create", "made"),
        ("create", "was there"),
        ("status", "stays until removed"),
        ("remove", "removed"),
        ("remove", "was not there"),
    ):
        said = moksori("virtual", action)
        assert (said.code, said.err) == (0, "")
        assert words in said.out


def test_without_a_server(moksori: Moksori, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    monkeypatch.setattr(virtual.sys, "platform", "linux")
    complaint(moksori("virtual", "create"), "pactl")
    VirtualMicrophone().remove()


def test_a_cable_is_found_by_name() -> None:
    names = ("Speakers", "CABLE Input (VB-Audio Virtual Cable)", "BlackHole 2ch")
    devices = [Device(i, name, "MME", 0, 2, 48_000) for i, name in enumerate(names)]
    assert find_cable(devices, "output").index == 1
    assert find_cable(devices[2:], "output").index == 2
    with pytest.raises(DeviceError, match="docs/virtual-microphone"):
        find_cable(devices[:1], "output")


@pytest.mark.parametrize("action", ["create", "status"])
def test_elsewhere_the_cable_is_named(monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr(virtual.sys, "platform", "darwin")
    devices = [Device(0, "BlackHole 2ch", "Core Audio", 2, 2, 48_000)]
    monkeypatch.setattr("realtime.portaudio.list_devices", lambda: devices)
    assert "BlackHole 2ch" in act(action)
