"""A live session on the command line: its backend, its course, what is said about it."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from core.audio import check_writable
from core.errors import ConfigError, DeviceError
from realtime.loopback import LoopbackBackend
from realtime.portaudio import HostOptions, PortAudioBackend, list_devices
from realtime.priority import raise_priority
from realtime.pulse import server_devices
from realtime.session import LiveSession, SessionEvent
from realtime.stats import LiveStats
from realtime.virtual import SINK, SOURCE, SOURCE_WORDS, VirtualMicrophone, find_cable

Say = Callable[[str], None]

SWITCH_SECONDS = 0.0005  # until another thread gets the interpreter: a callback waits for it


@contextmanager
def signals(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """These handlers meanwhile."""
    if threading.current_thread() is not threading.main_thread():  # only there may they be set
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _undisturbed() -> AbstractContextManager[None]:
    """While a recording is completed, a second Ctrl-C must not cost it. `stop` never hangs."""
    return signals({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN})


def check_options(args: argparse.Namespace) -> None:
    """What can be seen to be wrong before anything slow is loaded."""
    if args.seconds is not None and not 0 < args.seconds < math.inf:
        raise ConfigError(f"--seconds must be more than 0, got {args.seconds}")
    if args.record is not None:
        check_writable(args.record, [args.input] if args.input else [])
        if args.output and args.record.absolute() == args.output.absolute():
            raise ConfigError(f"--record and --output are both {args.record}; choose two names")
    if args.backend == "loopback":
        if args.input is None or args.output is None:
            raise ConfigError("--backend loopback needs --input FILE and --output FILE")
        return
    if args.input or args.output:
        raise ConfigError(
            "--input and --output are files, for --backend loopback; a microphone and a speaker"
            " are chosen by --input-device and --output-device"
        )
    list_devices()  # without PortAudio there is nothing to wait for


@contextmanager
def opened(args: argparse.Namespace, sample_rate: int) -> Iterator[tuple[Any, str]]:
    """The backend that the options ask for, and what to say about it. A virtual microphone is made
    for it and taken away in the end.
    """
    if args.backend == "loopback":
        backend = LoopbackBackend(args.input, args.output, clock=args.clock)
        yield backend, f"playing {args.input} into {args.output}"
        return
    with sound_card(args, sample_rate) as cards:
        words = f"speak: {cards.input_device.name} -> {cards.output_device.name}"
        if args.virtual:
            words += f" (choose {SOURCE_WORDS} as the microphone of the other program)"
        yield cards, words


@contextmanager
def sound_card(
    args: argparse.Namespace, sample_rate: int, both_ends: bool = False
) -> Iterator[PortAudioBackend]:
    """The devices that the options ask for; a virtual microphone is taken away in the end.

    both_ends: that microphone is the input as well, to measure it.
    """
    ours = args.virtual and sys.platform.startswith("linux")
    microphone = VirtualMicrophone() if ours else None
    source, sink = args.input_device, args.output_device
    if args.virtual and sink is not None:
        raise ConfigError(
            "--virtual chooses the output; leave out --output-device, or hear yourself with"
            " --monitor-device"
        )
    if microphone is not None:
        sink = f"PulseAudio:{SINK}"
        source = f"PulseAudio:{SOURCE}" if both_ends else source
    elif args.virtual:
        sink = find_cable(list_devices(), "output").id
        source = find_cable(list_devices(), "input").id if both_ends else source
    try:
        yield PortAudioBackend(
            source,
            sink,
            monitor_device=args.monitor_device,
            sample_rate=sample_rate,
            latency=args.device_latency,
            options=HostOptions(exclusive=args.exclusive),
            prepare=None if microphone is None else lambda: _prepare(microphone, source),
        )
    finally:
        if microphone is not None:
            microphone.remove()


def _prepare(microphone: VirtualMicrophone, input_device: str | None) -> None:
    """The microphone is there, also after the server has been started again."""
    microphone.create()
    heard = {device.name for device in server_devices() if device.is_input and device.default}
    if input_device is None and SOURCE in heard:
        raise DeviceError(
            "the virtual microphone is the system's default input, so that a session would hear"
            " itself; choose another default, or name one with --input-device"
        )


def play(session: LiveSession, seconds: float | None, say: Say, words: str = "") -> None:
    """Runs a session until its input ends, its time is over or the user ends it."""
    sys.setswitchinterval(SWITCH_SECONDS)
    if isinstance(session.backend, PortAudioBackend):  # a file has time
        raise_priority()
    session.start()
    try:
        if words:
            latency = session.stats.latency.total_ms
            say(f"{words} ({session.backend.sample_rate} Hz, latency {latency:.0f} ms)")
        end = math.inf if seconds is None else time.monotonic() + seconds
        while time.monotonic() < end and not session.wait(min(0.2, end - time.monotonic())):
            pass  # in short turns: on Windows a wait hears Ctrl-C only when it returns
    except KeyboardInterrupt:
        say("stopping ...")
    with _undisturbed():
        session.stop()
    if session.error is not None:
        raise session.error


def announcer(say: Say) -> Callable[[SessionEvent], None]:
    """For `on_event`: tells what the user has to know while sound runs."""

    def announce(event: SessionEvent) -> None:
        if event.kind == "lost":
            say(f"{event.error}; waiting for it, the voice stays loaded")
        elif event.kind == "resumed":
            say("the device is back; go on")
        elif event.kind == "recording_failed":
            say(f"{event.error}; the sound goes on")

    return announce


def advise(stats: LiveStats, say: Say) -> None:
    """What to do about the dropouts a session had."""
    if stats.xruns:
        say(
            f"{stats.xruns} dropouts, as a block took up to {stats.max_ms:.0f} ms of"
            f" {stats.latency.block_ms:.0f}; close other programs, or use fewer --steps, a longer"
            " --block-ms or no --low-latency"
        )
    elif stats.device_xruns:
        say(f"{stats.device_xruns} dropouts of the device itself; try --device-latency high")
    seconds = stats.bypassed_blocks * stats.latency.block_ms / 1000
    if seconds >= 0.1:  # a block or two are no reason
        say(f"the machine was too slow for the voice for {seconds:.1f} s; try a longer --block-ms")
