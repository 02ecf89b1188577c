"""What the app asks of core, realtime and offline. Everything here is slow: call it in a Job.

What loads torch runs in a process (`processes.py`); the imports stand inside the functions, so that
the window never loads it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.config import StreamConfig, VoiceParams
from core.errors import ConfigError, VoiceFileError
from gui.settings import VIRTUAL, Devices
from realtime.backend import AudioBackend, Device

MakeBackend = Callable[[Devices, int], AudioBackend]
"""Of the devices chosen and the voice's rate. Called in the sound's process, so it must pickle."""
DEMO = Path(__file__).parents[1] / "core" / "assets" / "demo.flac"


@dataclass(frozen=True)
class VoiceInfo:
    """A voice as the app shows it. live: it can be spoken with; else it converts files."""

    name: str
    path: Path
    speakers: tuple[str, ...]
    live: bool


@dataclass(frozen=True)
class Line:
    """A line of the doctor's. ok: nothing to do."""

    what: str
    ok: bool
    state: str
    remedy: str


def list_voices() -> list[VoiceInfo]:
    """The embedded ones first. A broken file is left out."""
    from core.voice import (
        NATIVE,
        embedded_voices,
        imported_voices,
        kind_of,
        read_config,
        read_metadata,
    )

    found = []
    for name, path in {**embedded_voices(), **imported_voices()}.items():
        try:
            if kind_of(read_metadata(path)) != NATIVE:
                found.append(VoiceInfo(name, path, (name,), False))
                continue
            config = read_config(path)
        except VoiceFileError:
            continue
        speakers = tuple(speaker.name for speaker in config.speakers)
        found.append(VoiceInfo(name, path, speakers, True))
    return found


@dataclass(frozen=True)
class SoundCard:
    """A MakeBackend: the devices chosen; the virtual microphone is made if it is one of them.

    owner: the process with which the virtual microphone ends.
    """

    owner: int = field(default_factory=os.getpid)

    def __call__(self, devices: Devices, sample_rate: int) -> AudioBackend:
        """See MakeBackend."""
        from realtime.portaudio import PortAudioBackend, list_devices
        from realtime.virtual import SINK, VirtualMicrophone, find_cable

        output: str | None = devices.output or None
        prepare = None
        if output == VIRTUAL and sys.platform.startswith("linux"):
            microphone = VirtualMicrophone(self.owner)
            output = f"PulseAudio:{SINK}"

            def prepare() -> None:
                microphone.create()

        elif output == VIRTUAL:
            output = find_cable(list_devices(), "output").id
        return PortAudioBackend(
            devices.input or None,
            output,
            monitor_device=devices.monitor or None,
            sample_rate=devices.rate or sample_rate,
            latency="high" if devices.latency == "high" else "low",
            prepare=prepare,
        )


@dataclass(frozen=True)
class Loop:
    """A MakeBackend: a recording, again and again, in place of devices."""

    path: Path
    seconds: float = 600.0

    def __call__(self, devices: Devices, sample_rate: int) -> AudioBackend:
        """See MakeBackend."""
        import numpy as np

        from core.audio import load_mono
        from realtime.loopback import LoopbackBackend

        wave, rate = load_mono(self.path, devices.rate or None)
        times = max(1, round(self.seconds * rate / len(wave)))
        return LoopbackBackend(np.tile(wave, times), sample_rate=rate, clock="real")


def list_sound_devices() -> list[Device]:
    """As PortAudio and the sound server tell."""
    from realtime.portaudio import list_devices

    return list_devices()


def make_virtual_microphone() -> str:
    """Makes it (Linux) or finds the cable; says which."""
    from realtime.virtual import SOURCE_WORDS, VirtualMicrophone, find_cable

    if sys.platform.startswith("linux"):
        VirtualMicrophone().create()
        return SOURCE_WORDS
    return find_cable(list_sound_devices(), "output").name


def remove_virtual_microphone() -> None:
    """What this process has made."""
    if sys.platform.startswith("linux"):
        from realtime.virtual import VirtualMicrophone

        VirtualMicrophone().remove()


def examine() -> list[Line]:
    """What `moksori doctor` finds."""
    from core.doctor import Sound, diagnose
    from realtime.portaudio import list_devices, portaudio_version
    from realtime.remedy import portaudio_remedy

    def look() -> Sound:
        devices = list_devices()
        inputs = sum(device.input_channels > 0 for device in devices)
        outputs = sum(device.output_channels > 0 for device in devices)
        return Sound(portaudio_version(), inputs, outputs)

    found = diagnose(look, portaudio_remedy())
    return [Line(f.what, f.ok or not f.needed, f.state, f.remedy) for f in found]


def render_sample(voice: Path, params: VoiceParams, seconds: float = 4.0) -> Path:
    """The packaged recording in that voice, as a file."""
    from core.audio import load_mono, save_audio
    from core.voice import VoiceModel
    from offline.convert import convert_file

    folder = Path(tempfile.mkdtemp(prefix="moksori-sample-"))
    wave, rate = load_mono(DEMO)
    save_audio(folder / "source.wav", wave[: round(seconds * rate)], rate)
    target = folder / "sample.wav"
    convert_file(VoiceModel.load(voice), folder / "source.wav", target, params, StreamConfig())
    return target


def import_from(path: Path) -> list[str]:
    """Takes in what was dropped: a voice file, a checkpoint or its folder. What was found, by line.

    VoiceFileError says exactly what is missing.
    """
    from core.voice import own_folder, read_metadata
    from offline.import_voice import import_voice

    if path.suffix == ".safetensors":
        read_metadata(path)
        own_folder().mkdir(parents=True, exist_ok=True)
        target = own_folder() / path.name
        if target.resolve() != path.resolve():
            shutil.copyfile(path, target)
        return [f"{path.stem}: {target}"]
    checkpoint = _checkpoint(path)
    args = argparse.Namespace(
        family="diff-svc" if checkpoint.suffix == ".ckpt" else "diffusion-svc",
        checkpoint=checkpoint,
        config=None,
        hubert=_beside(checkpoint, "hubert*"),
        vocoder=_beside(checkpoint, "nsf_hifigan*"),
        name=None,
        exact=False,
        quick=False,
    )
    return import_voice(args)


def _checkpoint(path: Path) -> Path:
    """The newest checkpoint of a folder, or the file itself."""
    if path.is_file():
        if path.suffix not in (".ckpt", ".pt"):
            raise VoiceFileError(
                f"{path.name} is no voice; expected a .safetensors voice of moksori, or a .ckpt or"
                " .pt checkpoint with its config.yaml beside it"
            )
        return path
    found = [*path.glob("*.ckpt"), *(p for p in path.glob("*.pt") if "hubert" not in p.name)]
    if not found:
        raise VoiceFileError(
            f"the folder {path.name} holds no checkpoint; expected a .ckpt (diff-svc) or .pt"
            " (diffusion-svc) file and its config.yaml"
        )
    return max(found, key=lambda p: p.stat().st_mtime)


def _beside(checkpoint: Path, pattern: str) -> Path | None:
    found: Sequence[Path] = sorted(checkpoint.parent.glob(pattern))
    return found[0] if found else None


def suppression_is_there() -> bool:
    """Whether noise can be taken from the microphone; quick."""
    from realtime.suppress import load_library

    try:
        load_library()
    except ConfigError:
        return False
    return True


def quick(params: VoiceParams, speakers: int) -> VoiceParams:
    """With as many weights of speakers as a voice has."""
    weights = (*params.speakers, *(0.0 for _ in range(speakers)))[:speakers]
    return replace(params, speakers=weights if sum(weights) > 0 else (1.0,))
