"""A session without a voice on the default devices, told what to do on stdin; see test_pulse.py.

A third device, the monitor, may be named.
Prints a line of JSON for every event, and for every line it reads.
"""

from __future__ import annotations

import json
import sys
import time

from realtime.portaudio import PortAudioBackend
from realtime.session import LiveSession, SessionEvent
from realtime.stats import figures
from tests.doubles import Identity


def tell(**words: object) -> None:
    print(json.dumps({"time": time.monotonic(), **words}), flush=True)


def main(monitor: str | None = None) -> None:
    def listen(event: SessionEvent) -> None:
        tell(event=event.kind, error=str(event.error))

    backend = PortAudioBackend(sample_rate=44_100, monitor_device=monitor)
    session = LiveSession(Identity(44_100, 1536), backend, on_event=listen)
    session.start()
    for _ in sys.stdin:
        tell(event="stats", state=session.state.value, **figures(session.stats))
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
