"""Teachers and a student on a toy corpus: what is drawn, what is hidden, what comes out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from offline.alignment import IGNORED, load_alignments
from offline.checkpoint import load_start
from offline.distil.__main__ import heard_right, main, taught
from offline.distil.disguise import Disguise
from offline.distil.recorded import Average, Descent, Recorded
from offline.distil.spectra import Crops, Spectra, kept_bins
from offline.distil.student import FIGURES, Lessons
from offline.distil.teacher import Teacher, learning_rate, misnamed, soft_labels, train_teacher
from offline.preprocess import Manifest, preprocess
from offline.recipe import part
from offline.tasks.content import Corpus
from tests.offline.corpus import make_alignments, make_corpus, make_noise
from tests.toy import TOY, toy_voice

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `features`, `phones.tsv` and `noise`."""
    root = tmp_path_factory.mktemp("distil")
    data = make_corpus(root / "data", seconds=1.6, each=3)
    preprocess(data, root / "features", TOY.audio, TOY.f0)
    make_alignments(root, data)
    make_noise(root / "noise")
    return root


@pytest.fixture
def spectra(corpus: Path) -> Spectra:
    manifest = Manifest.load(corpus / "features", TOY.audio, TOY.f0)
    known = Corpus(corpus / "features", manifest, (corpus / "phones.tsv",))
    with torch.no_grad():
        return Spectra.load(toy_voice().encoder, [known], ["high"])


@pytest.fixture
def disguise(corpus: Path) -> Disguise:
    with torch.no_grad():
        return Disguise(toy_voice().encoder, corpus / "noise")


def test_crops_are_of_recordings_that_weigh(spectra: Spectra, corpus: Path) -> None:
    crops = spectra.draw(spectra.weight, 40, 150)
    assert {spectra.speakers[spectra.speaker[i]] for i in crops.recording.tolist()} == {"low"}
    start, length = spectra.start[crops.recording], spectra.length[crops.recording]
    assert (crops.place >= start[:, None]).all()
    assert (crops.place < (start + length)[:, None]).all()
    assert not crops.inside.all(), "150 frames are more than there are"
    heard = spectra.heard(crops)
    assert heard.shape == (40, 150, kept_bins(toy_voice().encoder))
    assert float(heard[~crops.inside].max()) == pytest.approx(1e-10, rel=1e-4)


def test_labels_are_those_of_the_table(spectra: Spectra, corpus: Path) -> None:
    _, known = load_alignments(corpus / "phones.tsv", TOY.audio)
    recording = 1
    manifest = Manifest.load(corpus / "features", TOY.audio, TOY.f0)
    wanted = torch.from_numpy(known[manifest.utterances[recording].path])
    index = torch.arange(spectra.span(recording).start, spectra.span(recording).stop)[None]
    crops = Crops(torch.tensor([recording]), index, torch.ones_like(index, dtype=torch.bool))
    said = spectra.named(crops, "arpabet")[0]
    assert torch.equal(said[: len(wanted)], wanted[: len(said)])
    assert (spectra.named(crops, "ipa") == IGNORED).all()


def test_disguised_power_stays_power(spectra: Spectra, disguise: Disguise) -> None:
    power = spectra.heard(spectra.draw(spectra.weight, 30, 60))
    before = power.clone()
    for _ in range(5):
        other = disguise.power(power)
        assert other.shape == power.shape
        assert other.isfinite().all()
        assert (other >= 0).all()
        assert disguise.bands(other).isfinite().all()
    assert torch.equal(power, before)


def test_the_own_bank_is_the_encoders(spectra: Spectra, disguise: Disguise) -> None:
    encoder = disguise.encoder
    wave = torch.randn(1, 40 * TOY.audio.hop_length) * 0.1
    full = encoder.power(wave.unfold(1, TOY.content.n_fft, TOY.audio.hop_length))
    plain = disguise.bands(full[..., : disguise.bins], warped=False)
    torch.testing.assert_close(plain, encoder.bands(full), rtol=1e-4, atol=1e-4)


def test_hidden_are_a_few_bands_and_frames(disguise: Disguise) -> None:
    bands = torch.ones(50, 60, TOY.content.n_bands)
    frames_only = disguise.hide(bands, (8, 4), (2, 0))
    assert ((frames_only == 0).all(2) == (frames_only == 0).any(2)).all()
    bands_only = disguise.hide(bands, (8, 4), (0, 1))
    assert 0 < float((bands_only == 0).float().mean()) < 0.6
    assert ((bands_only == 0).all(1) == (bands_only == 0).any(1)).all()


def test_unknown_phones_count_nothing() -> None:
    scores = torch.randn(2, 5, 7)
    phones = torch.tensor([[1, 2, IGNORED, 3, 4], [IGNORED] * 5])
    known = phones != IGNORED
    wanted = torch.nn.functional.cross_entropy(scores[known], phones[known])
    torch.testing.assert_close(misnamed(scores, phones, 0.0), wanted)
    assert float(misnamed(scores[1:], phones[1:], 0.1)) == 0.0


def test_the_rate_rises_and_falls() -> None:
    rates = [learning_rate(1.0, p) for p in (0.0, 0.02, 0.04, 0.5, 1.0, 1.2)]
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4] == rates[5]


