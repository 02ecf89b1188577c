"""Judges of mels, and conversions judged by them in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import VoiceChangerError
from core.mel import LogMel
from offline.preprocess import Manifest, f0_path, load_wave, preprocess
from offline.tasks.conversions import Conversions
from offline.tasks.denoiser import DenoiserTask
from offline.tasks.judges import JudgesTask, MelJudge, judged
from offline.tasks.polish import PolishTask
from offline.tasks.spoken import Spoken
from offline.tasks.vocoder import VocoderTask
from offline.train import TrainConfig, train
from tests.offline.corpus import make_alignments, make_corpus
from tests.toy import TOY, toy_voice

LOW = replace(TOY, speakers=TOY.speakers[:1])
"""One target, so that the other speaker of the corpus is a source of conversions."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judges")
    data = make_corpus(root / "data", seconds=1.6)
    preprocess(data, root / "features", TOY.audio, TOY.f0)
    make_alignments(root, data)
    return root


@pytest.fixture
def manifest(corpus: Path) -> Manifest:
    return Manifest.load(corpus / "features", TOY.audio, TOY.f0)


def judges_task(corpus: Path, manifest: Manifest, validation: tuple[str, ...] = ()) -> JudgesTask:
    return JudgesTask(
        TOY.audio,
        TOY.mel,
        corpus / "features",
        manifest,
        [corpus / "phones.tsv"],
        validation,
        batch=4,
        crop_frames=48,
        held_back=3,
    )


def polish_task(corpus: Path, manifest: Manifest, *, critics: bool = True) -> PolishTask:
    features = corpus / "features"
    encoder = toy_voice().encoder
    denoiser = DenoiserTask(LOW, encoder, features, manifest, variants=1, held_back=2)
    vocoder = VocoderTask(TOY.audio, TOY.mel, TOY.vocoder, features, manifest, ["low"], held_back=2)
    spoken = vocoder.module.state_dict()
    if not critics:
        spoken = {name: w for name, w in spoken.items() if not name.startswith("critics.")}
    judges = judges_task(corpus, manifest).module.state_dict()
    return PolishTask(
        LOW,
        encoder,
        denoiser.module.state_dict(),
        spoken,
        features,
        manifest,
        batch=2,
        crop_frames=70,
        judges=judges,
    )


def test_judges_learn_who_speaks_and_what(corpus: Path, manifest: Manifest, tmp_path: Path) -> None:
    task = judges_task(corpus, manifest)
    assert task.judges.names == ("high", "low")
    torch.manual_seed(0)
    loss, figures = task.losses(0, torch.Generator().manual_seed(0))
    train(task, tmp_path, TrainConfig(minutes=0.05, learning_rate=1e-3, warmup_steps=1))
    with torch.no_grad():
        after, _ = task.losses(0, torch.Generator().manual_seed(0))
    assert after < loss
    assert set(figures) == {"speaker", "phones"}


def test_whose_phones_are_held_back(corpus: Path, manifest: Manifest) -> None:
    task = judges_task(corpus, manifest, ("high",))
    assert task.judges.names == ("low",)
    with torch.inference_mode():
        figures = task.validate()
    assert set(figures) == {"speakers right", "speech right"}


def test_judges_need_arpabet_phones(corpus: Path, manifest: Manifest) -> None:
    with pytest.raises(VoiceChangerError, match="ARPABET"):
        JudgesTask(TOY.audio, TOY.mel, corpus / "features", manifest, [], ())


def test_recordings_without_pitch_are_not_judged(corpus: Path, manifest: Manifest) -> None:
    first = manifest.utterances[0]
    path = f0_path(corpus / "features", first.path)
    kept = path.rename(path.with_suffix(".away"))
    assert first not in judged(corpus / "features", manifest)
    kept.rename(path)
    assert first in judged(corpus / "features", manifest)
    assert not judged(corpus / "features", manifest, ("low", "high"))


def test_a_judge_does_not_hear_the_level(corpus: Path, manifest: Manifest) -> None:
    """Nor anything above what every corpus has."""
    judge = MelJudge(TOY.audio, TOY.mel)
    wave = load_wave(corpus / "features", manifest.utterances[0])
    mel = LogMel(TOY.audio, TOY.mel)(torch.from_numpy(wave)[None])
    louder = mel + 1.5
    louder[:, judge.bins :] = 0.0
    torch.testing.assert_close(judge(louder), judge(mel), rtol=1e-3, atol=1e-3)


def test_conversions_teach_the_denoiser(corpus: Path, manifest: Manifest) -> None:
    """Every weight that learns is reached; the phone judge is not, and stays as it is."""
    task = polish_task(corpus, manifest)
    conversions = task.conversions
    assert conversions is not None
    assert {item.utterance.speaker for item in conversions.items} == {"high"}
    task.module.train()
    loss, figures = task.losses(0, torch.Generator().manual_seed(0))
    loss.backward()
    assert {"phones", "likeness", "telling", "caught"} <= set(figures)
    for name, weight in task.module.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    assert all(weight.grad is None for weight in conversions.judges.phones.parameters())


def test_new_critics_learn_before_they_are_heard(corpus: Path, manifest: Manifest) -> None:
    """A voice file keeps none; those of a run are heard at once."""
    assert polish_task(corpus, manifest).settling == 0
    task = polish_task(corpus, manifest, critics=False)
    assert task.settling > 0
    heard = []
    for step in (0, task.settling - 1, task.settling):
        task.module.zero_grad()
        torch.manual_seed(0)
        loss, _ = task.losses(step, torch.Generator().manual_seed(0))
        loss.backward()
        heard.append([w.grad.clone() for w in task.vocoder.parameters() if w.grad is not None])
        assert all(w.grad is not None for w in task.critics.parameters())
    for unheard, last, first in zip(*heard, strict=True):
        torch.testing.assert_close(unheard, last)
        assert not torch.allclose(last, first)


def test_a_conversion_is_drawn_at_the_target_s_pitch(corpus: Path, manifest: Manifest) -> None:
    conversions = polish_task(corpus, manifest).conversions
    assert isinstance(conversions, Conversions)
    conversions.pitch = [400.0]  # well over the source's own
    drawn = []
    for seed in range(40):
        conditions = conversions._draw(torch.Generator().manual_seed(seed))[0].conditions
        drawn.append(conditions.f0[conditions.voiced].median())
    semitones = 12 * torch.log2(torch.stack(drawn) / 400.0)
    assert float(semitones.mean().abs()) < 3.0


def test_what_is_spoken_lies_beside_the_recording(corpus: Path, manifest: Manifest) -> None:
    """The part of a recording that is compared ends where the crop ends."""
    voice = toy_voice()
    hop = voice.config.audio.hop_length
    spoken = Spoken(voice.vocoder, hop)
    frames = 70
    waves = torch.arange(frames * hop, dtype=torch.float32)[None]
    part = spoken.part(waves)
    assert part[0, -1] == frames * hop - 1
    batch, _ = polish_task(corpus, manifest).inner.draw(torch.Generator().manual_seed(0))
    mel = torch.randn(len(batch.x0), TOY.mel.n_mels, batch.x0.shape[2])
    made = spoken(mel, batch.conditions, torch.Generator().manual_seed(0))
    assert made.shape == (len(mel), spoken.part(torch.zeros(1, mel.shape[2] * hop)).shape[1])
