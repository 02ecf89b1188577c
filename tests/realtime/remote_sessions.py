"""What the tests of `realtime/remote.py` have made and asked in the engine's process."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.config import VoiceParams
from core.errors import DeviceError
from realtime.glimpse import Glimpse
from realtime.loopback import LoopbackBackend
from realtime.remote import Engine, RemoteSession
from realtime.session import LiveSession, SessionEvent
from tests.doubles import Delay, FailingProcessor, Identity

RATE = 48_000


def nobody(event: SessionEvent) -> None:
    """Hears nothing."""


def endless(on_event: object = nobody) -> LiveSession:
    """A minute of silence on the real clock."""
    backend = LoopbackBackend(np.zeros(60 * RATE, np.float32), sample_rate=RATE, clock="real")
    return LiveSession(Tuned(), backend, on_event=on_event)  # type: ignore[arg-type]


def files(source: Path, target: Path, on_event: object = nobody) -> LiveSession:
    backend = LoopbackBackend(source, target, clock="virtual")
    return LiveSession(Delay(500, RATE, 960), backend, on_event=on_event)  # type: ignore[arg-type]


def failing(on_event: object = nobody) -> LiveSession:
    backend = LoopbackBackend(np.zeros(RATE, np.float32), sample_rate=RATE)
    processor = FailingProcessor(5, ZeroDivisionError("a bug"))
    return LiveSession(processor, backend, on_event=on_event)  # type: ignore[arg-type]


class Refusing(LoopbackBackend):
    def start(self, callback: object) -> None:
        raise DeviceError("the microphone is in use; close the other program")


def refusing(on_event: object = nobody) -> LiveSession:
    backend = Refusing(np.zeros(10, np.float32), sample_rate=RATE)
    return LiveSession(Identity(), backend, on_event=on_event)  # type: ignore[arg-type]


class Tuned(Identity):
    """Has params of its own, as a voice does."""

    params = VoiceParams()


class Higher(Tuned):
    params = VoiceParams(pitch_shift=7.0)


def shift_of(session: LiveSession) -> float | None:
    return session.params.pitch_shift


def mode_of(session: LiveSession) -> str:
    return session.sound.mode


def die(session: LiveSession) -> None:
    os._exit(3)


def unportable(session: LiveSession) -> object:
    return partial(lambda: None)


@dataclass(frozen=True)
class Seen:
    """A second of sound, shown in the Glimpse of that name."""

    name: str

    def __call__(self, on_event: object = nobody) -> LiveSession:
        wave = np.full(RATE, 0.5, np.float32)
        backend = LoopbackBackend(wave, sample_rate=RATE, clock="virtual")
        glimpse = Glimpse(self.name)
        return LiveSession(
            Identity(),
            backend,
            on_event=on_event,  # type: ignore[arg-type]
            on_block=glimpse.write,
        )


if __name__ == "__main__":  # a window that is killed
    engine = Engine()
    session = RemoteSession(engine, endless)
    session.start()
    print(engine.process, flush=True)
    time.sleep(60)
    sys.exit(1)
