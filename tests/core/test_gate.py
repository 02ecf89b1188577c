"""The gate: lets speech through, not what lies far below it nor noise; the same in any blocks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.config import AudioConfig
from core.gate import Gate
from tests.toy import BLOCKS, cut

HOP, THRESHOLD = 8, -65.0
AUDIO = AudioConfig(8 * 86, HOP)


def levels(*parts: tuple[int, float], noise_db: float = -100.0) -> Tensor:
    """(frames, dB) after each other, with noise of that level (and a deviation of 1 dB) below."""
    db = torch.cat([torch.full((frames,), level) for frames, level in parts])
    noise = noise_db + torch.randn(len(db), generator=torch.Generator().manual_seed(0))
    return torch.maximum(db, noise.clamp(min=-100.0))[None]


def gains(db: Tensor, brightness: Tensor | None = None, threshold: float = THRESHOLD) -> Tensor:
    """The gain at the end of each frame."""
    return Gate(AUDIO)(db, threshold, brightness).view(-1, HOP)[:, -1]


SPEECH = ((40, -20.0), (10, -100.0), (40, -25.0))


def test_opens_over_a_frame_and_closes_in_half_a_one() -> None:
    wave = Gate(AUDIO)(levels((5, -90.0), (3, -20.0), (5, -90.0)), THRESHOLD).view(-1, HOP)
    assert wave[:5].max() == 0
    assert wave[5].tolist() == pytest.approx([i / HOP for i in range(1, HOP + 1)])
    assert (wave[6:8] == 1).all()
    assert wave[8].tolist() == pytest.approx([0.75, 0.5, 0.25, 0, 0, 0, 0, 0])
    assert wave[9:].max() == 0


def test_speech_passes_whole() -> None:
    assert (gains(levels(*SPEECH))[[*range(40), *range(50, 90)]] == 1).all()


@pytest.mark.parametrize(("below", "passed"), [(10, True), (25, True), (35, False), (50, False)])
def test_what_lies_far_below_the_speech_is_expanded(below: float, passed: bool) -> None:
    after = gains(levels(*SPEECH, (8, -20.0 - below)))[-1]
    assert after == 1 if passed else after < 0.1


@pytest.mark.parametrize("noise_db", [-60.0, -52.0, -49.0])
def test_noise_in_pauses_is_expanded_and_speech_above_it_is_not(noise_db: float) -> None:
    db = levels((60, -100.0), *SPEECH, (60, -100.0), noise_db=noise_db)
    found = gains(db)
    assert found[-50:].max() < 0.1
    assert (found[60:100] == 1).all()


def test_a_weak_consonant_is_heard_by_its_brightness() -> None:
    db = levels((40, -20.0), (5, -100.0), (4, -55.0))
    bright = levels((40, -40.0), (5, -100.0), (4, -58.0))
    assert gains(db)[-1] < 0.1
    assert gains(db, bright)[-1] == 1
    assert gains(db, bright, threshold=-50.0)[-1] < 0.2  # the threshold is of the loudness


def test_a_quiet_voice_is_heard_at_once_and_soon_after_a_loud_one() -> None:
    syllables = [(20, -45.0), (6, -90.0)] * 40
    spoken = levels(*syllables) > -60
    assert (gains(levels(*syllables))[spoken[0]] == 1).all()
    assert (gains(levels(*syllables) - 15)[-200:][spoken[0, -200:]] == 1).all()
    after = gains(levels((100, -10.0), (6, -90.0), *syllables))[106:]
    assert after[10] < 0.1
    assert (after[-200:][spoken[0, -200:]] == 1).all()


def test_no_threshold_and_a_threshold_above_all() -> None:
    db = levels(*SPEECH)
    assert (gains(db, threshold=-1000.0)[:40] == 1).all()
    assert gains(db, threshold=0.0).max() < 0.01


@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(blocks: str) -> None:
    db = levels((5, -90.0), *SPEECH, noise_db=-50.0)
    bright = db.flip(1) - 15.0
    whole = Gate(AUDIO)(db, THRESHOLD, bright)
    gate = Gate(AUDIO)
    sizes = cut(db.shape[1], BLOCKS[blocks])
    pairs = zip(db.split(sizes, 1), bright.split(sizes, 1), strict=True)
    parts = [gate(part, THRESHOLD, other) for part, other in pairs]
    assert torch.equal(torch.cat(parts, 1), whole)


def test_reset_repeats() -> None:
    gate, db = Gate(AUDIO), levels(*SPEECH, noise_db=-50.0)
    first = gate(db, THRESHOLD)
    gate.reset()
    assert torch.equal(gate(db, THRESHOLD), first)


def test_the_threshold_may_move_while_sound_runs() -> None:
    gate, db = Gate(AUDIO), levels((4, -20.0))
    assert gate(db, THRESHOLD)[0, -1] == 1
    assert gate(db, -10.0)[0, -1] < 0.02
    assert gate(db, THRESHOLD)[0, -1] == 1
