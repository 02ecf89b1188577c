"""Each task: from a corpus to a batch, a loss with gradients everywhere, and its figures."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import VoiceConfig
from core.errors import ConfigError, VoiceChangerError
from core.pipeline import convert
from core.voice import VoiceModel
from offline.preprocess import Manifest, preprocess
from offline.recipe import export_voice, make_task
from offline.tasks.content import ContentTask, Corpus
from offline.tasks.denoiser import DenoiserTask
from offline.tasks.polish import PolishTask
from offline.tasks.vocoder import VocoderTask, log_spectrum
from offline.train import Task, TrainConfig, train
from tests.offline.corpus import SPEAKERS, make_alignments, make_corpus, make_noise
from tests.toy import TOY, speechlike, toy_voice


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, `features`, `phones.tsv` and `noise`."""
    root = tmp_path_factory.mktemp("corpus")
    data = make_corpus(root / "data", seconds=1.6)  # 138 frames: the vocoder wants two crops
    preprocess(data, root / "features", TOY.audio, TOY.f0)
    make_alignments(root, data)
    make_noise(root / "noise")
    return root


@pytest.fixture
def manifest(corpus: Path) -> Manifest:
    return Manifest.load(corpus / "features", TOY.audio, TOY.f0)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def content_task(corpus: Path, manifest: Manifest) -> ContentTask:
    return ContentTask(
        TOY.audio,
        TOY.content,
        [Corpus(corpus / "features", manifest, (corpus / "phones.tsv",))],
        corpus / "noise",
        ("high",),
        batch=4,
        crop_frames=32,
    )


def denoiser_task(corpus: Path, manifest: Manifest, objective: str = "edm") -> DenoiserTask:
    return DenoiserTask(
        TOY,
        toy_voice().encoder,
        corpus / "features",
        manifest,
        variants=2,
        objective=objective,
        batch=3,
        crop_frames=24,
    )


def vocoder_task(corpus: Path, manifest: Manifest, adversarial_after: int = 10**9) -> VocoderTask:
    return VocoderTask(
        TOY.audio,
        TOY.mel,
        TOY.vocoder,
        corpus / "features",
        manifest,
        SPEAKERS,
        batch=2,
        crop_frames=24,
        adversarial_after=adversarial_after,
    )


def silent_parameters(task: Task) -> set[str]:
    """One step; the parameters that it does not reach."""
    torch.manual_seed(0)
    task.module.train()
    loss, figures = task.losses(0, torch.Generator().manual_seed(0))
    assert math.isfinite(loss.item())
    assert all(math.isfinite(value) for value in figures.values())
    loss.backward()
    return {
        name
        for name, weight in task.module.named_parameters()
        if weight.grad is None or not weight.grad.isfinite().all()
    }


def validated(task: Task) -> dict[str, float]:
    task.module.eval()
    with torch.inference_mode():
        figures = task.validate()
    assert all(math.isfinite(value) for value in figures.values())
    return figures


def test_content(corpus: Path, manifest: Manifest) -> None:
    task = content_task(corpus, manifest)
    assert len(task.train_set) == len(task.validation_set) == 2
    assert len(task.augment.noises) == 1
    assert silent_parameters(task) == {"heads.ipa.weight", "heads.ipa.bias"}  # no such label here
    assert {f"right arpabet {delay}" for delay in (1, 2)} <= set(validated(task))


def test_content_without_labels(corpus: Path, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "phones.tsv").write_text("file\tscore\tphones\nother.wav\t0\tAA:0:10\n")
    with pytest.raises(VoiceChangerError, match="none of the recordings"):
        content_task(tmp_path, Manifest(manifest.grid, ()))


