"""Refining on a toy corpus: what is drawn, who judges whom, what is written."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch

from core.errors import ConfigError, VoiceChangerError
from core.mel import LogMel
from core.voice import VoiceModel
from offline.checkpoint import FILE
from offline.distil.disguise import Disguise
from offline.distil.recorded import Recorded
from offline.preprocess import Manifest, f0_path, load_wave, preprocess
from offline.refine.__main__ import blend, build_parser, main, prepare
from offline.refine.config import RefineConfig
from offline.refine.critics import Critics
from offline.refine.learning import FIGURES, Refinement, rates, refine
from offline.refine.lessons import Lessons
from offline.refine.recordings import Recordings
from offline.tasks.judges import JudgesTask
from offline.tasks.vocoder import RESOLUTIONS, log_spectrum
from tests.offline.corpus import make_alignments, make_corpus, make_noise
from tests.toy import TOY, toy_voice

SMALL = RefineConfig(
    batch=2, conversions=3, frames=60, spoken=44, channels=4, settle=0, warmup=0, rate=1e-2
)
SPEAKERS = (replace(TOY.speakers[0], level_db=-20.0),)
"""One target, so that the other speaker of the corpus is a source of conversions."""


def low_voice() -> VoiceModel:
    return toy_voice(speakers=SPEAKERS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `features`, `judges`, `noise` and `low.safetensors`."""
    root = tmp_path_factory.mktemp("refine")
    data = make_corpus(root / "data", seconds=1.6, each=3)
    manifest = preprocess(data, root / "features", TOY.audio, TOY.f0)
    table = make_alignments(root, data)
    make_noise(root / "noise")
    task = JudgesTask(TOY.audio, TOY.mel, root / "features", manifest, [table], (), held_back=3)
    (root / "judges").mkdir()
    torch.save({"ema": task.module.state_dict()}, root / "judges" / FILE)
    low_voice().save(root / "low.safetensors", '{"made of": "noise"}')
    return root


def words(corpus: Path, out: Path, *more: object) -> list[str]:
    given = [corpus / "features", out, "--start", corpus / "low.safetensors"]
    given += ["--judges", corpus / "judges", "--noise", corpus / "noise", "--compute", "cpu", *more]
    return [str(word) for word in given]


def asked(corpus: Path, *more: object) -> argparse.Namespace:
    return build_parser().parse_args(words(corpus, corpus / "out.safetensors", *more))


@pytest.fixture
def refinement(corpus: Path) -> Refinement:
    return prepare(asked(corpus), SMALL)


