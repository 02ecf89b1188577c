"""What a command of the studio tells: one JSON object a line for programs, words for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Tell = Callable[[Event], None]
"""Called with one event; its kind is under "event"."""

_BAR = 20  # characters


def as_json(event: Event) -> None:
    """One line on stdout."""
    print(json.dumps(event, ensure_ascii=False), flush=True)


def teller(json_lines: bool) -> Tell:
    """What `--json` asks for."""
    return as_json if json_lines else Terminal()


class Terminal:
    """Live lines on stderr: a step overwrites the one before, the rest stays."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._open = False

    def __call__(self, event: Event) -> None:
        kind = event["event"]
        if kind in _LIVE:
            self._line(_LIVE[kind](event))
            return
        if self._open:
            print(file=sys.stderr)
            self._open = False
        for line in _LINES.get(kind, _plain)(event):
            print(line, file=sys.stderr, flush=True)

    def _line(self, text: str) -> None:
        end = "" if self._live else "\n"
        start = "\r\x1b[K" if self._live else ""
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)
        self._open = self._live


def _step(event: Event) -> str:
    left = event["seconds_left"]
    wait = "" if left is None else f"  {left / 60:.1f} min left"
    return (
        f"step {event['step']}  loss {event['loss']:.4f}  {event['frames_per_second']:.0f}"
        f" frames/s{wait}"
    )


def _file(event: Event) -> str:
    problem = f"  ({event['error']})" if "error" in event else ""
    return f"{_bar(event)}  {event['file']}: {event['pieces']} pieces{problem}"


def _units(event: Event) -> str:
    return f"{_bar(event)}  pieces heard"


def _bar(event: Event) -> str:
    done, of = event["done"], event["of"]
    return f"[{'#' * round(_BAR * done / of):<{_BAR}}] {done}/{of}"


def _report(event: Event) -> list[str]:
    lines = [f"{event['pieces']} pieces, {event['seconds'] / 60:.1f} min to learn from"]
    lines += [f"dropped  {_where(each)}  {each['why']}" for each in event["dropped"]]
    return lines + [f"flagged  {_where(f)}  {', '.join(f['flags'])}" for f in event["flagged"]]


def _where(each: Event) -> str:
    return f"{each['source']} {each['start']:.1f}-{each['end']:.1f} s"


def _validation(event: Event) -> list[str]:
    figures = "  ".join(f"{k} {v:.4f}" for k, v in event["figures"].items())
    best = "  (best)" if event["best"] else ""
    return [f"check at step {event['step']}  {figures}{best}"]


def _plain(event: Event) -> list[str]:
    return ["  ".join(f"{k} {v}" if k != "event" else str(v) for k, v in event.items())]


_LIVE: dict[str, Callable[[Event], str]] = {"step": _step, "file": _file, "units": _units}
_LINES: dict[str, Callable[[Event], list[str]]] = {"report": _report, "validation": _validation}