def test_a_teacher_says_all_of_every_recording(spectra: Spectra, disguise: Disguise) -> None:
    teacher = Teacher(TOY.content.n_bands, width=64, blocks=1).eval()
    said = soft_labels(teacher, spectra, disguise, [0, 4, 2], (-0.5, 0.5))
    assert sorted(said) == [0, 2, 4]
    for recording, phones in said.items():
        assert len(phones) == spectra.length[recording]
        torch.testing.assert_close(
            phones.float().sum(-1), torch.ones(len(phones)), rtol=0, atol=0.01
        )


def test_a_step_teaches_and_keeps_the_targets(spectra: Spectra, disguise: Disguise) -> None:
    torch.manual_seed(0)
    student = disguise.encoder
    soft = torch.zeros(len(spectra.power), 40, dtype=torch.half)
    lessons = Lessons(student, spectra, disguise, soft, spectra.of(["low"]), batch=4)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    lessons.descent.rate = 1e-3
    figures = [dict(zip(FIGURES, lessons.step(2).tolist(), strict=True)) for _ in range(25)]
    assert all(torch.tensor(list(told.values())).isfinite().all() for told in figures)
    assert figures[0]["anchor"] < 0.2, "the student begins where the encoder was"
    assert figures[-1]["phones"] < figures[0]["phones"]
    assert any(not torch.equal(before[key], value) for key, value in student.state_dict().items())


def test_each_speaker_is_told_by_one_who_never_heard_them(
    spectra: Spectra, disguise: Disguise, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[torch.Tensor] = []

    def untrained(teacher: Teacher, *args: object) -> int:
        learned.append(~args[2])  # type: ignore[operator]
        teacher.eval()
        return 0

    monkeypatch.setattr("offline.distil.__main__.train_teacher", untrained)
    monkeypatch.setattr("offline.distil.__main__.Teacher", lambda n: Teacher(n, 64, 1))
    unlabelled = spectra.inventory.clone()
    unlabelled[torch.nonzero(spectra.of(["low"]))[0]] = -1
    spectra = replace(spectra, inventory=unlabelled)
    soft = taught(spectra, disguise, 2, 1.0, "low")
    assert len(learned) == 2
    assert float(soft.float().sum(-1).max()) < 1.01, "one opinion of each frame"
    both = spectra.of(["low"])
    assert int((learned[0] & both).sum()) + int((learned[1] & both).sum()) == int(both.sum())
    for recording in torch.nonzero(both)[:, 0].tolist():
        assert float(soft[spectra.span(recording)].float().sum(-1).min()) > 0.9
    for recording in torch.nonzero(spectra.of(["high"]))[:, 0].tolist():
        assert float(soft[spectra.span(recording)].abs().max()) == 0.0, "they judge"


def test_from_a_voice_to_a_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = "offline.distil.__main__"
    monkeypatch.setattr(f"{here}.Teacher", lambda n: Teacher(n, 64, 1))
    monkeypatch.setattr(f"{here}.train_teacher", partial(train_teacher, batch=2))
    monkeypatch.setattr(f"{here}.Lessons", partial(Lessons, batch=2))
    toy_voice().save(tmp_path / "toy.safetensors")
    words = [corpus / "features", tmp_path / "run", "--start", tmp_path / "toy.safetensors"]
    words += ["--alignments", corpus / "phones.tsv", "--noise", corpus / "noise"]
    words += ["--targets", "low", "--validation", "high", "--apart", "low", "--folds", "1"]
    words += ["--teacher-minutes", "1e-6", "--minutes", "1e-6", "--compute", "cpu"]
    main([str(word) for word in words], TOY)
    weights = part(load_start(tmp_path / "run"), "encoder.")
    encoder = toy_voice().encoder
    encoder.load_state_dict(weights)


def test_right_is_a_share(spectra: Spectra, disguise: Disguise) -> None:
    assert 0 <= heard_right(disguise.encoder, spectra, disguise, 2) <= 1


def test_a_descent_steps_and_an_average_follows() -> None:
    layer = torch.nn.Linear(2, 1)
    descent, average = Descent([*layer.parameters()], 0.0, CPU), Average(layer, 0.9)
    descent.rate = 0.1
    assert descent.rate == 0.1
    before = layer.weight.detach().clone()
    for _ in range(3):
        descent.begin()
        descent.step(layer(torch.ones(1, 2)).sum())
        average.follow()
    moved = (layer.weight.detach() - before).abs().sum()
    followed = (average.weights["weight"] - before).abs().sum()
    assert 0 < float(followed) < float(moved)


def test_a_broken_gradient_moves_nothing() -> None:
    layer = torch.nn.Linear(2, 1)
    descent = Descent([*layer.parameters()], 0.1, CPU)
    descent.rate, before = 0.1, layer.weight.detach().clone()
    descent.begin()
    descent.step(layer(torch.full((1, 2), torch.nan)).sum())
    assert torch.equal(layer.weight, before)


def test_without_a_card_a_step_is_taken_as_it_is() -> None:
    steps = Recorded(lambda: torch.tensor(1.0), CPU)
    assert float(steps()) == 1.0


@pytest.mark.gpu
def test_a_card_records_a_step() -> None:
    card = torch.device("cuda")
    layer = torch.nn.Linear(8, 8).to(card)
    descent = Descent([*layer.parameters()], 0.0, card)

    def step() -> torch.Tensor:
        descent.begin()
        loss = layer(torch.ones(4, 8, device=card)).square().mean()
        descent.step(loss)
        return loss.detach()

    recorded = Recorded(step, card)
    descent.rate = 1e-2
    losses = [recorded().item() for _ in range(30)]
    assert losses[-1] < losses[5] < losses[0]
