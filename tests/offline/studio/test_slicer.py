"""The slicer: pieces of the wanted length, cut in pauses only, reasons for what is dropped."""

from __future__ import annotations

import numpy as np
import pytest

from offline.studio.settings import SlicerConfig
from offline.studio.slicer import levels, slice_recording
from offline.studio.takes import clipped_share, duplicates, portrait, speech_gain, strangers
from tests.toy import Wave, speechlike

RATE = 16_000


def said(*parts: tuple[float, float]) -> Wave:
    """(seconds of speech, seconds of pause) in turn."""
    rng = np.random.default_rng(0)
    waves = []
    for speech, pause in parts:
        waves.append(0.1 * rng.standard_normal(round(speech * RATE)))
        waves.append(1e-5 * rng.standard_normal(round(pause * RATE)))
    return np.concatenate(waves).astype(np.float32)


def test_cuts_lie_in_pauses() -> None:
    wave = said(*[(1.7, 0.3)] * 20)
    pieces = slice_recording(wave, RATE, SlicerConfig())
    assert not any(p.dropped for p in pieces)
    assert all(2.0 <= (p.end - p.start) / RATE <= 15.5 for p in pieces)
    for piece in pieces:
        for at in (piece.start, piece.end):
            phase = at / RATE % 2.0
            assert phase >= 1.69 or phase <= 0.01 or at == len(wave)
    heard = sum(p.heard for p in pieces)
    assert heard == pytest.approx(34.0, abs=0.7)


def test_short_pauses_are_no_place_to_cut() -> None:
    (piece,) = slice_recording(said(*[(2.0, 0.1)] * 10), RATE, SlicerConfig())
    assert (piece.end - piece.start) / RATE > 20  # longer than wanted, but no word is cut


def test_long_pauses_are_left_out() -> None:
    pieces = slice_recording(said((3.0, 4.0), (3.0, 4.0)), RATE, SlicerConfig())
    assert [round((p.end - p.start) / RATE, 1) for p in pieces] == [3.1, 3.3]


def test_a_short_rest_takes_from_its_neighbour() -> None:
    pieces = slice_recording(said(*[(4.0, 0.3)] * 3, (1.2, 0.3), (1.5, 0.3)), RATE, SlicerConfig())
    assert not any(p.dropped for p in pieces)


@pytest.mark.parametrize(
    ("wave", "why"),
    [
        (said((0.3, 0.0)), "shorter than 2 s"),
        (np.zeros(RATE * 5, np.float32), "silence only"),
        (np.zeros(0, np.float32), "empty"),
    ],
)
def test_nothing_to_keep(wave: Wave, why: str) -> None:
    assert [p.dropped for p in slice_recording(wave, RATE, SlicerConfig())] == [why]


def test_clipping_is_told_from_loudness() -> None:
    tone = speechlike(RATE, sample_rate=RATE)
    tone /= np.abs(tone).max()
    assert clipped_share(tone) < 5e-4
    assert clipped_share(np.clip(3 * tone, -0.8, 0.8)) > 0.05


def test_recordings_are_brought_to_one_level() -> None:
    wave = said((3.0, 1.0))
    for gain in (0.02, 0.5):
        made = wave * gain * speech_gain(wave * gain, RATE, -24.0)
        loud = 20 * np.log10(np.sqrt(np.mean(np.square(made[: 3 * RATE]))))
        assert loud == pytest.approx(-24.0, abs=0.5)


def test_the_same_take_twice_is_found_and_a_stranger_is_far() -> None:
    rng = np.random.default_rng(1)
    takes = [np.cumsum(rng.standard_normal(RATE * 2)).astype(np.float32) for _ in range(3)]
    copies = [levels(w / np.abs(w).max(), RATE)[::5] for w in [*takes, takes[1] * 0.5]]
    assert duplicates(copies) == [3]

    def voice(tilt: float) -> Wave:
        white = rng.standard_normal(RATE * 3)
        return np.convolve(white, [1.0, tilt], "same").astype(np.float32)

    waves = [voice(0.9 + 0.02 * i) for i in range(6)] + [voice(-0.9)]
    far = strangers([portrait(w, RATE) for w in waves], [120.0] * 6 + [240.0])
    assert far.argmax() == 6
    assert far[6] > 3 * np.median(far)
