"""Whole conversions: from the recording's file to the wave the original made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.audio import load_audio
from core.diff_svc.batch import convert_batch
from core.diff_svc.convert import ConvertParams, Prepared, convert_stretch, prepare
from core.diff_svc.foreign import save_foreign
from core.diff_svc.voice import DiffSvcVoice
from core.errors import ConfigError
from core.imports.diff_svc import import_diff_svc
from tests.core.imports.foreign_voice import write_voice
from tests.golden import GOLDEN, arrays, cases, distance, needs_golden, tensor
from tests.toy import speechlike

RATE = 44_100


def bar(voice: DiffSvcVoice) -> float:
    """What a wave may be off: f0 read off a mel moves the phase with every rounding."""
    return 1e-4 if voice.pitch_extractor is None else 1e-3


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DiffSvcVoice:
    """A tiny random voice that speaks through the embedded vocoder."""
    folder = tmp_path_factory.mktemp("toy")
    imported = import_diff_svc(write_voice(folder / "toy"))
    save_foreign(folder / "toy.safetensors", imported.config, imported.weights)
    return DiffSvcVoice.load(folder / "toy.safetensors")


@needs_golden
@pytest.mark.parametrize("case", cases("input.wav"))
def test_a_conversion_is_the_originals(case: str, tmp_path: Path) -> None:
    imported = import_diff_svc(next(iter((GOLDEN / case).glob("model_ckpt_steps_*.ckpt"))))
    save_foreign(tmp_path / "voice.safetensors", imported.config, imported.weights)
    voice = DiffSvcVoice.load(tmp_path / "voice.safetensors")
    io = arrays(case)
    channels, rate = load_audio(GOLDEN / case / "input.wav")
    sound = prepare(channels, rate, voice.config.mel.sample_rate, left_only=True)
    assert distance(sound.wave16, io["wav16_kaiser"]) < 1e-5
    with torch.inference_mode():
        assert distance(voice.units(torch.from_numpy(sound.wave16)[None])[0], io["units"]) < 1e-5
    for key in [key for key in io if key.startswith("e2e_k") and key.endswith("_wav")]:
        semitones, speedup = key.split("_")[1:3]
        params = ConvertParams(
            float(semitones[1:].replace("m", "-").replace("p", ".")), int(speedup[1:]), exact=True
        )
        made = convert_stretch(voice, sound, params, noise=tensor(io["e2e_x_T"])[:, 0])
        assert distance(made, io[key]) < bar(voice), key


def sound_of(samples: int) -> Prepared:
    return prepare(speechlike(samples)[None], RATE, RATE, left_only=False)


def test_noise_is_keyed_by_seed_and_place(toy: DiffSvcVoice) -> None:
    sound = sound_of(22_050)
    first = convert_stretch(toy, sound, ConvertParams())
    assert len(first) == len(sound.wave) // 512 * 512
    assert np.array_equal(first, convert_stretch(toy, sound, ConvertParams()))
    for params, position in ((ConvertParams(seed=1), 0), (ConvertParams(), 40)):
        assert np.abs(first - convert_stretch(toy, sound, params, position)).max() > 1e-3


def test_ddpm_takes_every_step(toy: DiffSvcVoice) -> None:
    made = convert_stretch(toy, sound_of(11_025), ConvertParams(speedup=1))
    assert np.isfinite(made).all()


def test_silence_is_silent_behind_the_gate(toy: DiffSvcVoice) -> None:
    sound = Prepared(np.zeros(RATE, np.float32), np.zeros(16_000, np.float32))
    assert np.abs(convert_stretch(toy, sound, ConvertParams(gate_db=-65.0))).max() == 0
    assert np.abs(convert_stretch(toy, sound, ConvertParams())).max() > 0


def test_what_is_too_short(toy: DiffSvcVoice) -> None:
    with pytest.raises(ConfigError, match=r"0\.011 s is too short to convert; expected 0\.05 s"):
        convert_stretch(toy, sound_of(500), ConvertParams())


def test_stereo_is_heard_as_its_mean_unless_left_is_wanted() -> None:
    both = np.stack([speechlike(8000), speechlike(8000, seed=3)])
    mean, left = (prepare(both, RATE, RATE, left_only) for left_only in (False, True))
    assert np.array_equal(mean.wave16, left.wave16)
    assert np.array_equal(left.wave, both[0])
    np.testing.assert_allclose(mean.wave, both.mean(0), atol=1e-7)


@pytest.mark.parametrize("speedup", [1, 25])
def test_a_batch_is_as_one_by_one(toy: DiffSvcVoice, speedup: int) -> None:
    sounds = [sound_of(samples) for samples in (30_000, 12_345, 22_050)]
    params = ConvertParams(2.0, speedup, gate_db=-65.0)
    together = convert_batch(toy, sounds, params, [0, 7, 90])
    for sound, position, made in zip(sounds, (0, 7, 90), together, strict=True):
        assert distance(made, convert_stretch(toy, sound, params, position)) < 1e-4
    with pytest.raises(ConfigError, match="one position for each of at least 1 sound, got 1 and 3"):
        convert_batch(toy, sounds, params, [0])


@needs_golden
@pytest.mark.parametrize("case", cases("input.wav"))
def test_a_batch_with_an_encoder_or_without(case: str) -> None:
    imported = import_diff_svc(next(iter((GOLDEN / case).glob("model_ckpt_steps_*.ckpt"))))
    voice = DiffSvcVoice(imported.config, imported.weights)
    channels, rate = load_audio(GOLDEN / case / "input.wav")
    sounds = [
        prepare(part, rate, voice.config.mel.sample_rate, left_only=True)
        for part in (channels[:, :12_000], channels)
    ]
    for sound, made in zip(sounds, convert_batch(voice, sounds, ConvertParams()), strict=True):
        assert distance(made, convert_stretch(voice, sound, ConvertParams())) < bar(voice)
