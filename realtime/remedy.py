"""What to do where the sound library is missing."""

from __future__ import annotations

import importlib.util
import shutil
import sys

_LINUX_INSTALLERS = {
    "apt-get": "apt install libportaudio2",
    "dnf": "dnf install portaudio",
    "pacman": "pacman -S portaudio",
    "zypper": "zypper install portaudio",
    "apk": "apk add portaudio",
}


def portaudio_remedy() -> str:
    """The command that mends a missing PortAudio on this system."""
    if not (_loaded("sounddevice") or importlib.util.find_spec("sounddevice")):
        return "pip install sounddevice"
    if sys.platform.startswith("linux"):  # elsewhere the package brings the library
        found = (command for tool, command in _LINUX_INSTALLERS.items() if shutil.which(tool))
        return f"sudo {next(found, _LINUX_INSTALLERS['apt-get'])}"
    return "pip install --force-reinstall sounddevice"


def _loaded(name: str) -> bool:
    return sys.modules.get(name) is not None
