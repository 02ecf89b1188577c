"""A false `sounddevice` for sys.modules: devices, rates and refusals as a test wants them."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    pass


def device(name: str, api: int, ins: int, outs: int, rate: float) -> dict[str, Any]:
    return {
        "name": name,
        "hostapi": api,
        "max_input_channels": ins,
        "max_output_channels": outs,
        "default_samplerate": rate,
        "default_low_input_latency": 0.01,
        "default_low_output_latency": 0.02,
    }


class FalseStream:
    def __init__(self, module: FalseSoundDevice, direction: str, **options: Any) -> None:
        if module.refuse == direction:
            raise PortAudioError("Device unavailable", -9985)
        self.options = options
        self.latency = 0.03
        self.started = self.closed = False
        self.module = module
        self.thread = threading.Thread(target=self.run, daemon=True)
        module.streams[direction] = self

    def start(self) -> None:
        self.started = True
        if self.module.alive:
            self.thread.start()

    def run(self) -> None:
        block, rate = self.options["blocksize"], self.options["samplerate"]
        sound = np.zeros((block, self.options["channels"]), np.float32)
        while self.started:
            self.options["callback"](sound, block, None, self.module.status)
            time.sleep(block / rate)

    def abort(self, ignore_errors: bool = True) -> None:
        self.started = False
        if self.thread.ident is not None:
            self.thread.join()

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True
        self.options["finished_callback"]()


class FalseSoundDevice(SimpleNamespace):
    """Two host APIs; rates says which numbers take what. alive: the streams call by themselves."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__()
        self.refuse = ""
        self.alive = False
        self.status = ""
        self.streams: dict[str, FalseStream] = {}
        self.default = SimpleNamespace(device=[0, 1])
        self.devices = [
            device("Microphone", 0, 1, 0, 44_100.0),
            device("Speakers", 0, 0, 2, 48_000.0),
            device("Cable", 0, 128, 128, 48_000.0),
            device("Cable", 1, 2, 2, 48_000.0),
            device("Cable B", 1, 2, 2, 96_000.0),
        ]
        self.rates = {i: {44_100, 48_000} for i in range(5)}

    def get_portaudio_version(self) -> tuple[int, str]:
        return 1246720, "PortAudio V19.6.0-false"

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [
            {"name": "ALSA", "default_input_device": 0, "default_output_device": 1},
            {"name": "JACK", "default_input_device": 3, "default_output_device": 3},
        ]

    def query_devices(self) -> list[dict[str, Any]]:
        return self.devices

    def _terminate(self) -> None:
        assert all(stream.closed for stream in self.streams.values())

    def _initialize(self) -> None:
        pass

    def _check(self, device: int, samplerate: int, **_: Any) -> None:
        if samplerate not in self.rates[device]:
            raise PortAudioError("Invalid sample rate")

    check_input_settings = check_output_settings = _check

    def WasapiSettings(self, **options: Any) -> tuple[str, dict[str, Any]]:  # noqa: N802
        return "WasapiSettings", options

    def AsioSettings(self, **options: Any) -> tuple[str, dict[str, Any]]:  # noqa: N802
        return "AsioSettings", options

    def CoreAudioSettings(self, **options: Any) -> tuple[str, dict[str, Any]]:  # noqa: N802
        return "CoreAudioSettings", options

    def InputStream(self, **options: Any) -> FalseStream:  # noqa: N802
        return FalseStream(self, "input", **options)

    def OutputStream(self, **options: Any) -> FalseStream:  # noqa: N802
        return FalseStream(self, "output", **options)
