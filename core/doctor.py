"""What a healthy installation needs, what is there, and the command that mends what is not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import VoiceChangerError

_NEEDED = ("torch", "numpy", "scipy", "soundfile", "soxr", "librosa", "safetensors", "tqdm")
_OPTIONAL = {  # package -> what it is for, what pip installs
    "sounddevice": ("live sound", "sounddevice"),
    "pyworld": ("pitch by DIO or Harvest; needs a C++ compiler on Linux", "pyworld"),
    "onnxruntime": ("pitch by SwiftF0", "onnxruntime"),
    "swift-f0": ("pitch by SwiftF0", "swift-f0"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. needed: whether moksori cannot do its work without it."""

    what: str
    ok: bool
    state: str
    remedy: str = ""
    needed: bool = True


@dataclass(frozen=True)
class Sound:
    """What is known of sound cards. version: PortAudio's own words."""

    version: str
    inputs: int
    outputs: int


def diagnose(look_at_sound: Callable[[], Sound], portaudio_remedy: str) -> list[Finding]:
    """Looks at Python, packages, GPU, threads, voices and sound.

    look_at_sound: raises a VoiceChangerError that says why it cannot.
    portaudio_remedy: what mends a missing PortAudio on this system.
    """
    findings = [Finding("python", True, f"{platform.python_version()} on {platform.platform()}")]
    findings += [_needed(name) for name in _NEEDED]
    findings += [_optional(name, *about) for name, about in _OPTIONAL.items()]
    findings += _compute()
    findings.append(_voices())
    findings += _sound(look_at_sound, portaudio_remedy)
    return findings


def _needed(name: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(name, False, "not installed", f"pip install {name}")
    return Finding(name, True, version)


def _optional(name: str, purpose: str, package: str) -> Finding:
    version = _version(name)
    if version is None:
        state = f"not installed; optional: {purpose}"
        return Finding(name, False, state, f"pip install {package}", needed=False)
    return Finding(name, True, version, needed=False)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _compute() -> list[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of the wrong build
        return [
            Finding("compute", False, f"torch does not load: {error}", "python3 start.py install")
        ]
    threads = f"{torch.get_num_threads()} for files, 1 live, of {os.cpu_count()} cores"
    gpu = "none; the embedded voice needs none"
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_name(0)
    return [Finding("threads", True, threads), Finding("gpu", True, gpu, needed=False)]


def _voices() -> Finding:
    remedy = "get moksori again: a voice file of the package is missing or damaged"
    try:
        from core.voice import VoiceModel, embedded_voices

        names = [VoiceModel.load(path).config.name for path in embedded_voices().values()]
    except VoiceChangerError as error:
        return Finding("voices", False, str(error), remedy)
    except (ImportError, OSError) as error:
        return Finding("voices", False, f"cannot be read: {error}", "mend the packages above")
    if not names:
        return Finding("voices", False, "no embedded voice", remedy)
    return Finding("voices", True, f"{', '.join(names)} (embedded, readable)")


def _sound(look: Callable[[], Sound], portaudio_remedy: str) -> list[Finding]:
    try:
        sound = look()
    except VoiceChangerError as error:
        state = f"{error}"
        return [Finding("portaudio", False, state, portaudio_remedy, needed=False)]
    found = f"{sound.inputs} to hear with, {sound.outputs} to speak through"
    portaudio = Finding("portaudio", True, sound.version, needed=False)
    if not (sound.inputs and sound.outputs):
        remedy = "plug in a microphone or start the sound server; files work without"
        return [portaudio, Finding("devices", False, found, remedy, needed=False)]
    return [portaudio, Finding("devices", True, found, needed=False)]
