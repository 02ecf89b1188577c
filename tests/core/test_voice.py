"""Voice files: whole ones come back, everything else is refused with a sentence and never run."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import VoiceFileError
from core.pipeline import convert
from core.tables import to_dict
from core.voice import VoiceModel, embedded_voices, find_voice, read_config
from tests.toy import TOY, speechlike, toy_voice

Weights = dict[str, Tensor]
Metadata = dict[str, str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "toy.safetensors"
    toy_voice().save(path)
    return path


def rewrite(path: Path, change: Callable[[Weights, Metadata], None]) -> None:
    """Writes the file again with changed weights or metadata."""
    weights = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    change(weights, metadata)
    save_file(weights, path, metadata)


def test_round_trip(path: Path) -> None:
    voice, back = toy_voice(), VoiceModel.load(path)
    assert back.config == TOY
    assert read_config(path) == TOY
    assert not back.training
    for key, weight in back.state_dict().items():
        assert weight.dtype in (voice.state_dict()[key].dtype, torch.half)
        assert torch.equal(weight.float(), voice.state_dict()[key].half().float()), key
    wave = speechlike(9000)
    original, restored = convert(voice, wave), convert(back, wave)
    assert np.abs(original - restored).max() < 0.05 * np.abs(original).max()


def test_saving_again_changes_nothing_and_leaves_no_other_file(path: Path) -> None:
    before = load_file(path)
    VoiceModel.load(path).save(path)
    after = load_file(path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert read_config(path) == TOY
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_half_precision_halves_the_file(path: Path) -> None:
    numbers = sum(weight.numel() for weight in toy_voice().state_dict().values())
    assert 2 * numbers < path.stat().st_size < 2 * numbers + 20_000


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.5, 0.999])
def test_truncated(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(VoiceFileError, match=r"is no voice file or not whole \(.+\); a voice is a"):
        VoiceModel.load(path)


def test_a_byte_too_many(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(VoiceFileError, match="is no voice file or not whole"):
        VoiceModel.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VoiceFileError, match=r"no voice file at .*gone.*moksori voices"):
        VoiceModel.load(tmp_path / "gone.safetensors")


def _version(weights: Weights, metadata: Metadata) -> None:
    metadata["version"] = "2"


def _format(weights: Weights, metadata: Metadata) -> None:
    metadata["format"] = "pt"


def _no_metadata(weights: Weights, metadata: Metadata) -> None:
    metadata.clear()


def _missing(weights: Weights, metadata: Metadata) -> None:
    del weights["encoder.norm.weight"]


def _foreign(weights: Weights, metadata: Metadata) -> None:
    weights["stowaway"] = torch.zeros(3)


def _shape(weights: Weights, metadata: Metadata) -> None:
    weights["encoder.norm.weight"] = torch.zeros(17)


def _nan(weights: Weights, metadata: Metadata) -> None:
    weights["encoder.norm.weight"][3] = torch.nan


def _infinite(weights: Weights, metadata: Metadata) -> None:
    weights["denoiser.mel_std"][0] = torch.inf


def _config(**changes: Any) -> Callable[[Weights, Metadata], None]:
    def change(weights: Weights, metadata: Metadata) -> None:
        metadata["config"] = json.dumps(to_dict(TOY) | changes)

    return change


def _no_config(weights: Weights, metadata: Metadata) -> None:
    del metadata["config"]


def _no_json(weights: Weights, metadata: Metadata) -> None:
    metadata["config"] = "{'name': 'toy'}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            _version,
            "has version 2 of the voice format; this program reads version 1; update moksori",
        ),
        (_format, "no moksori voice .its metadata name 'pt', expected 'moksori-voice'"),
        (_no_metadata, "no moksori voice .its metadata name None"),
        (
            _missing,
            r"1 weights missing \(encoder\.norm\.weight\), 0 foreign; export the voice again",
        ),
        (_foreign, r"0 weights missing, 1 foreign \(stowaway\); export the voice again"),
        (_shape, r"encoder\.norm\.weight should have shape \(16,\), has \(17,\)"),
        (_nan, r"encoder\.norm\.weight is not finite; the training failed"),
        (_infinite, r"denoiser\.mel_std is not finite"),
        (_config(colour="red"), "its config cannot be read: VoiceConfig: unknown setting colour"),
        (
            _config(steps="four"),
            "config cannot be read: VoiceConfig.steps: expected int, got 'four'",
        ),
        (_config(speakers=[]), "config cannot be read: a voice needs at least one speaker"),
        (_config(f0={"estimator": "crepe"}), 'unknown f0 estimator "crepe"; known: '),
        (_config(content={"encoder": "x"}), 'unknown content encoder "x"; known: contentvec, '),
        (_config(vocoder={"vocoder": "x"}), 'unknown vocoder "x"; known: source_filter'),
        (_no_config, "its config cannot be read"),
        (_no_json, "its config cannot be read"),
    ],
)
def test_refused(path: Path, change: Callable[[Weights, Metadata], None], words: str) -> None:
    rewrite(path, change)
    with pytest.raises(VoiceFileError, match=words):
        VoiceModel.load(path)


class Payload:
    """Makes a folder when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def _pickle(payload: Payload, path: Path) -> None:
    path.write_bytes(pickle.dumps(payload))


def _torch_save(payload: Payload, path: Path) -> None:
    torch.save({"weights": payload}, path)


def _torch_save_legacy(payload: Payload, path: Path) -> None:
    torch.save({"weights": payload}, path, _use_new_zipfile_serialization=False)


def _numpy(payload: Payload, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([payload], dtype=object), allow_pickle=True)


def _framed(payload: Payload, path: Path) -> None:
    """A pickle where a safetensors header should stand, its length in front."""
    data = pickle.dumps(payload)
    path.write_bytes(struct.pack("<Q", len(data)) + data)


@pytest.mark.parametrize("write", [_pickle, _torch_save, _torch_save_legacy, _numpy, _framed])
def test_a_pickle_in_disguise_is_never_run(
    tmp_path: Path, write: Callable[[Payload, Path], None]
) -> None:
    marker, path = tmp_path / "executed", tmp_path / "voice.safetensors"
    write(Payload(marker), path)
    with pytest.raises(VoiceFileError, match=r"never a pickle"):
        VoiceModel.load(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists(), "the payload works, so its silence above means something"


def test_find_voice(path: Path) -> None:
    assert find_voice(str(path)) == path
    with pytest.raises(VoiceFileError, match=r'unknown voice "nobody"; known: .*\.safetensors'):
        find_voice("nobody")


def test_embedded_voices_are_readable() -> None:
    for name, path in embedded_voices().items():
        assert read_config(path).speakers, name


def test_a_saved_voice_may_be_read_like_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    toy_voice().save(tmp_path / "voice.safetensors")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_projects_voice_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("projects", "anna", "voices", "anna.safetensors")
    path.parent.mkdir(parents=True)
    toy_voice().save(path)
    assert find_voice("anna") == path
    with pytest.raises(VoiceFileError, match="known: anna, "):
        find_voice("bert")
