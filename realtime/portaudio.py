"""Sound cards through PortAudio: the only file that imports sounddevice, and only when it is used.

Input and output are two streams, not one duplex stream: the devices may then belong to different
drivers with clocks of their own, and one that stalls does not stall the other. Threads: PortAudio's
input and output threads call the session; `start` and `stop` belong to the caller.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import threading
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import DeviceError
from realtime.backend import AudioCallback, Device

Direction = Literal["input", "output"]

BLOCK_SECONDS = 0.010
MAX_CHANNELS = 2  # virtual devices offer 32 or 128; the microphone is in the first two
COMMON_RATES = (48_000, 44_100, 96_000, 32_000, 16_000, 8000)
CLOSE_SECONDS = 5.0
_LINUX_INSTALLERS = {
    "apt-get": "apt install libportaudio2",
    "dnf": "dnf install portaudio",
    "pacman": "pacman -S portaudio",
    "zypper": "zypper install portaudio",
    "apk": "apk add portaudio",
}


class PortAudioBackend:
    """A microphone and a loudspeaker.

    input_device, output_device: a number of `list_devices`, a part of a name, or None for the
    system's default. sample_rate: the rate wanted, best the voice's own; where a device refuses it,
    the first rate both take, the devices' defaults first. latency: seconds, or "low" or "high".
    """

    def __init__(
        self,
        input_device: str | int | None = None,
        output_device: str | int | None = None,
        *,
        sample_rate: int | None = None,
        latency: float | Literal["low", "high"] = "low",
    ) -> None:
        self._sd = import_sounddevice()
        devices = list_devices()
        self.input_device = find_device(devices, input_device, "input")
        self.output_device = find_device(devices, output_device, "output")
        self._input_channels = min(self.input_device.input_channels, MAX_CHANNELS)
        self._output_channels = min(self.output_device.output_channels, MAX_CHANNELS)
        self.sample_rate = self._choose_rate(sample_rate)
        self.block = round(self.sample_rate * BLOCK_SECONDS)
        self._wanted_latency = latency
        self.latency = self.input_device.input_latency + self.output_device.output_latency
        self._streams: list[Any] = []
        self._callback: AudioCallback | None = None

    def start(self, callback: AudioCallback) -> None:
        """Opens and starts both streams, input first; from then on `latency` is their own."""
        if self._streams:
            raise DeviceError("these devices are already running; stop them first")
        self._callback = callback
        common = {
            "samplerate": self.sample_rate,
            "blocksize": self.block,
            "dtype": "float32",
            "latency": self._wanted_latency,
            "finished_callback": self._finished,
        }
        opening = self.input_device
        try:
            source = self._sd.InputStream(
                device=self.input_device.index,
                channels=self._input_channels,
                callback=self._hear,
                **common,
            )
            self._streams.append(source)
            opening = self.output_device
            sink = self._sd.OutputStream(
                device=self.output_device.index,
                channels=self._output_channels,
                callback=self._speak,
                **common,
            )
            self._streams.append(sink)
            self.latency = float(source.latency) + float(sink.latency)
            opening = self.input_device
            source.start()
            opening = self.output_device
            sink.start()
        except self._sd.PortAudioError as error:
            self.stop()
            raise DeviceError(
                f'cannot open "{opening.name}" ({opening.host_api}) at {self.sample_rate} Hz: '
                f"{_reason(error)}; is another program using it? See `moksori devices`"
            ) from None

    def stop(self) -> None:
        """Aborts and closes both streams. A driver that hangs in this is an error after 5 s."""
        self._callback = None  # from here on the streams end because we want it
        streams, self._streams = self._streams, []
        if not streams:
            return
        closer = threading.Thread(target=_close, args=(streams,), name="moksori-close", daemon=True)
        closer.start()
        closer.join(CLOSE_SECONDS)
        if closer.is_alive():
            raise DeviceError(
                f"the sound driver did not close within {CLOSE_SECONDS:.0f} s; it hangs"
            )

    def _hear(self, indata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        callback = self._callback
        if callback is not None:
            callback(indata, None, str(status) if status else None)

    def _speak(self, outdata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        callback = self._callback
        if callback is None:
            outdata[:] = 0
        else:
            callback(None, outdata, str(status) if status else None)

    def _finished(self) -> None:
        callback = self._callback
        if callback is not None:  # we did not ask for it: unplugged, or the sound server has gone
            self._callback = None
            callback.ended(
                DeviceError(
                    f'"{self.input_device.name}" or "{self.output_device.name}" stopped by itself; '
                    "is it still plugged in?"
                )
            )

    def _choose_rate(self, wanted: int | None) -> int:
        defaults = (self.input_device.sample_rate, self.output_device.sample_rate)
        candidates = dict.fromkeys(r for r in (wanted, *defaults, *COMMON_RATES) if r)
        heard = [r for r in candidates if self._takes("input", r)]
        spoken = [r for r in candidates if self._takes("output", r)]
        both = [r for r in heard if r in spoken]
        if both:
            return both[0]
        raise DeviceError(
            "no sample rate works for both devices: "
            f"{self.input_device.name} takes {_rates(heard)}, "
            f"{self.output_device.name} takes {_rates(spoken)}; choose another pair, or free the "
            "device if another program holds it"
        )

    def _takes(self, direction: Direction, rate: int) -> bool:
        if direction == "input":
            check, device = self._sd.check_input_settings, self.input_device
            channels = self._input_channels
        else:
            check, device = self._sd.check_output_settings, self.output_device
            channels = self._output_channels
        try:
            check(device=device.index, channels=channels, dtype="float32", samplerate=rate)
        except (self._sd.PortAudioError, ValueError):
            return False
        return True


def import_sounddevice() -> Any:
    """The module, or the DeviceError that says how to mend its absence."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"live sound needs PortAudio, which is missing here ({_reason(error)}); "
            f"mend it with `{portaudio_remedy()}`. "
            "Everything but `moksori live` works without it"
        ) from None
    return sounddevice


