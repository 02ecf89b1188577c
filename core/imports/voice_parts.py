"""Finding and reading what a foreign voice needs beside itself: encoder, vocoder, pitch extractor.

The paths in a config are from another computer; they are looked for beside the checkpoint and
above it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import VoiceFileError
from core.imports.checkpoint import (
    Settings,
    State,
    below,
    read_checkpoint,
    read_config_file,
    state_at,
    tensors_of,
)

HUBERT_WANTED = (
    "expected the content encoder hubert_soft.pt (hubert-soft-0d54a1f4.pt of bshall/hubert, the"
    " file that diff-svc keeps in checkpoints/hubert); put it beside the checkpoint, or name it"
    " with --hubert"
)
_CONFIGS = ("config.json", "config.yaml")
_NO_WEIGHTS = {".json", ".yaml", ".yml", ".txt", ".md", ".zip"}


class Part(NamedTuple):
    """Weights under the names of their own network, its config, and the file they came from."""

    weights: State
    config: dict[str, Any]
    path: Path


def find_beside(checkpoint: Path, named: str) -> Path | None:
    """A path from a config, below the checkpoint's folder or up to three above it."""
    if not named:
        return None
    relative = Path(named.replace("\\", "/"))
    folder = checkpoint.absolute().parent
    for base in (folder, *list(folder.parents)[:3]):
        if (base / relative).exists():
            return base / relative
    return None


def find_hubert(checkpoint: Path, named: str) -> Path | None:
    """The encoder a config names: the file itself, else the first .pt in or below its folder."""
    found = find_beside(checkpoint, named)
    if found is not None and found.suffix == ".pt":
        return found
    folder = find_beside(checkpoint, str(Path(named.replace("\\", "/")).parent)) if named else None
    return None if folder is None else next(iter(sorted(folder.rglob("*.pt"))), None)


def read_hubert(path: Path) -> Part:
    """HuBERT-soft weights: a bare state dict, one nested under `hubert`, or under `module.`."""
    if path.is_dir():
        found = next(iter(sorted(path.rglob("*.pt"))), None)
        if found is None:
            raise VoiceFileError(f"{path}: no .pt in or below this folder; {HUBERT_WANTED}")
        path = found
    data = read_checkpoint(path)
    nested = data.get("hubert")
    state = tensors_of(nested if isinstance(nested, Mapping) else data, path)
    state = {key.removeprefix("module."): value for key, value in state.items()}
    if "feature_extractor.conv0.weight" not in state:
        some = ", ".join(list(state)[:3]) or "no tensors"
        raise VoiceFileError(
            f"{path}: expected feature_extractor.conv0.weight, found {some}; {HUBERT_WANTED}"
        )
    return Part(state, {}, path)


def read_vocoder(path: Path) -> Part:
    """A generator and its config: a folder with both, or the weights with the config beside."""
    path = _weights_in(path) if path.is_dir() else path
    data = read_checkpoint(path)
    configs = [path.parent / name for name in _CONFIGS if (path.parent / name).is_file()]
    if not configs:
        raise VoiceFileError(
            f"{path}: expected {' or '.join(_CONFIGS)} beside it, found neither; copy the vocoder's"
            " whole folder"
        )
    return Part(_generator(data, path), read_config_file(configs[0]), path)


def read_pitch_extractor(path: Path) -> Part:
    """The 24 kHz voices' pitch extractor (`state_dict` under `model.`)."""
    state = below(state_at(read_checkpoint(path), path, "state_dict"), "model.")
    if not state:
        raise VoiceFileError(f"{path}: state_dict holds no model.*; is it a pitch extractor?")
    return Part(state, {}, path)


def check_vocoder(part: Part, sample_rate: int, hop: int, mels: int) -> None:
    """That a vocoder speaks the voice's mel: the same rate, hop and number of bins."""
    config = Settings(part.config, part.path)
    found_rate = config.get("sampling_rate", config.get("audio_sample_rate", sample_rate))
    found_hop = config.get("hop_size", hop)
    key = "conv_pre.weight_v" if "conv_pre.weight_v" in part.weights else "conv_pre.weight"
    if key not in part.weights or part.weights[key].dim() != 3:
        raise VoiceFileError(f"{part.path}: conv_pre.weight is missing; is it an NSF-HiFiGAN?")
    found_mels = part.weights[key].shape[1]
    if (found_rate, found_hop, found_mels) != (sample_rate, hop, mels):
        raise VoiceFileError(
            f"{part.path}: a vocoder of {found_rate} Hz, hop {found_hop} and {found_mels} mel bins"
            f" ({key}), expected {sample_rate} Hz, hop {hop} and {mels}, as the voice has them"
        )


def plain_json(config: Mapping[str, Any]) -> str:
    """A config as one line of JSON."""
    return json.dumps(config, ensure_ascii=False, sort_keys=True)


def _weights_in(folder: Path) -> Path:
    """The vocoder weights in a folder: `model`, else those of the highest step."""
    if (folder / "model").is_file():
        return folder / "model"
    files = [p for p in folder.iterdir() if p.is_file() and p.suffix.lower() not in _NO_WEIGHTS]
    visible = sorted((p for p in files if not p.name.startswith(".")), key=_step_of)
    if not visible:
        raise VoiceFileError(
            f"{folder}: no vocoder weights in this folder; expected model or *.ckpt"
        )
    return visible[-1]


def _step_of(path: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", path.stem)
    return (int(numbers[-1]) if numbers else -1, path.name)


def _generator(data: dict[str, Any], path: Path) -> State:
    """The generator's weights in any of the layouts they are published in."""
    if "generator" in data:
        return state_at(data, path, "generator")
    table = data.get("state_dict")
    if isinstance(table, Mapping) and isinstance(table.get("model_gen"), Mapping):
        return state_at(data, path, "state_dict", "model_gen")
    state = below(state_at(data, path, "state_dict"), "generator.")
    if not state:
        raise VoiceFileError(
            f"{path}: expected a generator (generator, state_dict.model_gen or generator.*);"
            " is it a vocoder?"
        )
    return state