def test_denoiser(corpus: Path, manifest: Manifest) -> None:
    task = denoiser_task(corpus, manifest)
    assert (len(task.items), len(task.validation)) == (3, 1)
    assert silent_parameters(task) == set()
    assert set(validated(task)) == {
        "prior",
        "rest at 0.1",
        "rest at 0.4",
        "rest at 1.0",
        "rest at 4.0",
    }
    mels = torch.cat([item.mel.float() for item in task.items], 1)
    normal = task.denoiser.normalise(mels[None])[0]
    torch.testing.assert_close(normal.mean(1), torch.zeros(16), rtol=0, atol=1e-2)
    torch.testing.assert_close(normal.std(1), torch.ones(16), rtol=0, atol=2e-2)


def test_consistency(corpus: Path, manifest: Manifest) -> None:
    assert silent_parameters(denoiser_task(corpus, manifest, "consistency")) == set()


def test_regression_hears_no_noise(corpus: Path, manifest: Manifest) -> None:
    task = denoiser_task(corpus, manifest, "regression")
    assert {name for name in silent_parameters(task) if "entry" in name} <= {"network.entry.weight"}
    drawn = [task.losses(0, torch.Generator().manual_seed(3))[0].item() for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_an_unknown_objective(corpus: Path, manifest: Manifest) -> None:
    with pytest.raises(VoiceChangerError, match="unknown objective"):
        denoiser_task(corpus, manifest, "guess")


def test_polish(corpus: Path, manifest: Manifest) -> None:
    first = denoiser_task(corpus, manifest).module.state_dict()
    vocoder = vocoder_task(corpus, manifest).module.state_dict()
    task = PolishTask(
        TOY,
        toy_voice().encoder,
        first,
        vocoder,
        corpus / "features",
        manifest,
        batch=2,
        crop_frames=70,
    )
    assert silent_parameters(task) == set()
    assert "prior" in validated(task)


def test_the_denoiser_learns_on_the_units_it_will_hear(corpus: Path, manifest: Manifest) -> None:
    """The first variant of a recording is what the analyser says of it."""
    from offline.preprocess import load_wave

    task, voice = denoiser_task(corpus, manifest), toy_voice()
    wave = load_wave(corpus / "features", manifest.utterances[0])
    heard = voice.analyser(wave)
    item = task.validation[0]
    torch.testing.assert_close(item.units[0].float(), heard.units[0], rtol=0, atol=0.1)
    torch.testing.assert_close(item.loudness, heard.loudness[0])
    # the pitch of training is heard at leisure, live it waits no longer than the units
    assert torch.equal(item.voiced, torch.from_numpy(voice.analyser.f0(wave)[1]))


@pytest.mark.parametrize("adversarial", [False, True])
def test_vocoder(corpus: Path, manifest: Manifest, adversarial: bool) -> None:
    task = vocoder_task(corpus, manifest, 0 if adversarial else 10**9)
    assert (len(task.items), len(task.validation)) == (3, 1)
    silent = silent_parameters(task)
    assert not [name for name in silent if name.startswith("vocoder.")]
    assert bool(silent) is not adversarial
    assert set(validated(task)) == {"distance"}


def test_critics_and_vocoder_play_against_each_other(corpus: Path, manifest: Manifest) -> None:
    """One backward serves both sides and leaves no weight frozen."""
    task = vocoder_task(corpus, manifest, 0)
    assert silent_parameters(task) == set()
    critic = next(task.critics.parameters()).grad
    assert critic is not None
    assert critic.abs().sum() > 0
    assert all(weight.requires_grad for weight in task.critics.parameters())


def test_crops_have_their_size_and_stay_in_range(corpus: Path, manifest: Manifest) -> None:
    task = vocoder_task(corpus, manifest)
    for seed in range(8):
        batch = task.draw(torch.Generator().manual_seed(seed))
        assert batch.wave.shape == (2, 24 * 512)
        assert batch.f0.shape == batch.voiced.shape == (2, 24)
        assert float(batch.wave.abs().max()) <= 1
        assert (batch.f0 > 0).all()


def test_log_spectrum_is_log_magnitude() -> None:
    wave = torch.from_numpy(speechlike(4096))[None]
    spectrum = log_spectrum(wave, 512)
    assert spectrum.shape == (1, (4096 - 512) // 128 + 1, 257)
    loud = spectrum > 0
    difference = (log_spectrum(2 * wave, 512) - spectrum)[loud]
    torch.testing.assert_close(
        difference, torch.full_like(difference, math.log(2)), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("make", [denoiser_task, vocoder_task])
def test_no_recordings_of_the_speakers(corpus: Path, manifest: Manifest, make: type) -> None:
    with pytest.raises(VoiceChangerError, match="no recordings of low, high"):
        make(corpus, Manifest(manifest.grid, ()))


def arguments(network: str, corpus: Path, **given: object) -> argparse.Namespace:
    defaults: dict[str, object] = {
        "network": network,
        "features": corpus / "features",
        "alignments": [],
        "more": [],
        "others": [],
        "objective": "edm",
        "denoiser": None,
        "vocoder": None,
        "judges": None,
        "sung": None,
        "noise": None,
        "validation": [],
        "content": None,
        "speakers": [],
        "shares": None,
        "adversarial_after": None,
    }
    return argparse.Namespace(**(defaults | given))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("content", "needs --alignments TABLE"),
        ("denoiser", "needs --content RUN and --speakers NAME"),
        ("vocoder", "needs --speakers NAME"),
        ("polish", "needs --content RUN and --speakers NAME"),
    ],
)
def test_what_training_needs_is_asked_for(corpus: Path, network: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_task(arguments(network, corpus))


def test_three_runs_make_a_voice(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole recipe at toy size: train each network for a moment, export, load, convert."""

    def toy_config(name: str, speakers: list[str]) -> VoiceConfig:
        return TOY

    monkeypatch.setattr("offline.recipe.voice_config", toy_config)
    runs = {name: tmp_path / name for name in ("content", "denoiser", "vocoder")}
    given = {
        "alignments": [corpus / "phones.tsv"],
        "speakers": SPEAKERS,
        "content": runs["content"],
    }
    for network, run in runs.items():
        task, rate = make_task(arguments(network, corpus, **given))
        task.batch = 1  # type: ignore[attr-defined]
        task.crop_frames = 24  # type: ignore[attr-defined]
        train(task, run, TrainConfig(minutes=1e-6, learning_rate=rate))

    def export(target: Path, *sharpness: float, shares: Any = None, **parts: Path) -> VoiceModel:
        given = {"credit": "given", "name": "toy", "speakers": SPEAKERS, "target": target}
        given |= {"sharpness": list(sharpness), "retrieval_share": shares}
        export_voice(argparse.Namespace(features=corpus / "features", **given, **parts))
        return VoiceModel.load(target)

    voice = export(tmp_path / "voice.safetensors", **runs)
    first = dict.fromkeys(("denoiser", "vocoder"), tmp_path / "voice.safetensors")
    with pytest.raises(VoiceChangerError, match=r"one value a speaker \(2\), got 1"):
        export(tmp_path / "again.safetensors", 0.2, **runs)
    with pytest.raises(VoiceChangerError, match=r"--retrieval-share needs one value a speaker"):
        export(tmp_path / "again.safetensors", shares=[1.0], **runs)
    first["content"] = runs["content"]
    again = export(tmp_path / "again.safetensors", 0.2, 0.0, shares=[1.0, 0.5], **first)
    assert [speaker.sharpness for speaker in voice.config.speakers] == [0.0, 0.0]
    assert [speaker.sharpness for speaker in again.config.speakers] == [0.2, 0.0]
    assert [speaker.retrieval_share for speaker in voice.config.speakers] == [1.0, 1.0]
    assert [speaker.retrieval_share for speaker in again.config.speakers] == [1.0, 0.5]
    for name, weight in voice.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, msg=name)
    assert all(100 < speaker.f0_median < 200 for speaker in voice.config.speakers)
    assert {speaker.credit for speaker in voice.config.speakers} == {"given"}
    assert convert(voice, speechlike(5000)).shape == (5000,)
