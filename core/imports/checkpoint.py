"""Foreign files, read safely: weights by torch's restricted unpickler, configs as plain text."""

from __future__ import annotations

import json
import pickle
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from core.errors import ConfigError, VoiceFileError
from core.imports.plain_yaml import read_yaml

T = TypeVar("T", int, float, bool, str)

State = dict[str, Tensor]

_CONFIG_SIZE = 16 * 2**20  # bytes; a config with per-bin lists has some ten thousand
_BASES = 8
_BROKEN = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    struct.error,
)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A torch file as a dict of tensors, numbers, strings and containers of these.

    Nothing in it is executed: numpy scalars are let through by name, any other code refuses the
    file. A broken one is a VoiceFileError.
    """
    if not path.is_file():
        raise VoiceFileError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise VoiceFileError(f"{path} is empty (0 bytes); download or copy it again")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_numpy_scalars()):
            warnings.simplefilter("ignore")  # about pickle protocols; what follows says it better
            data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise VoiceFileError(_refusal(path, str(error))) from None
    except _BROKEN as error:
        raise VoiceFileError(
            f"{path} is no torch checkpoint or not whole ({_first_line(error)}); download or copy"
            " it again"
        ) from None
    if not isinstance(data, dict):
        raise VoiceFileError(
            f"{path}: expected a table of weights, found {type(data).__name__}; is it a checkpoint?"
        )
    return data


def state_at(data: Mapping[str, Any], path: Path, *keys: str) -> State:
    """The tensors at data[keys[0]][keys[1]]...; what is none is left out."""
    found: Any = data
    for depth, key in enumerate(keys):
        if not isinstance(found, Mapping) or key not in found:
            at = ".".join(keys[: depth + 1])
            has = ", ".join(str(k) for k in list(found)[:6]) if isinstance(found, Mapping) else "-"
            raise VoiceFileError(
                f'{path}: expected "{at}", found {has}; is it another kind of file?'
            )
        found = found[key]
    if not isinstance(found, Mapping):
        raise VoiceFileError(f'{path}: expected a table of tensors at "{".".join(keys)}"')
    return tensors_of(found, path)


def tensors_of(table: Mapping[Any, Any], path: Path) -> State:
    """The tensors of a table as float32 where they are numbers with a point; all finite."""
    state: State = {}
    for key, value in table.items():
        if not isinstance(value, Tensor):
            continue
        if value.is_floating_point():
            if not torch.isfinite(value).all():
                raise VoiceFileError(
                    f"{path}: {key} holds numbers that are not finite; the training failed, take"
                    " an earlier checkpoint"
                )
            value = value.float()
        state[str(key)] = value.detach()
    return state


def below(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def read_config_file(path: Path) -> dict[str, Any]:
    """A YAML or JSON config with those it is based on (`base_config`)."""
    return _read_based(path, _BASES)


class Settings:
    """A foreign config's values, each checked for its type when it is asked for."""

    def __init__(self, data: Mapping[str, Any], path: Path) -> None:
        self._data, self.path = data, path

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def get(self, key: str, default: T) -> T:
        """The value at a dotted key, of the default's type; the default where there is none."""
        value: Any = self._data
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            return default
        wanted = type(default)
        if wanted is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return wanted(value)
        if type(value) is not wanted:
            raise ConfigError(
                f"{self.path}: {key} should be a {wanted.__name__}, like {default!r}; got {value!r}"
            )
        return value

    def numbers(self, key: str) -> list[float]:
        """A list of numbers; empty where there is none."""
        value = self._data.get(key)
        items = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in items):
            raise ConfigError(f"{self.path}: {key} should be a list of numbers, got {value!r:.60}")
        return [float(v) for v in items]


def _read_based(path: Path, depth: int) -> dict[str, Any]:
    data = _read_table(path)
    bases = data.pop("base_config", None) or []
    merged: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        other = path.parent / str(base)
        if depth and other.is_file():  # a shipped config is merged already and its base not there
            merged = _merged(merged, _read_based(other, depth - 1))
    return _merged(merged, data)


def _read_table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise VoiceFileError(f"{path}: no such file; name the config with --config")
    if path.stat().st_size > _CONFIG_SIZE:
        raise VoiceFileError(f"{path} is too large for a config; is it a checkpoint?")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise VoiceFileError(
            f"{path} is no text in UTF-8; expected a YAML or JSON config"
        ) from None
    try:
        data = json.loads(text) if path.suffix == ".json" else read_yaml(text, str(path))
    except json.JSONDecodeError as error:
        raise VoiceFileError(f"{path} is no JSON ({error}); download it again") from None
    if not isinstance(data, dict):
        raise VoiceFileError(f"{path}: expected a table of settings; is it a config?")
    return data


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        nested = isinstance(value, dict) and isinstance(old, dict)
        both[key] = _merged(old, value) if nested and isinstance(old, dict) else value
    return both


def _numpy_scalars() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What resumed trainings leave in a checkpoint beside tensors: numpy numbers, by name."""
    scalar = np.float64(0).__reduce__()[0]
    assert callable(scalar)
    kinds = {type(np.dtype(code)) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "?")}
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *kinds,
    ]


def _refusal(path: Path, words: str) -> str:
    found = re.search(r"GLOBAL (\S+)|class (\S+)", words)
    if found:
        name = (found[1] or found[2]).strip(".`'\"")
        return (
            f"{path} holds {name}, which is code and no weights; it was not run and nothing was"
            " imported; use a file from a source you trust"
        )
    return f"{path} is no torch checkpoint or not whole; download or copy it again"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100].rstrip(".")
