"""What a source and sink of live sound promises the session, and what the session promises it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

AudioBlock = NDArray[np.float32]  # (T, channels), the layout devices use


@dataclass(frozen=True)
class Device:
    """One audio device. Rates in Hz, latencies in seconds.

    index: its number in the list, which changes with what is plugged in. id: what does not, such as
    `ALSA:default`. port: PortAudio's number, by which it is opened. server_name: its name in the
    sound server behind that port, if it is one of several there. rates: those it was found to take.
    """

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    sample_rate: int
    input_latency: float = 0.0
    output_latency: float = 0.0
    default_input: bool = False
    default_output: bool = False
    id: str = ""
    port: int = -1
    server_name: str = ""
    rates: tuple[int, ...] = ()


class AudioCallback(Protocol):
    """What the session hands to a backend."""

    latency: int  # device samples the output lags the input: what a finite input needs as silence

    def __call__(
        self, indata: AudioBlock | None, outdata: AudioBlock | None, status: str | None
    ) -> None:
        """Takes `indata` (T, C), fills all of `outdata` (T, C); None where a stream has one side.

        Inputs come from one thread and outputs from one thread; they may be two. Never waits.
        status: what the device reports, such as "input overflow"; None or "" when all is well.
        """

    def monitor(self, outdata: AudioBlock) -> None:
        """Fills `outdata` (T, C) of a third device, which plays the same. Never waits."""

    def settle(self, timeout: float) -> bool:
        """Waits until the worker has taken all it can; for a backend whose clock can wait.

        False when that took longer than `timeout` seconds. At once true after the worker has died.
        """

    def ended(self, error: BaseException | None) -> None:
        """The last thing a backend says by itself: its input is over, or the device is lost."""

    @property
    def failed(self) -> bool:
        """True once the worker has died; what is played from then on is silence."""


class AudioBackend(Protocol):
    """A clock that calls back. PortAudio is one, a file is another, a test's array a third."""

    sample_rate: int  # Hz, of the output; lengths are in its samples where nothing else is said
    block: int  # samples per output callback, nominal
    input_rate: int  # Hz
    input_block: int  # samples per input callback, nominal
    monitor_rate: int  # Hz, of the third device; 0 where there is none
    latency: float  # seconds, device in + out; final once started
    one_clock: bool  # input and output are called in turn and cannot drift apart
    reopens: bool  # after a DeviceError it may be started again, when the device is back

    def now(self) -> float:
        """Seconds on the clock that the callbacks keep; only differences count."""

    def refresh(self) -> None:
        """Looks for its devices again, while stopped; rates may change. DeviceError: not there."""

    def start(self, callback: AudioCallback) -> None:
        """Opens the device and begins to call back. DeviceError if it cannot."""

    def stop(self) -> None:
        """Ends the calls, waits for the last one, closes. Harmless when not running."""
