"""VoiceModel: analyser, denoiser and vocoder with their weights, in one safetensors file.

The file's metadata carry the format's name and version and the whole VoiceConfig as JSON; nothing
in it is ever executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.analyser import Analyser
from core.config import VoiceConfig
from core.content import content_encoder
from core.content.bank import UnitBank
from core.content.windowed import WindowedUnits
from core.diffusion.denoiser import Preconditioned
from core.diffusion.networks import denoising_network
from core.errors import ConfigError, VoiceFileError
from core.nn import HalvedLinear
from core.tables import from_dict, to_dict
from core.vocoder import make_vocoder
from core.weights_file import WeightsFile

FORMAT = "moksori-voice"
VERSION = 1
SUFFIX = ".safetensors"
VOICES_FOLDER = Path(__file__).parent / "assets"
DEFAULT_VOICE = "embedded"
NATIVE = "moksori"
"""The kind of voice that names none: a `VoiceModel`, trained here."""


class VoiceModel(nn.Module):
    """Everything that turns one voice into another, ready to run."""

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = content_encoder(config.audio, config.content)
        content = config.content
        self.bank = UnitBank(
            len(config.speakers), content.bank_size, content.dim, content.bank_width
        )
        network = denoising_network(
            config.mel.n_mels, config.content.dim, len(config.speakers), config.denoiser
        )
        self.denoiser = Preconditioned(network, config.mel.n_mels, config.denoiser.sigma_data)
        self.vocoder = make_vocoder(config.audio, config.mel, config.vocoder)
        self.analyser = Analyser(config, self.encoder)
        self.eval()

    def save(self, path: Path, card: str = "") -> None:
        """Writes the voice in half precision, under a temporary name first.

        card: JSON, what the voice was made of; for people, read by `read_metadata`.
        """
        weights = {k: v.half() for k, v in self.state_dict().items()}
        write_voice_file(path, weights, json.dumps(to_dict(self.config)), card=card)

    @staticmethod
    def load(path: Path) -> VoiceModel:
        """Reads a voice; a file that is none, or not whole, is a VoiceFileError.

        Takes at most twice the memory of a file in half precision.
        """
        config = read_config(path)
        try:
            with _Undrawn():
                voice = VoiceModel(config)
        except ConfigError as error:
            raise VoiceFileError(f"{path}: {error}") from None
        with WeightsFile(path) as weights, torch.no_grad():
            for name, module in voice.named_modules():
                if isinstance(module, HalvedLinear) and weights.halved(f"{name}.weight"):
                    module.halve()
            wanted, shapes = voice.state_dict(), weights.shapes
            missing, foreign = sorted(set(wanted) - set(shapes)), sorted(set(shapes) - set(wanted))
            if missing or foreign:
                raise VoiceFileError(
                    f"{path} does not fit its own config: {len(missing)} weights missing"
                    f"{_some(missing)}, {len(foreign)} foreign{_some(foreign)}; export the voice"
                    " again"
                )
            for key, own in wanted.items():
                if shapes[key] != own.shape:
                    raise VoiceFileError(
                        f"{path}: weight {key} should have shape {tuple(own.shape)}, has"
                        f" {shapes[key]}; export the voice again"
                    )
                if not weights.read(key, own):
                    raise VoiceFileError(f"{path}: weight {key} is not finite; the training failed")
        if isinstance(voice.encoder, WindowedUnits):
            voice.encoder.open(beside=path.parent)
        return voice


class _Undrawn(TorchFunctionMode):
    """Weights that a file is about to fill are not drawn first: it takes time, and memory."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func in (nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_):
            return kwargs["tensor"]  # as torch.nn.init passes it
        return func(*args, **kwargs)


