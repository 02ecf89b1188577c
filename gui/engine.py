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

from core.config import VoiceParams
from core.errors import ConfigError, VoiceFileError
from gui.settings import VIRTUAL, Devices
from realtime.backend import AudioBackend, Device

MakeBackend = Callable[[Devices, int], AudioBackend]
"""Of the devices chosen and the voice's rate. Called in the sound's process, so it must pickle."""
CHECKPOINTS = (".ckpt", ".pt")
DEMO = Path(__file__).parents[1] / "core" / "assets" / "demo.flac"


@dataclass(frozen=True)
class VoiceInfo:
    """A voice as the app shows it. live: can be spoken with. imported: not trained by moksori."""

    name: str
    path: Path
    speakers: tuple[str, ...]
    live: bool
    imported: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the doctor's. ok: nothing to do."""

    what: str
    ok: bool
    state: str
    remedy: str


def list_voices() -> list[VoiceInfo]:
    """The embedded ones first. A broken file is left out."""
    from core.diff_svc.foreign import read_foreign_config
    from core.voice import (
        NATIVE,
        embedded_voices,
        imported_voices,
        kind_of,
        read_config,
        read_metadata,
    )

    found = []
    every = {**embedded_voices(), **imported_voices()}
    names = {path: name for name, path in every.items()}  # the last: a file's without its step
    for path, name in names.items():
        try:
            if kind_of(read_metadata(path)) != NATIVE:
                foreign = read_foreign_config(path)
                count, live = foreign.speakers, bool(foreign.content)
                named = [name] if count == 1 else [f"{name} {n + 1}" for n in range(count)]
                found.append(VoiceInfo(name, path, tuple(named), live, imported=True))
                continue
            config = read_config(path)
        except (VoiceFileError, ConfigError):
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
    from offline.convert_any import file_converter

    folder = Path(tempfile.mkdtemp(prefix="moksori-sample-"))
    wave, rate = load_mono(DEMO)
    save_audio(folder / "source.wav", wave[: round(seconds * rate)], rate)
    target = folder / "sample.wav"
    file_converter(voice, params)(folder / "source.wav", target, lambda share: None)
    return target


def holds_voice(path: Path) -> bool:
    """Whether that looks like something to import, not like audio; quick."""
    if path.is_dir():
        return any(p.suffix in CHECKPOINTS for at in ("*", "*/*") for p in path.glob(at))
    return path.suffix in (".safetensors", *CHECKPOINTS)


def import_from(path: Path, replacing: bool = False) -> list[str]:
    """Takes in what was dropped: a voice file, a checkpoint or a folder. What was found, by line.

    VoiceFileError says exactly what is missing. Of a folder with several voices all that are whole.
    replacing: a voice file of that name may be there already, as of the same training.
    """
    from core.errors import VoiceChangerError

    if path.suffix == ".safetensors":
        return _take_in(path, replacing)
    lines: list[str] = []
    errors: list[VoiceChangerError] = []
    for checkpoint in _checkpoints(path):
        try:
            lines += _import(checkpoint)
        except VoiceChangerError as error:  # or it is a vocoder's; they lie beside the voices
            errors.append(error)
    if not lines:
        raise errors[0]
    return lines


def _take_in(path: Path, replacing: bool) -> list[str]:
    """A voice file is loaded once, whole, then copied to the others."""
    from core.diff_svc.wish import load_foreign
    from core.voice import NATIVE, VoiceModel, kind_of, own_folder, read_metadata

    kind = kind_of(read_metadata(path))
    VoiceModel.load(path) if kind == NATIVE else load_foreign(path, kind)
    target = own_folder() / path.name
    if target.resolve() == path.resolve():
        return []
    if target.exists() and not replacing:
        raise VoiceFileError(
            f"there is a voice file {path.name} already, in {own_folder()}; rename this one, or"
            " take that one away"
        )
    own_folder().mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return []


def _import(checkpoint: Path) -> list[str]:
    from offline.import_voice import import_voice

    args = argparse.Namespace(
        family="diff-svc" if checkpoint.suffix == ".ckpt" else "diffusion-svc",
        checkpoint=checkpoint,
        config=None,
        hubert=_near(checkpoint, "hubert*"),
        vocoder=_near(checkpoint, "nsf_hifigan*"),
        name=None,
        exact=False,
        quick=True,  # a card within seconds; fitting takes minutes
    )
    return import_voice(args)[:-1]  # the last says where it was written


def _checkpoints(path: Path) -> list[Path]:
    """The file itself; of a folder the newest of each folder with a config, two levels deep."""
    if path.is_file():
        if path.suffix not in CHECKPOINTS:
            raise VoiceFileError(
                f"{path.name} is no voice; expected a .safetensors voice of moksori, or a .ckpt or"
                " .pt checkpoint with its config.yaml beside it"
            )
        return [path]
    found = [p for at in ("*", "*/*", "*/*/*") for p in path.glob(at) if p.suffix in CHECKPOINTS]
    found = [p for p in found if not p.name.startswith("hubert")]
    if not found:
        raise VoiceFileError(
            f"the folder {path.name} holds no checkpoint; expected a .ckpt (diff-svc) or .pt"
            " (diffusion-svc) file and its config.yaml"
        )
    newest = {p.parent: p for p in sorted(found, key=lambda p: p.stat().st_mtime)}
    whole = [p for p in newest.values() if (p.parent / "config.yaml").is_file()]
    return whole or list(newest.values())[:1]


def _near(checkpoint: Path, pattern: str) -> Path | None:
    """Beside the checkpoint, or beside its folder as diff-svc keeps it."""
    folder = checkpoint.parent
    found: Sequence[Path] = [*sorted(folder.glob(pattern)), *sorted(folder.parent.glob(pattern))]
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
