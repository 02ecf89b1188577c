"""The training loop on a task with a known answer: it learns, saves, resumes and averages."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from core.errors import VoiceChangerError
from offline.checkpoint import FILE, TrainState, begin_with, load_average, load_start
from offline.train import TrainConfig, train
from tests.toy import toy_voice

QUICK = TrainConfig(minutes=0.005, learning_rate=0.05, warmup_steps=5, ema_decay=0.9)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ten milliseconds pass with every look at the clock, so a minute is some 6 000 steps."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * next(ticks))
    monkeypatch.setattr("offline.train.time", clock)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Line:
    """Learns y = 2 x + 1."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.line = nn.Linear(1, 1)
        self.steps: list[int] = []
        self.checks = 0
        self.broken_at: int | None = None

    @property
    def module(self) -> nn.Module:
        return self.line

    def losses(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        self.steps.append(step)
        x = torch.randn(16, 1, generator=generator)
        loss = (self.line(x) - (2 * x + 1)).square().mean()
        if step == self.broken_at:
            loss = loss * torch.nan
        return loss, {"loss": loss.item()}

    def validate(self) -> dict[str, float]:
        assert not self.line.training
        assert not torch.is_grad_enabled()
        self.checks += 1
        return {"weight": self.line.weight.item()}


def test_it_learns_and_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = Line()
    with caplog.at_level(logging.INFO):
        state = train(task, tmp_path / "run", replace(QUICK, minutes=0.05))
    assert state.step == len(task.steps) > 200
    assert task.checks >= 1
    assert task.line.weight.item() == pytest.approx(2, abs=0.3)
    assert float(load_average(tmp_path / "run")["bias"]) == pytest.approx(1, abs=0.3)
    assert "check  weight" in caplog.text
    assert [p.name for p in (tmp_path / "run").iterdir()] == [FILE]


def test_it_resumes_where_it_stopped(tmp_path: Path) -> None:
    first = Line()
    steps = train(first, tmp_path, QUICK).step
    again = Line()
    state = train(again, tmp_path, QUICK)  # its minutes are spent
    assert (state.step, again.steps) == (steps, [])
    assert torch.equal(again.line.weight, first.line.weight)
    longer = Line()
    state = train(longer, tmp_path, replace(QUICK, minutes=0.01))
    assert longer.steps[0] == steps
    assert state.step == steps + len(longer.steps)
    assert state.minutes >= 0.01


def test_the_optimiser_goes_on_with_its_moments(tmp_path: Path) -> None:
    task = Line()
    train(task, tmp_path, QUICK)
    other = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(other.parameters())
    state = TrainState.open(tmp_path, other, 0.9)
    state.restore(other, optimizer)
    assert torch.equal(other.weight, task.line.weight)
    assert float(optimizer.state_dict()["state"][0]["step"]) == state.step


def test_the_state_holds_weights_only(tmp_path: Path) -> None:
    train(Line(), tmp_path, QUICK)
    data = torch.load(tmp_path / FILE, weights_only=True)
    assert set(data) == {"step", "minutes", "ema", "module", "optimizer"}


def test_a_step_that_is_not_finite_is_skipped(tmp_path: Path) -> None:
    task = Line()
    task.broken_at = 3
    train(task, tmp_path, QUICK)
    assert all(weight.isfinite().all() for weight in load_average(tmp_path).values())


def test_validation_hears_the_average_and_gives_the_weights_back() -> None:
    module = nn.Linear(1, 1)
    state = TrainState.open(Path("nowhere"), module, 0.5)
    start = module.weight.detach().clone()
    with torch.no_grad():
        module.weight += 1.0
    state.step = 100
    state.average(module)
    with state.averaged(module):
        torch.testing.assert_close(module.weight, start + 0.5)
    torch.testing.assert_close(module.weight, start + 1.0)
    assert module.training


def test_no_state(tmp_path: Path) -> None:
    with pytest.raises(VoiceChangerError, match=r"no training state at .*train the network first"):
        load_average(tmp_path)


def test_a_run_may_begin_with_a_voice_file(tmp_path: Path) -> None:
    voice = toy_voice()
    voice.save(tmp_path / "toy.safetensors")
    weights = load_start(tmp_path / "toy.safetensors")
    for part in (voice.denoiser, voice):
        wanted = part.state_dict()["denoiser.mel_mean" if part is voice else "mel_mean"].clone()
        voice.denoiser.mel_mean.zero_()
        begin_with(part, weights)
        torch.testing.assert_close(voice.denoiser.mel_mean, wanted)
    with pytest.raises(VoiceChangerError, match="none of the weights"):
        begin_with(nn.Linear(3, 2), weights)
