"""Converts files for another program, as a process of its own: `python -m offline.serve`.

Orders come as JSON lines on stdin: {"convert": ID, "source", "target", "voice" (path), "params"},
{"cancel": ID}, {"pause": true or false}. Events go out as JSON lines on stdout: `event` is "start",
"progress" (`share`), "done" (`seconds`, `compute_seconds`, `clipped`), "cancelled" or "failed"
(`error`), each with its `id`. The end of stdin ends it; a file half done is dropped.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import torch

from core.config import VoiceParams
from core.errors import VoiceChangerError
from core.tables import from_dict
from offline.convert_any import file_converter


class _CancelledError(Exception):
    """The file is not wanted any more."""


@dataclass(frozen=True)
class _Order:
    id: int
    source: Path
    target: Path
    voice: Path
    params: VoiceParams


class _Desk:
    """What stdin has said so far. `go` is clear while paused."""

    def __init__(self) -> None:
        self.orders: Queue[_Order | None] = Queue()
        self.cancelled: set[int] = set()
        self.go = threading.Event()
        self.go.set()
        self.closed = False

    def read(self) -> None:
        """Until stdin ends (its thread)."""
        for line in sys.stdin:
            self._take(json.loads(line))
        self.closed = True
        self.go.set()
        self.orders.put(None)

    def _take(self, order: dict[str, Any]) -> None:
        if "convert" in order:
            source, target, voice = (Path(order[key]) for key in ("source", "target", "voice"))
            params = from_dict(VoiceParams, order["params"])
            self.orders.put(_Order(order["convert"], source, target, voice, params))
        elif "cancel" in order:
            self.cancelled.add(order["cancel"])
        elif order.get("pause"):
            self.go.clear()
        else:
            self.go.set()

    def check(self, id: int) -> None:
        """Waits while paused; _CancelledError where the file is not wanted."""
        while not self.go.wait(0.1):
            if id in self.cancelled:
                break
        if self.closed or id in self.cancelled:
            raise _CancelledError


def serve() -> None:
    """Until stdin ends."""
    desk = _Desk()
    threading.Thread(target=desk.read, daemon=True).start()
    while (order := desk.orders.get()) is not None:
        _serve_one(order, desk)


def _serve_one(order: _Order, desk: _Desk) -> None:
    last = -1.0

    def progress(share: float) -> None:
        nonlocal last
        desk.check(order.id)
        if share - last >= 0.005 or share == 1:
            last = share
            _say("progress", order.id, share=round(share, 4))

    try:
        desk.check(order.id)
        _say("start", order.id)
        order.target.parent.mkdir(parents=True, exist_ok=True)
        done = file_converter(order.voice, order.params)(order.source, order.target, progress)
    except _CancelledError:
        _say("cancelled", order.id)
    except (VoiceChangerError, OSError) as error:
        _say("failed", order.id, error=str(error))
    else:
        _say(
            "done",
            order.id,
            seconds=done.seconds,
            compute_seconds=done.compute_seconds,
            clipped=done.clipped,
        )


def _say(event: str, id: int, **more: object) -> None:
    print(json.dumps({"event": event, "id": id, **more}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # a core stays free
    serve()
