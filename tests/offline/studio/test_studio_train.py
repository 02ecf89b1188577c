"""Training a project: exact resumption, several processes as one, checkpoints, export."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.config import Speaker, VoiceParams
from core.diffusion.networks import NETWORKS
from core.errors import VoiceChangerError
from core.pipeline import convert
from core.voice import VoiceModel, read_metadata
from offline.studio import train as train_module
from offline.studio.checkpoints import Checkpoints
from offline.studio.export import blend, export_project
from offline.studio.network import Adapting, voice_of
from offline.studio.processes import precision
from offline.studio.project import Project
from offline.studio.settings import ExportSettings
from offline.studio.train import train_project
from tests.command_line import ROOT
from tests.offline.studio.studio_project import Told, make_project, with_settings
from tests.toy import TOY, speechlike, toy_voice


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def command(project: Project, *words: str, launcher: tuple[str, ...] = ()) -> list[str]:
    start = [sys.executable, *launcher, "-m", "moksori", "train", "anna", "--json"]
    return [*start, "--projects", str(project.folder.parent), *words]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def losses(project: Project) -> dict[int, float]:
    """By step; where a step was done again, its last."""
    events = [json.loads(line) for line in project.log.read_text().splitlines()]
    return {e["step"]: e["loss"] for e in events if e["event"] == "step"}


def test_it_trains_tells_saves_and_exports(tmp_path: Path) -> None:
    project = make_project(tmp_path, polish=True, crop_frames=80)
    told = Told()
    train_project(project, told)
    (start,) = told.of("start")
    assert start["step"] == 0
    assert [e["step"] for e in told.of("step")] == [1, 2, 3, 4]
    assert {"loss", "frames_per_second", "seconds_left", "minutes"} <= told.of("step")[0].keys()
    (check,) = told.of("validation")
    assert check["best"]
    assert all(Path(p).stat().st_size > 1000 for p in check["samples"] + check["pictures"])
    assert [e["step"] for e in told.of("saved")] == [2, 4]
    assert told[-1]["event"] == "end"
    assert told[-1]["reason"] == "finished"

    target, step = export_project(project, "best", None)
    assert step == 4
    voice = VoiceModel.load(target)
    (speaker,) = voice.config.speakers
    assert speaker.name == "anna"
    assert 100 < speaker.f0_median < 200
    assert speaker.level_db is not None
    assert voice.bank.units.abs().sum() > 0
    made = convert(voice, 0.1 * np.ones(44_100, np.float32), VoiceParams())
    assert np.isfinite(made).all()
    card = json.loads(target.with_suffix(".json").read_text())
    assert len(card["statistics"]["spec_max"]) == TOY.mel.n_mels
    assert "recordings" not in card["settings"]
    assert json.loads(read_metadata(target)["card"]) == card

    assert (speaker.sharpness, speaker.retrieval_share) == (0.0, 0.5)
    asked = ExportSettings(sharpness=0.3, retrieval_share=1.5)
    settings = replace(project.config, export=asked)
    export_project(replace(project, config=settings), "best", tmp_path / "sharp.safetensors")
    (sharp,) = VoiceModel.load(tmp_path / "sharp.safetensors").config.speakers
    assert sharp == replace(speaker, sharpness=0.3, retrieval_share=1.5)

    told.clear()
    train_project(project, told)  # its steps are done
    assert told.of("step") == []


@pytest.mark.parametrize("method", ["low-rank", "speaker"])
def test_what_does_not_adapt_stays(tmp_path: Path, method: str) -> None:
    project = make_project(tmp_path, method=method, rank=2, learning_rate=0.01)
    train_project(project, Told())
    base = toy_voice()
    found = Checkpoints(project.checkpoints).load()
    assert found is not None
    network = Adapting(VoiceModel.load(tmp_path / "toy.safetensors"), "anna", project.config.train)
    network.load_state_dict(found[1]["network"])
    voice = voice_of(network, base)
    entry = "network.entry.weight"
    before, after = base.denoiser.state_dict()[entry], voice.denoiser.state_dict()[entry]
    change = torch.linalg.matrix_rank((after - before.half().float()).double(), atol=1e-6)
    assert int(change) == (2 if method == "low-rank" else 0)


@pytest.mark.parametrize(
    ("kind", "causal"), [*((kind, True) for kind in NETWORKS), ("wavenet", False)]
)
def test_from_scratch_with_either_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, causal: bool
) -> None:
    project = make_project(
        tmp_path, start="scratch", network=kind, causal=causal, precision="bfloat16"
    )
    toy = tmp_path / "toy.safetensors"
    monkeypatch.setattr("offline.studio.encoder.find_voice", lambda name: toy)
    train_project(project, Told())
    voice = VoiceModel.load(export_project(project, "last", None)[0])
    assert (voice.config.denoiser.network, voice.config.denoiser.causal) == (kind, causal)
    assert np.isfinite(convert(voice, speechlike(20_000))).all()
    assert float(voice.denoiser.mel_std.mean()) > 0.2


def test_half_precision_with_a_loss_scale(tmp_path: Path) -> None:
    project = make_project(tmp_path, precision="float16", validate_every=4)
    train_project(project, told := Told())
    assert told.of("start")[0]["precision"] == "float16"
    assert np.isfinite([event["loss"] for event in told.of("step")]).all()
    found = Checkpoints(project.checkpoints).load()
    assert found is not None
    assert found[1]["scaler"]["scale"] > 1


def test_no_processor_emulates_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for known, wanted in (({"avx2": True}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        assert precision("auto", torch.device("cpu")) is wanted


def test_killed_it_goes_on_exactly(tmp_path: Path) -> None:
    straight = make_project(tmp_path, max_steps=100, save_every=50, validate_every=100, words=1.0)
    killed_root = tmp_path / "killed"
    shutil.copytree(tmp_path / "projects", killed_root)
    killed = Project.open(killed_root, "anna")
    train_project(straight, Told())
    with subprocess.Popen(
        command(killed), stdout=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "saved":
                process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                break
    told = Told()
    train_project(killed, told)
    assert told.of("start")[0]["step"] in (50, 100)
    expected, got = losses(straight), losses(killed)
    assert expected.keys() == got.keys()
    for step, loss in expected.items():
        assert got[step] == pytest.approx(loss, abs=1e-6)


def test_two_processes_are_one_with_twice_the_batch(tmp_path: Path) -> None:
    one = make_project(tmp_path, max_steps=3, accumulate=2, clip_norm=0.5, words=1.0)
    root = tmp_path / "two"
    shutil.copytree(tmp_path / "projects", root)
    two = with_settings(Project.open(root, "anna"), accumulate=1)
    train_project(one, Told())
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    said = subprocess.run(
        command(two, launcher=launcher), env=environment(), cwd=tmp_path, capture_output=True
    )
    assert said.returncode == 0, said.stderr.decode()[-9000:]
    states = []
    for project in (one, two):
        found = Checkpoints(project.checkpoints).load()
        assert found is not None
        states.append(found[1]["network"])
    for key, weight in states[0].items():
        torch.testing.assert_close(states[1][key], weight, rtol=1e-5, atol=1e-6)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    train_project(project, Told())
    newest = project.checkpoints / "step_00000004.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    told = Told()
    train_project(project, told)
    assert "step_00000004.pt is missing or damaged" in told.of("warning")[0]["words"]
    assert told.of("start")[0]["step"] == 2
    assert told.of("step")[-1]["step"] == 4


def test_it_goes_on_from_another_step(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    train_project(project, Told())
    train_project(project, told := Told(), "2")
    assert told.of("start")[0]["step"] == 2
    assert told.of("step")[-1]["step"] == 4
    with pytest.raises(VoiceChangerError, match="no checkpoint of step 3; known: 2, 4, best, last"):
        train_project(project, Told(), "3")
    checkpoints = Checkpoints(project.checkpoints)
    checkpoints.forget_after(2)
    assert [p.name for p in project.checkpoints.glob("step*")] == ["step_00000002.pt"]
    assert [saved.step for saved in Checkpoints(project.checkpoints).saved] == [2]


def test_other_settings_of_shape_are_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    train_project(project, Told())
    other = with_settings(project, method="low-rank")
    with pytest.raises(VoiceChangerError, match="another start, network, causal, channels"):
        train_project(other, Told())
    slicer = replace(project.config.slicer, min_seconds=1.0)
    stale = replace(project, config=replace(project.config, slicer=slicer))
    with pytest.raises(VoiceChangerError, match="other settings; run: moksori preprocess anna"):
        train_project(stale, Told())


def test_few_checkpoints_are_kept_and_the_best_is(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step, score in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.5), (5, 2.2)):
        checkpoints.save({"step": step}, step, score, keep_last=1, keep_every=3)
    assert sorted(p.name for p in tmp_path.glob("*.pt")) == [
        f"step_0000000{i}.pt" for i in (2, 3, 5)
    ]
    again = Checkpoints(tmp_path)
    for wish, step in (("last", 5), ("best", 2), ("3", 3)):
        found = again.load(wish)
        assert found is not None
        assert found[1] == {"step": step}
    with pytest.raises(VoiceChangerError, match="no checkpoint of step 4; known: 2, 3, 5, best"):
        again.load("4")


def test_no_memory_means_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path)
    forward = Adapting.forward

    def full(self: Adapting, batch: Any, words: Any = None) -> Any:
        if batch.mask.numel() > 200 and len(batch.mask) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")
        return forward(self, batch, words)

    monkeypatch.setattr(Adapting, "forward", full)
    project = with_settings(project, frames_per_batch=3000, crop_frames=60)
    told = Told()
    train_project(project, told)
    assert "memory did not suffice" in told.of("warning")[0]["words"]
    assert told.of("step")[-1]["step"] == 4


def test_the_budget_follows_free_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path, frames_per_batch="auto", max_steps=1)
    found = []
    for free in (20 << 20, 40 << 20):
        monkeypatch.setattr("offline.studio.budget.free_bytes", lambda device, free=free: free)
        shutil.rmtree(project.checkpoints, ignore_errors=True)
        told = Told()
        train_project(project, told)
        found.append(told.of("start")[0]["frames_per_batch"])
    assert found[1] == pytest.approx(2 * found[0], rel=0.01)


def test_ctrl_c_saves_and_ends_in_order(tmp_path: Path) -> None:
    project = make_project(tmp_path, max_steps=1000, save_every=1000, validate_every=1000)
    told = Told()

    def tell(event: dict[str, Any]) -> None:
        told(event)
        if event["event"] == "step" and event["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    train_project(project, tell)
    assert told[-1] == {**told[-1], "event": "end", "reason": "stopped"}
    assert told.of("saved")[-1]["step"] == told[-1]["step"]
    assert train_module.Checkpoints(project.checkpoints).load() is not None


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_blending_goes_back_to_the_start_but_for_the_speaker(share: float) -> None:
    base, voice = toy_voice(), toy_voice(seed=1, speakers=(Speaker("one"),))
    assert len(base.config.speakers) != 1  # the speaker's weights differ in shape
    trained = {k: v.clone() for k, v in voice.state_dict().items()}
    blend(voice, base, share)
    start, speaker = base.state_dict(), "denoiser.network.condition.speaker.weight"
    for key, weight in voice.state_dict().items():
        adapts = key.startswith("denoiser.") and key != speaker
        wanted = (1 - share) * start[key] + share * trained[key] if adapts else trained[key]
        torch.testing.assert_close(weight, wanted)


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path)
    save = torch.save

    def full(state: Any, path: Path) -> None:
        if "step_00000004" in path.name:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(state, path)

    with monkeypatch.context() as patch:
        patch.setattr("offline.studio.checkpoints.torch.save", full)
        with pytest.raises(VoiceChangerError, match=r"could not save step 4 .*No space .*goes on"):
            train_project(project, Told())
    assert [p.name for p in project.checkpoints.glob("step*")] == ["step_00000002.pt"]
    told = Told()
    train_project(project, told)
    assert told.of("start")[0]["step"] == 2
