"""Settings as tables, the way JSON and TOML have them: dataclasses out and in, by their types."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from core.errors import ConfigError

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """The JSON-ready form of any config."""
    return dataclasses.asdict(config)


def from_dict(cls: type[T], data: Mapping[str, Any], path: str = "") -> T:
    """Builds a config from its JSON form. Unknown keys and wrong types are errors saying where."""
    where = path or cls.__name__
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: expected a table of settings, got {type(data).__name__}")
    hints = get_type_hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        known = ", ".join(sorted(hints))
        raise ConfigError(f"{where}: unknown setting {', '.join(unknown)}; known: {known}")
    values = {k: _parse(hints[k], v, f"{where}.{k}") for k, v in data.items()}
    try:
        return cls(**values)
    except TypeError as error:  # a required field is missing
        raise ConfigError(f"{where}: {error}") from None


def _parse(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, path)
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{path}: expected a list, got {type(value).__name__}")
        return tuple(_parse(get_args(hint)[0], v, f"{path}[{i}]") for i, v in enumerate(value))
    accepted = get_args(hint) if get_origin(hint) is types.UnionType else (hint,)
    if float in accepted and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) not in accepted:
        names = " or ".join(t.__name__ for t in accepted)
        raise ConfigError(f"{path}: expected {names}, got {value!r}")
    return value
