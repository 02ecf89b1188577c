"""Weights of a safetensors file, read piece by piece into tensors that are there already.

Not mapped: a mapped file counts as memory of the process, beside what is made of it. The header has
been judged by safetensors when it gets here (`safe_open`); lengths are checked once more.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

from core.errors import VoiceFileError

PIECE = 1 << 15
"""Bytes read at a time, a multiple of every item's size."""
_TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}


class _Entry(NamedTuple):
    """Where a weight lies. begin: bytes from the start of the file."""

    kind: torch.dtype
    shape: tuple[int, ...]
    begin: int


class WeightsFile:
    """An open file. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """path: of a file that `safe_open` takes."""
        self._path = path
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._buffer = bytearray(PIECE)
        try:
            length = int.from_bytes(self._file.read(8), "little")
            header = json.loads(self._file.read(length))
            header.pop("__metadata__", None)
            self._entries = {key: self._entry(key, at, 8 + length) for key, at in header.items()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> WeightsFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all weights, by name."""
        return {key: entry.shape for key, entry in self._entries.items()}

    def halved(self, key: str) -> bool:
        """Whether a weight is there, in half precision."""
        return key in self._entries and self._entries[key].kind is torch.half

    def read(self, key: str, into: Tensor) -> bool:
        """Fills a contiguous tensor of the weight's shape. False: not all of it is finite."""
        entry, flat = self._entries[key], into.view(-1)
        self._file.seek(entry.begin)
        step = PIECE // entry.kind.itemsize
        finite = True
        for at in range(0, len(flat), step):
            part = flat[at : at + step]
            found = self._piece(key, entry.kind, len(part))
            finite = finite and bool(found.isfinite().all())
            part.copy_(found)
        return finite

    def _piece(self, key: str, kind: torch.dtype, count: int) -> Tensor:
        room = memoryview(self._buffer)[: count * kind.itemsize]
        got = 0
        while got < len(room):
            more = self._file.readinto(room[got:])  # type: ignore[attr-defined]
            if not more:
                raise VoiceFileError(f"{self._path} ends within weight {key}; get it again")
            got += more
        return torch.frombuffer(self._buffer, dtype=kind, count=count)

    def _entry(self, key: str, said: dict[str, object], data: int) -> _Entry:
        try:
            kind = _TYPES[str(said["dtype"])]
            shape = tuple(map(int, said["shape"]))  # type: ignore[call-overload]
            begin, end = map(int, said["data_offsets"])  # type: ignore[call-overload]
        except (KeyError, TypeError, ValueError):
            raise VoiceFileError(
                f"{self._path}: weight {key} should be of {', '.join(_TYPES)}, its header says"
                f" {str(said)[:80]}; export the voice again"
            ) from None
        if end - begin != math.prod(shape) * kind.itemsize:
            raise VoiceFileError(f"{self._path}: weight {key} is cut; export the voice again")
        return _Entry(kind, shape, data + begin)
