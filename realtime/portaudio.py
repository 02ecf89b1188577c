"""Sound cards through PortAudio: the only file that imports sounddevice, and only when it is used.

Input, output and monitor are streams of their own, never a duplex stream: the devices may belong to
different drivers with rates and clocks of their own, and one that stalls does not stall the others.
Threads: PortAudio's input and output threads call the session; `start`, `stop` and `refresh` belong
to the caller; a watchman of ours ends a run whose callbacks have ceased.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import DeviceError
from realtime.backend import AudioCallback, Device
from realtime.devices import Direction, channels, find_device, with_ids
from realtime.pulse import ServerDevice, routed, server_devices
from realtime.remedy import portaudio_remedy
from realtime.watchman import INPUT, LOOK_SECONDS, OUTPUT, Watchman

BLOCK_SECONDS = 0.010
MAX_CHANNELS = 2  # virtual devices offer 32 or 128; the microphone is in the first two
PROBED_RATES = (44_100, 48_000, 96_000, 16_000)
COMMON_RATES = (48_000, 44_100, 96_000, 32_000, 16_000, 8000)
CLOSE_SECONDS = 5.0
LONGEST_LATENCY = 0.2  # seconds an output that underran is given at most
_SERVER_PORTS = ("pulse", "pipewire", "default")  # ALSA devices behind which the server is


@dataclass(frozen=True)
class HostOptions:
    """What some host APIs offer beyond the rest; elsewhere it is ignored.

    exclusive: WASAPI and CoreAudio, the device for us alone, at its own rate. Otherwise WASAPI
    converts rates by itself. input_channels, output_channels: ASIO, which of many (from 0).
    """

    exclusive: bool = False
    input_channels: tuple[int, ...] = ()
    output_channels: tuple[int, ...] = ()


class PortAudioBackend:
    """A microphone, a loudspeaker, and a second loudspeaker if wanted.

    input_device, output_device, monitor_device: a number of `list_devices`, an id, a part of a
    name, or None for the system's default (monitor: for none). sample_rate: the rate wanted, best
    the voice's own; where a device refuses it, one that both take, else each its own. latency:
    seconds, or "low" or "high": then an output that an underrun has killed gets twice what it had
    when it is opened again. prepare: called before devices are looked for. There may be one of
    these at a time, as `refresh` restarts PortAudio.
    """

    one_clock = False
    reopens = True

    def __init__(
        self,
        input_device: str | int | None = None,
        output_device: str | int | None = None,
        *,
        monitor_device: str | int | None = None,
        sample_rate: int | None = None,
        latency: float | Literal["low", "high"] = "low",
        options: HostOptions | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._sd = import_sounddevice()
        self._wanted: dict[str, str | int | None] = {
            "input": input_device,
            "output": output_device,
            "monitor": monitor_device,
        }
        self._wanted_rate, self._wanted_latency = sample_rate, latency
        self._output_latency = latency
        self._options = options or HostOptions()
        self._prepare = prepare
        self._streams: list[Any] = []
        self._stuck: threading.Thread | None = None
        self._callback: AudioCallback | None = None
        self._watchman = Watchman()
        self._resolve()
        for role, device in (("input", self.input_device), ("output", self.output_device)):
            if self._wanted[role] is not None:  # numbers change with what is plugged in
                self._wanted[role] = device.id

    def now(self) -> float:
        """Seconds of the clock with the finest grain."""
        return time.perf_counter()

    def refresh(self) -> None:
        """PortAudio starts afresh, to see what has come and gone; the devices are found again."""
        if self._stuck is None or not self._stuck.is_alive():  # else it would hang in that, too
            self._sd._terminate()
            self._sd._initialize()
        self._resolve()

    def start(self, callback: AudioCallback) -> None:
        """Opens and starts the streams, input first; from then on `latency` is their own."""
        if self._streams:
            raise DeviceError("these devices are already running; stop them first")
        self._callback = callback
        self._watchman = Watchman()
        opening = self.input_device
        try:
            source = self._open(opening, "input", self.input_rate, self.input_block, self._hear)
            opening = self.output_device
            sink = self._open(opening, "output", self.sample_rate, self.block, self._speak)
            self._spoken_latency = float(sink.latency)
            self.latency = float(source.latency) + self._spoken_latency
            if self.monitor_device is not None:
                opening, rate = self.monitor_device, self.monitor_rate
                block = round(rate * BLOCK_SECONDS)
                self._open(opening, "output", rate, block, self._monitor)
            for stream in self._streams:
                stream.start()
        except self._sd.PortAudioError as error:
            self.stop()
            raise DeviceError(
                f'cannot open "{opening.name}" ({opening.host_api}): '
                f"{_reason(error)}; is another program using it? See `moksori devices`"
            ) from None
        threading.Thread(
            target=self._watch, args=(callback,), name="moksori-watch", daemon=True
        ).start()

    def stop(self) -> None:
        """Aborts and closes the streams. A driver that hangs in this is an error after 5 s, and the
        streams are left to it; new ones can be opened beside them.
        """
        self._callback = None  # from here on the streams end because we want it
        streams, self._streams = self._streams, []
        if not streams:
            return
        closer = threading.Thread(target=_close, args=(streams,), name="moksori-close", daemon=True)
        closer.start()
        closer.join(CLOSE_SECONDS)
        if closer.is_alive():
            self._stuck = closer
            raise DeviceError(
                f"the sound driver did not close within {CLOSE_SECONDS:.0f} s; it hangs"
            )

    def _open(self, device: Device, direction: Direction, rate: int, block: int, call: Any) -> Any:
        make = self._sd.InputStream if direction == "input" else self._sd.OutputStream
        with _routed(device, direction):
            stream = make(
                device=device.port,
                channels=_channels(device, direction),
                samplerate=rate,
                blocksize=block,
                dtype="float32",
                latency=self._wanted_latency if direction == "input" else self._output_latency,
                callback=call,
                finished_callback=self._finished,
                extra_settings=self._extras(device, direction),
            )
        self._streams.append(stream)
        return stream

    def _extras(self, device: Device, direction: Direction) -> Any:
        """What sounddevice takes for the host API, or None."""
        wanted, api = self._options, device.host_api
        if "WASAPI" in api:
            return self._sd.WasapiSettings(
                exclusive=wanted.exclusive, auto_convert=not wanted.exclusive
            )
        if "Core Audio" in api:
            return self._sd.CoreAudioSettings(change_device_parameters=wanted.exclusive)
        chosen = wanted.input_channels if direction == "input" else wanted.output_channels
        if "ASIO" in api and chosen:
            return self._sd.AsioSettings(channel_selectors=list(chosen)[:MAX_CHANNELS])
        return None

    def _hear(self, indata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        callback = self._callback
        self._watchman.called(INPUT)
        if callback is not None:
            callback(indata, None, str(status) if status else None)

    def _speak(self, outdata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        callback = self._callback
        self._watchman.called(OUTPUT, status)
        if callback is None:
            outdata[:] = 0
        else:
            callback(None, outdata, str(status) if status else None)

    def _monitor(self, outdata: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        callback = self._callback
        if callback is None:
            outdata[:] = 0
        else:
            callback.monitor(outdata)

    def _finished(self) -> None:
        """A stream has ended (its thread)."""
        self._lose(self._callback, "stopped by itself; is it still plugged in?")

    def _lose(self, callback: AudioCallback | None, words: str) -> None:
        if callback is None or callback is not self._callback:
            return  # we asked for it
        self._callback = None  # unplugged, or the sound server has gone
        names = f'"{self.input_device.name}" or "{self.output_device.name}"'
        callback.ended(DeviceError(f"{names} {words}"))

    def _watch(self, callback: AudioCallback) -> None:
        """Until the run is over (its own thread)."""
        while self._callback is callback:
            time.sleep(LOOK_SECONDS)
            patience = self._watchman.look()
            if patience is None:
                continue
            if self._watchman.underran and isinstance(self._wanted_latency, str):
                had = self._spoken_latency
                self._output_latency = min(2 * had, max(had, LONGEST_LATENCY))
            self._lose(callback, f"gave no sign of life for {patience:g} s")

    def _resolve(self) -> None:
        if self._prepare is not None:
            self._prepare()
        devices = list_devices()
        self.input_device = find_device(devices, self._wanted["input"], "input")
        self.output_device = find_device(devices, self._wanted["output"], "output")
        self.monitor_device = None
        if self._wanted["monitor"] is not None:
            self.monitor_device = find_device(devices, self._wanted["monitor"], "output")
        self.input_rate, self.sample_rate = self._choose_rates(self._wanted_rate)
        self.monitor_rate = 0
        if self.monitor_device is not None:
            rates = _rates_of(self.monitor_device, "output", _candidates(self.sample_rate))
            self.monitor_rate = _first(rates, self.monitor_device)
        self.input_block = round(self.input_rate * BLOCK_SECONDS)
        self.block = round(self.sample_rate * BLOCK_SECONDS)
        self.latency = self.input_device.input_latency + self.output_device.output_latency

    def _choose_rates(self, wanted: int | None) -> tuple[int, int]:
        """The input's and the output's."""
        defaults = (self.input_device.sample_rate, self.output_device.sample_rate)
        candidates = _candidates(wanted, *defaults)
        heard = _rates_of(self.input_device, "input", candidates)
        spoken = _rates_of(self.output_device, "output", candidates)
        both = [rate for rate in heard if rate in spoken]
        if both:
            return both[0], both[0]
        return _first(heard, self.input_device), _first(spoken, self.output_device)


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


def list_devices(probe: bool = False) -> list[Device]:
    """All devices: PortAudio's in its numbering, then those of a sound server behind one of them.

    probe: each is asked which of PROBED_RATES it takes; one that takes none in any direction is
    left out.
    """
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
    devices = [
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
            port=index,
        )
        for index, device in enumerate(found)
    ]
    devices = with_ids(devices + _behind_a_server(devices))
    return _probed(devices) if probe else devices


def _behind_a_server(devices: list[Device]) -> list[Device]:
    by_name = {d.name: d for d in devices if d.host_api == "ALSA"}
    port = next((by_name[name] for name in _SERVER_PORTS if name in by_name), None)
    if port is None:
        return []
    found = server_devices()
    return [_of_server(port, len(devices) + at, device) for at, device in enumerate(found)]


def _of_server(port: Device, index: int, device: ServerDevice) -> Device:
    return replace(
        port,
        index=index,
        name=device.description,
        host_api="PulseAudio",
        input_channels=device.channels if device.is_input else 0,
        output_channels=0 if device.is_input else device.channels,
        sample_rate=device.sample_rate,
        default_input=False,  # the port is what the system's default means
        default_output=False,
        server_name=device.name,
    )


def _probed(devices: list[Device]) -> list[Device]:
    found = []
    for device in devices:
        rates: set[int] = set()
        for direction in ("input", "output"):
            if _channels(device, direction):
                rates.update(_rates_of(device, direction, PROBED_RATES))
        if rates:
            found.append(replace(device, rates=tuple(sorted(rates))))
    return found


def _rates_of(device: Device, direction: Direction, candidates: Iterable[int]) -> list[int]:
    """Those of the candidates that the device takes."""
    return [rate for rate in candidates if _takes(device, direction, rate)]


def _takes(device: Device, direction: Direction, rate: int) -> bool:
    sd = import_sounddevice()
    check = sd.check_input_settings if direction == "input" else sd.check_output_settings
    channels = _channels(device, direction)
    try:
        with _routed(device, direction):
            check(device=device.port, channels=channels, dtype="float32", samplerate=rate)
    except (sd.PortAudioError, ValueError):
        return False
    return True


def _routed(device: Device, direction: Direction) -> Any:
    return routed("PULSE_SOURCE" if direction == "input" else "PULSE_SINK", device.server_name)


def _channels(device: Device, direction: Direction) -> int:
    return min(channels(device, direction), MAX_CHANNELS)


def _candidates(*first: int | None) -> list[int]:
    return list(dict.fromkeys(rate for rate in (*first, *COMMON_RATES) if rate))


def _first(rates: list[int], device: Device) -> int:
    if rates:
        return rates[0]
    raise DeviceError(
        f"{device.name} takes none of the usual rates; choose another device, or free this one if"
        " another program holds it"
    )


def _default_of(apis: Any, key: str) -> int:
    return next((int(api[key]) for api in apis if api[key] >= 0), -1)


def portaudio_version() -> str:
    """PortAudio's own words about itself."""
    return str(import_sounddevice().get_portaudio_version()[1])


def _reason(error: BaseException) -> str:
    return str(error.args[0] if error.args else error).strip().rstrip(".")


def _close(streams: list[Any]) -> None:
    for stream in streams:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