def write_voice_file(
    path: Path, weights: Mapping[str, Tensor], config: str, kind: str = NATIVE, card: str = ""
) -> None:
    """Writes weights and a config (JSON) as a voice of some kind, under a temporary name first."""
    from safetensors.torch import save_file

    metadata = {"format": FORMAT, "version": str(VERSION), "config": config}
    if kind != NATIVE:
        metadata["kind"] = kind
    if card:
        metadata["card"] = card
    temporary = path.with_suffix(".part")
    temporary.touch()
    mode = temporary.stat().st_mode  # as any new file's; safetensors lets only the owner read
    save_file({k: v.contiguous() for k, v in weights.items()}, temporary, metadata)
    temporary.chmod(mode)
    temporary.replace(path)


def read_config(path: Path) -> VoiceConfig:
    """The config of a native voice, without its weights."""
    metadata = read_metadata(path)
    if kind_of(metadata) != NATIVE:
        raise VoiceFileError(
            f"{path} is a {kind_of(metadata)} voice; it converts files and runs live (convert,"
            " live, demo, bench) and does nothing else"
        )
    try:
        return from_dict(VoiceConfig, json.loads(metadata["config"]))
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise VoiceFileError(f"{path}: its config cannot be read: {error}") from None


def kind_of(metadata: Mapping[str, str]) -> str:
    """Of which kind a voice is: `NATIVE`, or the family it was imported from."""
    return metadata.get("kind", NATIVE)


def read_metadata(path: Path) -> dict[str, str]:
    """A voice file's metadata, its format and version checked; what is no voice is refused."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise VoiceFileError(
            f"no voice file at {path}; see the voices at hand with: moksori voices"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise VoiceFileError(
            f"{path} is no voice file or not whole ({error}); a voice is a {SUFFIX} file made by"
            " moksori, never a pickle"
        ) from None
    if metadata.get("format") != FORMAT:
        raise VoiceFileError(
            f"{path} is a safetensors file but no moksori voice (its metadata name"
            f" {metadata.get('format')!r}, expected {FORMAT!r})"
        )
    if metadata.get("version") != str(VERSION):
        raise VoiceFileError(
            f"{path} has version {metadata.get('version')} of the voice format; this program reads"
            f" version {VERSION}; update moksori or export the voice again"
        )
    return dict(metadata)


def find_voice(name: str) -> Path:
    """A voice by path, or by the name of an embedded one, an imported one (its newest step) or a
    project's.
    """
    path = Path(name)
    if path.suffix == SUFFIX or path.is_file():
        return path
    known = {**project_voices(), **imported_voices(), **embedded_voices()}
    if name not in known:
        raise VoiceFileError(
            f'unknown voice "{name}"; known: {", ".join(sorted(known)) or "none"};'
            f" or give the path of a {SUFFIX} file"
        )
    return known[name]


def embedded_voices() -> dict[str, Path]:
    """The voices in the package, by name."""
    return {path.stem: path for path in sorted(VOICES_FOLDER.glob(f"*{SUFFIX}"))}


def project_voices() -> dict[str, Path]:
    """What the projects below this folder have exported, by name."""
    return {path.stem: path for path in sorted(Path("projects").glob(f"*/voices/*{SUFFIX}"))}


def own_folder() -> Path:
    """Where imported voices are kept, one file for each step: NAME_STEP.safetensors."""
    return Path.home() / ".moksori" / "voices"


def voice_path(name: str, step: int) -> Path:
    """Where the voice of that name and training step is kept."""
    return own_folder() / f"{name}_{step}{SUFFIX}"


def imported_voices() -> dict[str, Path]:
    """The voices in the user's own folder: each file by its stem, each name by its newest step."""
    found: dict[str, Path] = {}
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted(own_folder().glob(f"*{SUFFIX}")):
        found[path.stem] = path
        numbered = re.fullmatch(r"(.+)_(\d+)", path.stem)
        if numbered:
            name, step = numbered[1], int(numbered[2])
            newest[name] = max(newest.get(name, (-1, path)), (step, path))
    return {**found, **{name: path for name, (_, path) in newest.items()}}


def _some(keys: list[str]) -> str:
    return f" ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})" if keys else ""
