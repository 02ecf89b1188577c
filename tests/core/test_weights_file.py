"""Voices are read piece by piece: what loading costs in memory, and files that end too early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import VoiceFileError
from core.nn import HalvedLinear
from core.weights_file import PIECE, WeightsFile
from tests.command_line import ROOT

PROBE = """
import tempfile
from pathlib import Path
from core.voice import VoiceModel, find_voice
from tests.toy import toy_voice

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

with tempfile.TemporaryDirectory() as folder:  # what a first voice imports is not the file's
    toy_voice().save(Path(folder) / "toy.safetensors")
    VoiceModel.load(Path(folder) / "toy.safetensors")
path = find_voice("embedded")
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
voice = VoiceModel.load(path)
print((resident("VmHWM") - before) / path.stat().st_size)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_loading_needs_twice_the_file() -> None:
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) <= 2


def test_a_weight_left_in_half_precision_gives_what_it_gives_in_full() -> None:
    full = HalvedLinear(7, 5)
    full.weight.data = full.weight.data.half().float()
    halved = HalvedLinear(7, 5)
    halved.halve()
    halved.load_state_dict(full.state_dict())
    assert halved.weight.dtype is torch.half
    with torch.inference_mode():
        for rows in (1, 9):  # a live block's way, and a file's
            x = torch.randn(2, rows, 7)
            assert torch.equal(halved(x), full(x))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_longer_than_a_piece_are_the_files_own(tmp_path: Path, kind: torch.dtype) -> None:
    path = tmp_path / "w.safetensors"
    weights = {"a": torch.randn(3).to(kind), "b": torch.randn(7, PIECE // 4).to(kind)}
    save_file(weights, path)
    with WeightsFile(path) as file:
        for key, weight in weights.items():
            own = torch.zeros(file.shapes[key])
            assert file.read(key, own)
            assert torch.equal(own, weight.float())


def test_a_file_cut_meanwhile_and_other_types_are_told(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(9)}, path)
    with WeightsFile(path) as file:
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(VoiceFileError, match="ends within weight a"):
            file.read("a", torch.zeros(9))
    save_file({"a": torch.zeros(9, dtype=torch.int32)}, path)
    with pytest.raises(VoiceFileError, match="should be of F16"):
        WeightsFile(path)
