"""Gains, modes, limiter and another voice: heard at once, without a click or a gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import StreamConfig, VoiceParams
from core.errors import ConfigError, VoiceChangerError
from core.streaming.converter import StreamingConverter
from realtime.chain import Chain
from realtime.loopback import LoopbackBackend
from realtime.plan import BlockProcessor
from realtime.session import LiveSession
from realtime.sound import Glide, Limiter, SoundParams, Splice
from tests.doubles import Delay
from tests.toy import speechlike, toy_voice

RATE, BLOCK = 48_000, 960
FADE = 240  # 5 ms


class Inverted(Delay):
    """Late by 100 samples and upside down; calls `then` with the number of each block."""

    then: Callable[[int], None] = staticmethod(lambda number: None)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        out = -super().push(block)
        if self.resets > 1:
            self.then(self.pushes)
        return out


def play(
    wave: NDArray[np.float32],
    changes: dict[int, SoundParams],
    sound: SoundParams | None = None,
    at_block: Callable[[LiveSession, int], None] | None = None,
) -> tuple[NDArray[np.float32], LiveSession]:
    backend = LoopbackBackend(wave, sample_rate=RATE, block=480)
    processor = Inverted(100, RATE, BLOCK)
    session = LiveSession(processor, backend, sound=sound)

    def then(number: int) -> None:
        if number in changes:
            session.sound = changes[number]
        if at_block is not None:
            at_block(session, number)

    processor.then = then
    session.start()
    assert session.wait(60)
    session.stop()
    assert session.error is None
    assert session.stats.xruns == 0
    return backend.output[session.latency :], session


def test_pass_through_is_the_input_late_by_as_much() -> None:
    wave = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    np.testing.assert_array_equal(play(wave, {}, SoundParams("dry"))[0], wave)
    np.testing.assert_array_equal(play(wave, {})[0], -wave)
    assert not play(wave, {}, SoundParams("mute"))[0].any()


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (SoundParams("dry"), 0.5),
        (SoundParams("mute"), 0.0),
        (SoundParams(input_gain_db=-20), -0.05),
        (SoundParams(output_gain_db=-20), -0.05),
        (SoundParams(ceiling_db=-20), -0.1),
    ],
    ids=["dry", "mute", "input_gain", "output_gain", "ceiling"],
)
def test_a_change_is_heard_within_two_blocks_and_does_not_click(
    change: SoundParams, after: float
) -> None:
    wave = np.full(RATE, 0.5, np.float32)
    out, _ = play(wave, {10: change, 30: SoundParams()})
    np.testing.assert_allclose(out[: 9 * BLOCK], -0.5)
    np.testing.assert_allclose(out[13 * BLOCK : 29 * BLOCK], after, atol=1e-3)
    np.testing.assert_allclose(out[45 * BLOCK :], -0.5, atol=5e-3)
    steps = np.abs(np.diff(out))
    if change.ceiling_db == 0:  # a limiter is at once
        assert steps.max() <= 1.0 / FADE + 1e-4


def test_the_limiter_holds_the_ceiling_and_lets_go() -> None:
    limiter = Limiter(RATE)
    quiet = np.full(BLOCK, 0.3, np.float32)
    assert limiter(quiet, 0.5) is quiet
    loud = (3 * np.sin(np.arange(BLOCK) / 5)).astype(np.float32)
    assert np.abs(limiter(loud, 0.5)).max() <= 0.5
    held = limiter(quiet, 0.5)
    assert held.max() < 0.1
    assert (np.diff(held) >= 0).all()
    for _ in range(20):
        held = limiter(quiet, 0.5)
    assert held is quiet


def test_a_glide_ends_where_it_should() -> None:
    glide = Glide(1.0, 10)
    ones = np.ones(20, np.float32)
    assert glide(ones, 1.0) is ones
    np.testing.assert_allclose(glide(ones, 0.5)[[0, 9, 19]], [0.95, 0.5, 0.5])


def test_a_splice_begins_with_what_would_have_come() -> None:
    splice = Splice(10)
    ones = np.ones(20, np.float32)
    assert splice.join(ones) is ones
    splice.cut(-ones)
    splice.cut(5 * ones)  # the first cut counts
    joined = splice.join(ones)
    assert joined[0] == -1
    assert (joined[10:] == 1).all()
    assert (np.diff(joined) >= 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "loud"}, "dry, mute, voice"),
        ({"input_gain_db": 99}, "input_gain_db"),
        ({"output_gain_db": float("nan")}, "output_gain_db"),
        ({"ceiling_db": 1}, "ceiling_db"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SoundParams(**change)  # type: ignore[arg-type]


# ---- another voice


class Upright(Delay):
    """The other voice: late by as much, not upside down."""


class Knobbed(Delay):
    """With params."""

    params = VoiceParams()


def test_another_voice_fades_in_without_a_gap() -> None:
    switched: list[BlockProcessor] = []

    def at_block(session: LiveSession, number: int) -> None:
        if number == 10:
            session.switch(lambda: Upright(100, RATE, BLOCK))
        if number == 30:
            switched.append(session.processor)

    out, session = play(np.full(RATE, 0.5, np.float32), {}, at_block=at_block)
    assert isinstance(session.processor, Upright)
    assert session.stats.dropped_samples == 0
    np.testing.assert_allclose(out[: 9 * BLOCK], -0.5)
    np.testing.assert_allclose(out[14 * BLOCK :], 0.5)
    crossing = out[9 * BLOCK : 14 * BLOCK]
    assert np.abs(np.diff(crossing)).max() <= 1.01 / BLOCK
    assert np.count_nonzero(np.abs(crossing) < 0.45) <= BLOCK


def test_another_real_voice_takes_over_with_its_own_params() -> None:
    stream = StreamConfig(block_frames=4)
    wave = speechlike(90 * 512)
    backend = LoopbackBackend(wave, sample_rate=44_100, trim=True)
    other = VoiceParams(pitch_shift=3, speakers=(0.0, 1.0))

    class Switching(StreamingConverter):
        pushes = 0

        def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
            self.pushes += 1
            if self.pushes == 8:
                session.switch(lambda: StreamingConverter(toy_voice(1), stream, other))
            return super().push(block)

    session = LiveSession(Switching(toy_voice(), stream), backend)
    session.start()
    assert session.wait(60)
    session.stop()
    assert session.error is None
    assert session.params == other
    plain = StreamingConverter(toy_voice(1), stream, other)
    assert type(session.processor) is type(plain)
    assert np.isfinite(backend.output).all()


def test_until_another_voice_speaks_params_are_not_the_old_ones() -> None:
    """Its speakers may be none of the old voice's."""
    old, new = Knobbed(100, RATE, BLOCK), Knobbed(100, RATE, BLOCK)
    chain, mine, theirs = Chain(old, "mute", SoundParams()), VoiceParams(gain_db=1), VoiceParams()
    block = np.zeros(BLOCK, np.float32)
    chain.push(block, mine, SoundParams(), 1)
    chain.switch_to(new)
    while chain.processor is old:
        chain.push(block, theirs, SoundParams(), 1)
        assert old.params is mine
    chain.push(block, theirs, SoundParams(), 1)
    assert new.params is theirs


def test_a_voice_that_does_not_fit_or_load_changes_nothing() -> None:
    said: list[str] = []

    def fail() -> BlockProcessor:
        raise VoiceChangerError("no such voice")

    def at_block(session: LiveSession, number: int) -> None:
        if number in (10, 12):
            with pytest.raises(VoiceChangerError) as caught:
                session.switch(fail if number == 10 else lambda: Upright(7, RATE, BLOCK))
            said.append(str(caught.value))

    out, _ = play(np.full(RATE, 0.5, np.float32), {}, at_block=at_block)
    np.testing.assert_allclose(out, -0.5)
    assert said[0] == "no such voice"
    assert "latency of 7, this one 100" in said[1]
