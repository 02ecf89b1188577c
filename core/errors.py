"""What can go wrong from outside. Each message says what was expected, what came and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class VoiceChangerError(Exception):
    """Base of every error a user can cause or mend; the command line prints it and exits with 1."""


class ConfigError(VoiceChangerError):
    """A setting that does not fit: unknown name, wrong type, out of range."""


class MisfitError(ConfigError):
    """A voice of other lengths than the one that runs: it cannot take over while sound runs."""


class AudioFileError(VoiceChangerError):
    """An audio file that is missing, empty, broken or cannot be written."""


class VoiceFileError(VoiceChangerError):
    """A voice file that is missing, truncated, foreign or does not match its own config."""


class DeviceError(VoiceChangerError):
    """An audio device that is missing or refuses what was asked of it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a table: `unknown sampler "x"; known: a, b`."""
    return ConfigError(f'unknown {kind} "{name}"; known: {", ".join(sorted(known))}')


def first_line(error: Exception) -> str:
    """What another library's error says, without its long explanation."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def say(words: str) -> None:
    """A sentence to whoever typed the command: on stderr, as results go to stdout."""
    print(f"moksori: {words}", file=sys.stderr, flush=True)