def parts(voice: VoiceModel) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The weights of the denoiser, and all others."""
    state = voice.state_dict()
    own = {k: v for k, v in state.items() if k.startswith("denoiser.")}
    return own, {k: v for k, v in state.items() if k not in own}


def load(corpus: Path, least: int, **more: object) -> Recordings:
    voice = low_voice()
    manifest = Manifest.load(corpus / "features", TOY.audio, TOY.f0)
    own = [u for u in manifest.utterances if u.speaker == "low"]
    with torch.no_grad():
        disguise = Disguise(voice.encoder, None)
        return Recordings.load(
            voice, disguise, corpus / "features", own, ["high", "low"], least=least, **more
        )


def test_from_a_voice_to_a_voice(corpus: Path, tmp_path: Path) -> None:
    """The denoiser is another one, the rest as it was; and so is what people read of it."""
    out = tmp_path / "new" / "low.safetensors"
    main(words(corpus, out, "--steps", 3, "--until", 1, "--others", corpus / "features"), SMALL)
    before, rest = parts(VoiceModel.load(corpus / "low.safetensors"))
    after, kept = parts(VoiceModel.load(out))
    assert all(torch.equal(kept[key], value) for key, value in rest.items())
    moved = {key for key, value in before.items() if not torch.equal(after[key], value)}
    assert any("condition" in key for key in moved)
    assert any("gates" in key for key in moved)
    assert not any(key.endswith(("mel_mean", "mel_std")) for key in moved)
    assert VoiceModel.load(out).config == low_voice().config
    assert b"made of" in out.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_way(corpus: Path, tmp_path: Path, share: float) -> None:
    start, out = corpus / "low.safetensors", tmp_path / "low.safetensors"
    before, _ = parts(VoiceModel.load(start))
    weights = {k.removeprefix("denoiser."): v.float() + 0.125 for k, v in before.items()}
    blend(start, weights, share, out)
    after, _ = parts(VoiceModel.load(out))
    for key, value in before.items():
        torch.testing.assert_close(after[key], (value.float() + share * 0.125).half().to(value))


def test_units_are_the_encoders_and_lie_beside_the_rest(corpus: Path) -> None:
    recordings = load(corpus, 60)
    voice = low_voice()
    assert len(recordings.units) == 3, "plain and twice disguised"
    assert recordings.owner.tolist() == [1, 1, 1]
    assert recordings.median[0].isnan(), "nothing of the other"
    i = 1
    part = slice(int(recordings.start[i]), int(recordings.start[i] + recordings.length[i]))
    wave = recordings.wave[part].flatten()[None].float() / 32768
    with torch.no_grad():
        said = voice.encoder(wave)[0].T
        mel = LogMel(TOY.audio, TOY.mel)(wave)[0].T
    heard = slice(-TOY.content.lookahead_frames)  # the last frames of all hear silence sooner
    torch.testing.assert_close(
        recordings.units[0, part][heard].float(), said[heard], rtol=0, atol=0.02
    )
    torch.testing.assert_close(recordings.mel[part].float(), mel, rtol=0, atol=0.01)
    assert not torch.allclose(recordings.units[1, part].float(), said, atol=0.1)


def test_copies_are_heard_and_what_is_missing_is_itself(corpus: Path, tmp_path: Path) -> None:
    other = copytree(corpus / "features", tmp_path / "other")
    for path in sorted((other / "waves" / "low").iterdir())[1:]:
        path.unlink()
    heard = load(corpus, 60, others=(other, tmp_path))
    assert len(heard.units) == 9
    assert torch.equal(heard.units[3], heard.units[0])
    assert torch.equal(heard.units[6], heard.units[0])


def test_short_recordings_are_left_out(corpus: Path) -> None:
    features = corpus / "features"
    frames = len(load_wave(features, Manifest.load(features, TOY.audio, TOY.f0).utterances[0]))
    frames //= TOY.audio.hop_length
    assert len(load(corpus, frames).length) == 3
    with pytest.raises(VoiceChangerError, match=r"none of 3 recordings .* give longer ones"):
        load(corpus, frames + 1)


def test_who_has_no_pitch_is_no_source_and_no_target(corpus: Path, tmp_path: Path) -> None:
    features = copytree(corpus / "features", tmp_path / "features")
    manifest = Manifest.load(features, TOY.audio, TOY.f0)
    of_high = [f0_path(features, u.path) for u in manifest.utterances if u.speaker == "high"]
    first, *rest = of_high
    first.unlink()
    args = asked(corpus)
    args.features = features
    assert len(prepare(args, SMALL).lessons.sources.length) == len(rest)
    for path in rest:
        path.unlink()
    with pytest.raises(VoiceChangerError, match="know 2 speakers, and 1 have"):
        prepare(args, SMALL)
    with pytest.raises(VoiceChangerError, match="no recordings with a pitch of low"):
        prepare(asked(corpus, "--validation", "low"), SMALL)


def test_conversions_are_made_of_others(corpus: Path, tmp_path: Path) -> None:
    args = asked(corpus)
    args.start = tmp_path / "both.safetensors"
    toy_voice().save(args.start)
    with pytest.raises(VoiceChangerError, match="of the targets alone"):
        prepare(args, SMALL)


def test_judges_must_know_the_speakers(corpus: Path) -> None:
    with pytest.raises(VoiceChangerError, match="know 2 speakers, and 1 have"):
        prepare(asked(corpus, "--validation", "high"), SMALL)
    args = asked(corpus)
    args.judges = corpus / "low.safetensors"
    with pytest.raises(VoiceChangerError, match="holds no judges"):
        prepare(args, SMALL)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--share", "1.5"], "--share must lie between"),
        (["--seconds", "0"], "--seconds must be above 0"),
        (["--shares", "1", "1"], "a share above 0 for each of 1 targets"),
    ],
)
def test_what_is_asked_must_make_sense(corpus: Path, more: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        main(words(corpus, corpus / "out.safetensors", *more), SMALL)
    with pytest.raises(ConfigError, match=r"expected a \.safetensors file"):
        main(words(corpus, corpus / "out"), SMALL)


def test_sizes_must_fit() -> None:
    with pytest.raises(ConfigError, match="at most 48 can be spoken"):
        replace(SMALL, spoken=49)


def test_a_lesson_holds_recordings_and_conversions(refinement: Refinement) -> None:
    lesson = refinement.lessons.draw()
    conditions = lesson.conditions
    assert conditions.units.shape == (5, TOY.content.dim, 60)
    assert lesson.target.tolist() == [0] * 5
    assert lesson.source.tolist() == [0] * 3, "high, by name before low"
    assert lesson.said.shape == (3, TOY.mel.n_mels, 60)
    for value in (conditions.units, conditions.f0, conditions.loudness, lesson.mel, lesson.said):
        assert value.isfinite().all()
    mel = LogMel(TOY.audio, TOY.mel)(lesson.wave)
    inside = slice(4, -4)  # the windows of the first and last see what lies around the crop
    torch.testing.assert_close(lesson.mel[..., inside], mel[..., inside], rtol=0, atol=0.02)


def test_a_conversion_is_drawn_at_the_target_s_pitch_and_level(refinement: Refinement) -> None:
    lessons = refinement.lessons
    lessons.pitch = torch.tensor([400.0])  # well over the source's own
    lessons.level = torch.tensor([-10.0])
    pitches, levels = [], []
    torch.manual_seed(0)
    for _ in range(40):
        conditions = lessons.draw().conditions
        for f0, voiced, level in zip(
            conditions.f0[2:], conditions.voiced[2:], conditions.loudness[2:], strict=True
        ):
            if voiced.any():
                pitches.append(f0[voiced].median())
                levels.append(level[voiced].mean())
    semitones = 12 * torch.log2(torch.stack(pitches) / 400.0)
    assert abs(float(semitones.mean())) < 3.0
    assert abs(float(torch.stack(levels).median()) + 10.0) < 3.0


def test_a_target_needs_a_pitch(refinement: Refinement) -> None:
    lessons = refinement.lessons
    voice = toy_voice(speakers=(replace(SPEAKERS[0], f0_median=0.0),))
    with pytest.raises(ConfigError, match="low has no median pitch"):
        Lessons(voice, lessons.targets, lessons.sources, SMALL)


def test_each_side_learns_by_its_own_terms(refinement: Refinement) -> None:
    makers = [*refinement.denoiser.parameters(), *refinement.vocoder.parameters()]
    watchers = [*refinement.critics.parameters(), *refinement.judges.speakers.parameters()]
    others = [*refinement.encoder.parameters(), *refinement.judges.phones.parameters()]
    loss, judged, _ = refinement.losses()
    loss.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in makers)
    assert all(weight.grad is None for weight in [*watchers, *others])
    for weight in makers:
        weight.grad = None
    judged.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in watchers)
    assert all(weight.grad is None for weight in [*makers, *others])


def test_a_step_moves_both_sides_by_their_rates(refinement: Refinement) -> None:
    sides = {"makers": refinement.denoiser, "watchers": refinement.critics}
    for moving in sides:
        before = {n: [w.detach().clone() for w in m.parameters()] for n, m in sides.items()}
        for name in sides:
            getattr(refinement, name).rate = 1e-3 if name == moving else 0.0
        figures = dict(zip(FIGURES, refinement.step().tolist(), strict=True))
        assert all(torch.tensor(list(figures.values())).isfinite())
        for name, module in sides.items():
            same = [
                torch.equal(*pair) for pair in zip(before[name], module.parameters(), strict=True)
            ]
            assert all(same) == (name != moving)


def test_the_average_of_what_learns_is_given(refinement: Refinement) -> None:
    told: list[dict[str, float]] = []
    torch.manual_seed(0)
    before = {k: v.clone() for k, v in refinement.denoiser.state_dict().items()}
    weights = refine(refinement, 600, 8, 1.0, lambda step, figures: told.append(figures))
    assert weights.keys() == before.keys()
    assert not torch.equal(weights["network.entry.weight"], before["network.entry.weight"])


def test_nothing_learns_in_no_time(refinement: Refinement) -> None:
    before = {k: v.clone() for k, v in refinement.denoiser.state_dict().items()}
    weights = refine(refinement, 600, None, 0.0, lambda step, figures: None)
    assert all(torch.equal(weights[key], value) for key, value in before.items())


def test_makers_wait_until_critics_have_settled() -> None:
    config = RefineConfig()
    assert rates(0, 0.0, config) == (0.0, config.watching_rate)
    assert rates(config.settle, 0.03, config)[0] == 0.0
    half, full = (rates(config.settle + n, 0.0, config)[0] for n in (75, 150))
    assert half == pytest.approx(full / 2)
    assert full == pytest.approx(config.rate)
    makers, watchers = rates(9000, 1.0, config)
    assert 0 < makers < 0.05 * config.rate
    assert 0 < watchers < 0.1 * config.watching_rate


def test_critics_are_told_whose_voice_it_should_be() -> None:
    torch.manual_seed(0)
    critics, waves = Critics(2, 4), 0.1 * torch.randn(4, 8000)
    pairs = [(log_spectrum(waves[:2], n), log_spectrum(waves[2:], n)) for n in RESOLUTIONS]
    games = [
        critics.game(pairs, waves[2:], torch.tensor(whose), SMALL)
        for whose in ([0, 0, 0, 0], [1, 1, 1, 1])
    ]
    assert not torch.allclose(games[0].converted, games[1].converted)
    assert not torch.allclose(games[0].watchers, games[1].watchers)


@pytest.mark.gpu
def test_a_card_records_the_step(corpus: Path) -> None:
    args = asked(corpus)
    args.compute = "cuda"
    refinement = prepare(args, replace(SMALL, rate=1e-3))
    recorded = Recorded(refinement.step, refinement.device)
    refinement.makers.rate = refinement.watchers.rate = 1e-3
    before = refinement.denoiser.network.entry.weight.detach().clone()
    figures = torch.stack([recorded().clone() for _ in range(12)])
    assert figures.isfinite().all()
    assert not torch.equal(figures[-1], figures[-2]), "each step draws anew"
    assert not torch.equal(refinement.denoiser.network.entry.weight, before)
