"""Foreign files are read, never run; what is broken or of another kind is refused by a sentence."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ConfigError, VoiceFileError
from core.imports.checkpoint import (
    Settings,
    read_checkpoint,
    read_config_file,
    state_at,
    tensors_of,
)


class Bomb:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def saved(path: Path, data: object, zipped: bool = True) -> Path:
    torch.save(data, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_and_numpy_numbers_are_read(tmp_path: Path, zipped: bool) -> None:
    data = {
        "best": np.float64(0.5),
        "loss": np.float32(2),
        "step": np.int64(7),
        "state_dict": {"a": torch.ones(2, dtype=torch.float16), "n": 3},
    }
    back = read_checkpoint(saved(tmp_path / "a.ckpt", data, zipped))
    assert (back["best"], back["loss"], back["step"]) == (0.5, 2, 7)
    state = state_at(back, tmp_path, "state_dict")
    assert list(state) == ["a"]
    assert state["a"].dtype == torch.float32


def test_numpy_numbers_under_their_older_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "old.ckpt", {"best": np.float64(0.5)}, zipped=False)
    old = path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    path.write_bytes(old)
    assert read_checkpoint(path)["best"] == 0.5


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    target = tmp_path / "exploded"
    path = saved(tmp_path / "bomb.ckpt", {"state_dict": Bomb(target)}, zipped)
    with pytest.raises(VoiceFileError, match=r"holds \S+, which is code .* not run"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(VoiceFileError):
        read_checkpoint(path)
    assert not target.exists()


def _text(path: Path) -> None:
    path.write_bytes(b"words, no weights\n" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    data = saved(path, {"a": torch.zeros(1000)}).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _cut_old(path: Path) -> None:
    data = saved(path, {"a": torch.zeros(1000)}, zipped=False).read_bytes()
    path.write_bytes(data[:200])


def _list(path: Path) -> None:
    saved(path, [1, 2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_text, "no torch checkpoint or not whole"),
        (_empty, "is empty"),
        (_cut, "no torch checkpoint or not whole"),
        (_cut_old, "no torch checkpoint or not whole"),
        (_list, "expected a table of weights, found list"),
        (os.mkdir, "no such file"),
    ],
)
def test_what_is_no_checkpoint(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    make(tmp_path / "x.ckpt")
    with pytest.raises(VoiceFileError, match=words):
        read_checkpoint(tmp_path / "x.ckpt")


def test_another_kind_and_weights_that_are_not_finite(tmp_path: Path) -> None:
    with pytest.raises(VoiceFileError, match='expected "state_dict", found generator'):
        state_at({"generator": {}}, tmp_path, "state_dict")
    with pytest.raises(VoiceFileError, match=r'expected "a\.b", found c'):
        state_at({"a": {"c": 1}}, tmp_path, "a", "b")
    with pytest.raises(VoiceFileError, match=r"x\.weight holds numbers that are not finite"):
        tensors_of({"x.weight": torch.tensor([1.0, float("nan")])}, tmp_path)


def test_a_config_stands_on_its_bases(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("a: 1\nb: {x: 1, y: 2}\n")
    (tmp_path / "config.yaml").write_text("base_config: [./base.yaml, ./gone.yaml]\nb: {y: 3}\n")
    assert read_config_file(tmp_path / "config.yaml") == {"a": 1, "b": {"x": 1, "y": 3}}
    (tmp_path / "config.json").write_text('{"a": 1.5}')
    assert read_config_file(tmp_path / "config.json") == {"a": 1.5}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("c.json", b"{", "no JSON"),
        ("c.yaml", b"\xff\xfe\x00", "no text in UTF-8"),
        ("c.yaml", b"- 1", "expected a table of settings"),
    ],
)
def test_what_is_no_config(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(VoiceFileError, match=words):
        read_config_file(tmp_path / name)


def test_settings_are_of_the_type_asked_for(tmp_path: Path) -> None:
    settings = Settings({"f": 40, "n": "x", "t": {"k": 3}, "l": [1, 2.5], "w": ["a"]}, tmp_path)
    assert settings.get("f", 1.0) == 40.0
    assert settings.get("t.k", 0) == 3
    assert settings.get("gone.k", 5) == 5
    assert settings.numbers("l") == [1.0, 2.5]
    assert settings.numbers("gone") == []
    with pytest.raises(ConfigError, match="n should be a int, like 3; got 'x'"):
        settings.get("n", 3)
    with pytest.raises(ConfigError, match="w should be a list of numbers"):
        settings.numbers("w")
