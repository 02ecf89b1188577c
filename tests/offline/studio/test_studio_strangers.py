"""Strangers' words: drawn alike every time, at the target's pitch, heard in mels, and learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.voice import DEFAULT_VOICE, VoiceModel, find_voice
from offline.strangers import SECONDS, SPEAKERS
from offline.studio.network import Adapting
from offline.studio.settings import TrainSettings
from offline.studio.strangers import Strangers

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def voice() -> VoiceModel:
    return VoiceModel.load(find_voice(DEFAULT_VOICE))


@pytest.fixture(scope="module")
def strangers(voice: VoiceModel) -> Strangers:
    return Strangers(voice, f0_median=245.0, seed=3)


def test_all_speak_for_as_long_at_the_target_s_pitch(
    voice: VoiceModel, strangers: Strangers
) -> None:
    assert len(strangers.items) == len(SPEAKERS.split())
    for item in strangers.items:
        assert item.frames == voice.config.audio.frames(round(SECONDS * 44_100))
        median = np.median(item.f0[item.voiced].numpy())
        assert median == pytest.approx(245.0, rel=1e-3)


def test_a_number_draws_the_same_words_every_time(strangers: Strangers) -> None:
    once, again = strangers.words(7, CPU), strangers.words(7, CPU)
    assert torch.equal(once.batch.mel, again.batch.mel)
    assert torch.equal(once.batch.conditions.f0, again.batch.conditions.f0)
    assert torch.equal(once.wanted, again.wanted)
    assert torch.equal(once.blur, again.blur)
    assert not torch.equal(once.batch.mel, strangers.words(8, CPU).batch.mel)


def test_what_is_judged_is_blurred_for_the_ear(strangers: Strangers) -> None:
    words = strangers.words(7, CPU)
    assert 0.2 < words.blur.std() < 1.0  # nepers
    assert words.misheard(words.batch.mel) > 0.01
    assert words.ear.misheard(words.batch.mel, words.wanted) < 1e-5


def test_the_ear_hears_in_a_mel_what_the_encoder_hears(
    voice: VoiceModel, strangers: Strangers
) -> None:
    right = []
    for item in strangers.items:
        with torch.inference_mode():
            heard = strangers.ear(item.mel[None].float())[0].argmax(-1)
            told = voice.encoder.phones(item.units[0].float().T).argmax(-1)[: len(heard)]
        right.append(float((heard == told)[told > 0].float().mean()))
    assert np.mean(right) > 0.7


def test_words_are_learned_and_the_ear_is_not(voice: VoiceModel, strangers: Strangers) -> None:
    network = Adapting(voice, "anna", TrainSettings(polish=False))
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    words = strangers.words(1, CPU)
    misheard = []
    for _ in range(6):
        loss = network.misheard(words)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        misheard.append(loss.item())
    assert misheard[-1] < 0.8 * misheard[0]
    assert all(weight.grad is None for weight in strangers.ear.parameters())
    assert all(weight.requires_grad for weight in voice.encoder.parameters())  # the ear's is a copy