def list_devices() -> list[Device]:
    """All devices PortAudio knows, in its numbering."""
    sd = import_sounddevice()
    try:
        apis, found = sd.query_hostapis(), sd.query_devices()
        default_in, default_out = (int(number) for number in sd.default.device)
    except sd.PortAudioError as error:
        raise DeviceError(f"PortAudio cannot list devices: {_reason(error)}") from None
    if default_in < 0:
        default_in = _default_of(apis, "default_input_device")
    if default_out < 0:
        default_out = _default_of(apis, "default_output_device")
    return [
        Device(
            index=index,
            name=str(device["name"]),
            host_api=str(apis[device["hostapi"]]["name"]),
            input_channels=int(device["max_input_channels"]),
            output_channels=int(device["max_output_channels"]),
            sample_rate=round(device["default_samplerate"]),
            input_latency=float(device["default_low_input_latency"]),
            output_latency=float(device["default_low_output_latency"]),
            default_input=index == default_in,
            default_output=index == default_out,
        )
        for index, device in enumerate(found)
    ]


def by_host_api(devices: Iterable[Device]) -> dict[str, list[Device]]:
    """The devices grouped by host API, in PortAudio's order."""
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(device.host_api, []).append(device)
    return groups


def find_device(devices: list[Device], wanted: str | int | None, direction: Direction) -> Device:
    """The device of that number or name: a whole name before a part, the default host API first."""
    fit = [d for d in devices if _channels(d, direction) > 0]
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
    named = [d for d in fit if d.name.lower() == text.lower()]
    named = named or [d for d in fit if text.lower() in d.name.lower()]
    if not named:
        raise DeviceError(f'no {direction} device is called "{text}"; known: {_names(fit)}')
    preferred = [d for d in named if default and d.host_api == default.host_api] or named
    if len(preferred) > 1:
        raise DeviceError(
            f'"{text}" fits several {direction} devices; take a number: {_names(preferred)}'
        )
    return preferred[0]


def _channels(device: Device, direction: Direction) -> int:
    return device.input_channels if direction == "input" else device.output_channels


def _is_default(device: Device, direction: Direction) -> bool:
    return device.default_input if direction == "input" else device.default_output


def _default_of(apis: Any, key: str) -> int:
    return next((int(api[key]) for api in apis if api[key] >= 0), -1)


def _names(devices: list[Device]) -> str:
    return ", ".join(f"{d.index}: {d.name} ({d.host_api})" for d in devices)


def _rates(rates: list[int]) -> str:
    return ", ".join(str(rate) for rate in rates) + " Hz" if rates else "none of the usual rates"


def portaudio_version() -> str:
    """PortAudio's own words about itself."""
    return str(import_sounddevice().get_portaudio_version()[1])


def portaudio_remedy() -> str:
    """The command that mends a missing PortAudio on this system."""
    if not (_loaded("sounddevice") or importlib.util.find_spec("sounddevice")):
        return "pip install sounddevice"
    if sys.platform.startswith("linux"):  # elsewhere the package brings the library
        found = (command for tool, command in _LINUX_INSTALLERS.items() if shutil.which(tool))
        return f"sudo {next(found, _LINUX_INSTALLERS['apt-get'])}"
    return "pip install --force-reinstall sounddevice"


def _loaded(name: str) -> bool:
    return sys.modules.get(name) is not None


def _reason(error: BaseException) -> str:
    return str(error.args[0] if error.args else error).strip().rstrip(".")


def _close(streams: list[Any]) -> None:
    for stream in streams:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
