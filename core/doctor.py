"""What a healthy installation needs, what is there, and the command that mends what is not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import VoiceChangerError

_PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "soundfile",
    "sounddevice",
    "pyworld",
    "librosa",
    "safetensors",
)
_OPTIONAL = ("onnxruntime", "swift-f0")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. needed: whether moksori cannot do its work without it."""

    what: str
    ok: bool
    state: str
    remedy: str = ""
    needed: bool = True


def diagnose(count_devices: Callable[[], int]) -> list[Finding]:
    """Looks at Python, packages, voices, GPU, threads and sound.

    count_devices: lists audio devices; raises a VoiceChangerError that says why it cannot.
    """
    findings = [Finding("python", True, f"{platform.python_version()} on {platform.platform()}")]
    findings += [_package(name, needed=True) for name in _PACKAGES]
    findings += [_package(name, needed=False) for name in _OPTIONAL]
    findings += [_torch(), _voices(), _sound(count_devices)]
    return findings


def _package(name: str, needed: bool) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name), needed=needed)
    except importlib.metadata.PackageNotFoundError:
        state = "not installed" if needed else "not installed (optional)"
        return Finding(name, False, state, f"pip install {name}", needed)


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("compute", False, str(error), "python3 start.py installs a fitting torch")
    if torch.cuda.is_available():
        device = f"GPU {torch.cuda.get_device_name(0)}"
    else:
        device = "CPU only (enough for the embedded voice)"
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    return Finding("compute", True, f"{device}, {threads}")


def _voices() -> Finding:
    from core.voice import embedded_voices, read_config

    try:
        names = [read_config(path).name for path in embedded_voices().values()]
    except VoiceChangerError as error:
        return Finding("voices", False, str(error), "install moksori again")
    if not names:
        return Finding("voices", False, "no embedded voice", "install moksori again")
    return Finding("voices", True, ", ".join(names))


def _sound(count_devices: Callable[[], int]) -> Finding:
    try:
        count = count_devices()
    except VoiceChangerError as error:
        return Finding("portaudio", False, str(error), "", needed=False)
    if count == 0:
        remedy = "plug in a microphone or start the sound server; files work without"
        return Finding("devices", False, "PortAudio finds no device", remedy, needed=False)
    return Finding("devices", True, f"{count} audio devices")
