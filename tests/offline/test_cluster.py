"""Two node processes of a real Ray cluster on this machine, of which workers and one node die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from core.audio import load_mono
from core.config import StreamConfig, VoiceParams
from core.errors import VoiceChangerError
from core.voice import VoiceModel
from moksori import main
from offline.cluster import on_cluster
from offline.convert import Converted, convert_file
from offline.convert_many import convert_many
from offline.convert_together import Outcome, Pair
from offline.studio.preprocess import preprocess
from offline.studio.project import Project
from tests.offline.cluster_work import recorded, refuser
from tests.toy import speechlike, toy_voice

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node = {"num_cpus": 1, "object_store_memory": 100_000_000}
        made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        made.add_node(**node)
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    (tmp_path / "out").mkdir()
    for i in range(16):
        soundfile.write(tmp_path / f"{i}.wav", speechlike(9000 + 500 * i, i, 16_000), 16_000)
    return [(tmp_path / f"{i}.wav", tmp_path / "out" / f"{i}.wav") for i in range(16)]


def converted_once(voice: VoiceModel, pairs: list[Pair], told: list[Outcome]) -> None:
    """Every file is there once, as it would be alone, and nothing besides."""
    assert sorted(str(target) for _, target, _ in told) == sorted(str(t) for _, t in pairs)
    assert all(isinstance(what, Converted) for _, _, what in told)
    folder = pairs[0][1].parent
    assert {p.name for p in folder.iterdir() if p.suffix == ".wav"} == {t.name for _, t in pairs}
    for source, target in pairs[::5]:
        alone = folder.parent / "alone.wav"
        convert_file(voice, source, alone, VoiceParams(), StreamConfig())
        np.testing.assert_allclose(load_mono(target)[0], load_mono(alone)[0], atol=1e-4)


def killed(diary: Path) -> None:
    """Ends the process that began work last."""
    pid = int(diary.read_text().split("\n")[-2].split()[0])
    os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_worker_dies_half_way(cluster: Any, pairs: list[Pair], tmp_path: Path) -> None:
    voice, diary = toy_voice(), tmp_path / "diary"
    voice.save(tmp_path / "toy.safetensors")
    told: list[Outcome] = []
    make = partial(recorded, tmp_path / "toy.safetensors", diary)
    for outcome in convert_many(pairs, make, 1, cluster.address):
        told.append(outcome)
        if len(told) in (6, 9):  # twice: one may end between two files, with nothing begun
            killed(diary)
    converted_once(voice, pairs, told)
    begun = [line.split()[1] for line in diary.read_text().splitlines()]
    assert len(begun) > len(set(begun))  # what the dead one had begun was begun again


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")
def test_preprocess(cluster: Any, tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for i in range(3):
        wave = np.concatenate([speechlike(48_000, 3 * i + k, 16_000) for k in range(3)])
        soundfile.write(recordings / f"{i}.wav", wave, 16_000)
    here = Project.create(tmp_path / "here", "anna", recordings)
    there = Project.create(tmp_path / "there", "anna", recordings)
    wanted = preprocess(here, lambda event: None, workers=1)
    assert preprocess(there, lambda event: None, cluster=cluster.address) == wanted


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")
def test_an_error_of_the_work_is_raised_here(cluster: Any) -> None:
    with pytest.raises(VoiceChangerError, match="7 is refused"):
        list(on_cluster(cluster.address, refuser, [7]))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")
def test_a_machine_dies_half_way(cluster: Any, pairs: list[Pair], tmp_path: Path) -> None:
    """Last: what is lost stays lost."""
    voice = toy_voice()
    voice.save(tmp_path / "toy.safetensors")
    told: list[Outcome] = []
    make = partial(recorded, tmp_path / "toy.safetensors", tmp_path / "diary")
    for outcome in convert_many(pairs, make, 1, cluster.address):
        told.append(outcome)
        if len(told) == 6:
            (other,) = cluster.worker_nodes
            cluster.remove_node(other, allow_graceful=False)
    converted_once(voice, pairs, told)


def test_no_ray_is_said(
    pairs: list[Pair],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    toy_voice().save(tmp_path / "toy.safetensors")
    folders = [str(tmp_path), str(tmp_path / "out")]
    options = ["--voice", str(tmp_path / "toy.safetensors"), "--cluster", "localhost:1"]
    assert main(["convert", *folders, *options]) == 1
    assert 'pip install "moksori[cluster]"' in capsys.readouterr().err
    with pytest.raises(VoiceChangerError, match="needs Ray"):
        list(on_cluster("localhost:1", lambda: str, [1]))
