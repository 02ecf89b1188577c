"""The processes behind the window, and what is done in the sound's.

The window's process loads no torch and no sound runs in it: so neither waits for the other's
interpreter. Two Engines at most: one for the sound, one for what else needs the voices.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from core.config import StreamConfig, VoiceParams
from core.errors import VoiceChangerError
from gui.engine import MakeBackend
from gui.settings import Devices, Pace
from gui.trials import Silence
from realtime.backend import AudioBackend
from realtime.glimpse import Glimpse
from realtime.host import Listener
from realtime.remote import Engine, RemoteSession
from realtime.session import LiveSession

T = TypeVar("T")
CLOSE_SECONDS = 5.0


class Process:
    """An Engine, made when first needed and again after it has died. What waits: in a Job."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """Raises once it is closed."""
        with self._lock:
            if self._closed:
                raise VoiceChangerError("the window is closed; open it again")
            if self._engine is None or not self._engine.alive:
                self._engine = Engine()
            return self._engine

    @property
    def number(self) -> int | None:
        """Of the process, if there is one."""
        return None if self._engine is None else self._engine.process

    def run(self, work: Callable[[], T]) -> T:
        """What a function that pickles gives, there."""
        answer: T = self.engine.call("run", work)
        return answer

    def close(self) -> None:
        """For good; what it does at the moment fails."""
        with self._lock:
            self._closed = True
        if self._engine is not None:
            self._engine.close(CLOSE_SECONDS)


def started(session: RemoteSession) -> RemoteSession:
    """It runs; one that does not is ended."""
    try:
        session.start()
    except BaseException:
        session.stop()
        raise
    return session


@dataclass(frozen=True)
class Order:
    """A converter to make. stream: a Pace where the voice is an imported one."""

    voice: Path
    stream: StreamConfig | Pace
    params: VoiceParams
    suppress: bool = False


# From here on: in the sound's process.


def make_converter(order: Order) -> Any:
    """The voice loaded last stays loaded."""
    from realtime.suppress import Suppressed

    voice = _voice(order.voice, order.voice.stat().st_mtime_ns)
    if isinstance(order.stream, Pace):
        made = _imported(voice, order.stream, order.params)
    else:
        made = _own(voice, order.stream, order.params)
    return Suppressed(made) if order.suppress else made


def _own(voice: Any, stream: StreamConfig, params: VoiceParams) -> Any:
    from core.streaming.converter import StreamingConverter
    from core.threads import use_threads

    use_threads(1)
    return StreamingConverter(voice, stream, params)


def _imported(voice: Any, pace: Pace, params: VoiceParams) -> Any:
    from core.diff_svc.converter import ForeignConverter
    from core.diff_svc.live import live_stream
    from core.threads import use_threads

    use_threads(max(1, (os.cpu_count() or 1) - 1))  # a core stays the window's
    stream = live_stream(voice.config.mel, pace.block, pace.lookahead)
    steps = min(pace.steps, voice.config.k_step)
    return ForeignConverter(voice, replace(stream, steps=steps), params)


@lru_cache(maxsize=1)
def _voice(path: Path, written: int) -> Any:
    from core.diff_svc.wish import load_foreign
    from core.voice import NATIVE, VoiceModel, kind_of, read_metadata

    kind = kind_of(read_metadata(path))
    return VoiceModel.load(path) if kind == NATIVE else load_foreign(path, kind)


def load(order: Order) -> None:
    """So that the start is quick."""
    make_converter(order)


def make_live(
    order: Order, make_backend: MakeBackend, devices: Devices, view: str, on_event: Listener
) -> LiveSession:
    """The converter between the devices, seen through the Glimpse of that name."""
    converter = make_converter(order)
    glimpse = _view(view)

    def show(heard: Any, said: Any) -> None:
        voice: Any = getattr(session.processor, "inner", session.processor)
        glimpse.describe(converter.sample_rate, voice.pitch_shift)
        glimpse.write(heard, said)

    session = LiveSession(
        converter,
        make_backend(devices, converter.sample_rate),
        params=order.params,
        on_event=on_event,
        on_block=show,
    )
    return session


@cache
def _view(name: str) -> Glimpse:
    found = Glimpse(name)
    atexit.register(found.close)
    return found


def make_trial(
    trial: Silence, make_backend: MakeBackend, devices: Devices, on_event: Listener
) -> LiveSession:
    """A level check or a tone."""
    backend = make_backend(devices, trial.sample_rate)
    return LiveSession(trial, backend, on_event=on_event)


def measure_latency(order: Order, make_backend: MakeBackend, devices: Devices) -> float:
    """Milliseconds from speech to sound, by chirps: devices, if there are, and session."""
    from realtime.latency import measure_devices, measure_session
    from realtime.loopback import LoopbackBackend

    converter = make_converter(order)
    session = measure_session(converter, converter.sample_rate)
    backend: AudioBackend = make_backend(devices, converter.sample_rate)
    if isinstance(backend, LoopbackBackend):
        return session.measured_ms
    return session.measured_ms + measure_devices(backend).measured_ms
