"""Configs: JSON and back, and what is refused with which words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from core.config import (
    AudioConfig,
    ContentConfig,
    DenoiserConfig,
    F0Config,
    MelConfig,
    Speaker,
    StreamConfig,
    VocoderConfig,
    VoiceConfig,
    VoiceParams,
)
from core.errors import ConfigError
from core.tables import from_dict, to_dict
from tests.toy import TOY


@pytest.mark.parametrize(
    "config",
    [
        VoiceConfig(),
        TOY,
        StreamConfig(),
        StreamConfig(3, 0, 7, "heun", 5),
        VoiceParams(-3.5),
        VoiceParams(None, speakers=(0.0, 0.6, 0.4)),
    ],
    ids=["default", "toy", "stream", "another stream", "params", "a mix"],
)
def test_json_and_back(config: Any) -> None:
    assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config


def test_what_is_left_out_keeps_its_default() -> None:
    assert from_dict(VoiceConfig, {"mel": {"n_mels": 80}}).mel == MelConfig(n_mels=80)


def test_a_whole_number_may_stand_for_a_float() -> None:
    assert from_dict(F0Config, {"f0_min": 60}) == F0Config(f0_min=60.0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            {"nmae": "x", "step": 3},
            r"VoiceConfig: unknown setting nmae, step; known: .*name.*steps",
        ),
        ({"mel": {"bins": 80}}, r"VoiceConfig\.mel: unknown setting bins; known: .*n_mels"),
        (
            {"audio": {"hop_length": "512"}},
            r"VoiceConfig\.audio\.hop_length: expected int, got '512'",
        ),
        ({"audio": {"hop_length": 512.0}}, r"hop_length: expected int, got 512\.0"),
        ({"audio": {"hop_length": True}}, r"hop_length: expected int, got True"),
        ({"audio": 44_100}, r"VoiceConfig\.audio: expected a table of settings, got int"),
        ({"speakers": "kathleen"}, r"VoiceConfig\.speakers: expected a list, got str"),
        ({"speakers": [{"name": "a"}, {"name": 7}]}, r"speakers\[1\]\.name: expected str, got 7"),
        ({"speakers": [{}]}, r"VoiceConfig\.speakers\[0\]: .*name"),
        ({"denoiser": {"dilations": [1, "2"]}}, r"denoiser\.dilations\[1\]: expected int, got '2'"),
    ],
)
def test_wrong_settings_are_named_with_their_path(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_dict(VoiceConfig, data)


def test_no_table_at_all() -> None:
    with pytest.raises(ConfigError, match="VoiceConfig: expected a table of settings, got list"):
        from_dict(VoiceConfig, [])  # type: ignore[arg-type]


def test_none_where_it_may_be() -> None:
    assert from_dict(StreamConfig, {"steps": None}) == StreamConfig()
    with pytest.raises(ConfigError, match="steps: expected int or NoneType, got 'four'"):
        from_dict(StreamConfig, {"steps": "four"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AudioConfig(sample_rate=0), "sample_rate must be positive"),
        (lambda: AudioConfig(hop_length=-1), "hop_length must be positive"),
        (lambda: MelConfig(win_length=4096), "win_length must not exceed n_fft"),
        (lambda: DenoiserConfig(network="attention", causal=False), "needs the network wavenet"),
        (lambda: DenoiserConfig(kernel=2, causal=False), "an odd kernel, got wavenet and 2"),
        (lambda: MelConfig(f_min=9e9), "f_min must lie below f_max"),
        (lambda: ContentConfig(delays=(-1, 4)), "delays must be 0 or more"),
        (lambda: ContentConfig(lookahead_frames=5), "lookahead of 5 frames was not trained"),
        (lambda: ContentConfig(dilations=()), "dilations must not be empty"),
        (lambda: DenoiserConfig(dilations=(1, 0)), r"dilations must be 1 or more, got \(1, 0\)"),
        (lambda: VoiceConfig(content=ContentConfig(n_fft=256)), r"must exceed hop_length \(512\)"),
        (lambda: VoiceConfig(content=ContentConfig(n_fft=1023)), "evenly, got 1023"),
        (lambda: ContentConfig(dim=0), "dim must be at least 1, got 0"),
        (lambda: F0Config(lookahead_frames=0), "lookahead of f0 must be at least 1 frame"),
        (lambda: F0Config(f0_min=0.0), "f0_min must lie between 0 and f0_max"),
        (lambda: DenoiserConfig(sigma_min=30.0), "sigma_min must lie between"),
        (lambda: DenoiserConfig(kernel=0), "kernel must be at least 1, got 0"),
        (lambda: VocoderConfig(n_fft=1023), "n_fft must be even"),
        (lambda: VocoderConfig(channels=-4), "channels must be at least 1, got -4"),
        (lambda: VoiceConfig(speakers=()), "at least one speaker"),
        (lambda: VoiceConfig(steps=0), "steps must be at least 1, got 0"),
        (lambda: VoiceConfig(vocoder=VocoderConfig(n_fft=1000)), "whole number of half frames"),
        (lambda: VoiceConfig(vocoder=VocoderConfig(n_fft=256)), "whole number of half frames"),
        (
            lambda: VoiceConfig(
                audio=AudioConfig(hop_length=441), content=ContentConfig(n_fft=1023)
            ),
            "hop_length must be even",
        ),
        (lambda: StreamConfig(block_frames=0), "block_frames must be at least 1, got 0"),
        (lambda: StreamConfig(context_frames=-1), "context_frames must not be negative"),
        (lambda: StreamConfig(steps=0), "steps must be at least 1, got 0"),
        (lambda: VoiceParams(pitch_shift=49), "within .-48 semitones, got 49"),
        (lambda: VoiceParams(pitch_shift=math.nan), "within .-48 semitones, got nan"),
        (lambda: VoiceParams(gain_db=1e6), "gain_db must lie between -120 and 60, got 1000000"),
        (lambda: VoiceParams(gate_db=math.nan), "gate_db must be a number"),
        (lambda: VoiceParams(speakers=()), r"weights of speakers .* one above 0, got \(\)"),
        (lambda: VoiceParams(speakers=(0.0, 0.0)), "weights of speakers must be 0 or more"),
        (lambda: VoiceParams(speakers=(2.0, -1.0)), "weights of speakers must be 0 or more"),
        (lambda: VoiceParams(speakers=(math.nan,)), "weights of speakers must be 0 or more"),
        (lambda: VoiceParams(speakers=(math.inf,)), "weights of speakers must be 0 or more"),
        (lambda: VoiceParams(dry_mix=1.5), "dry_mix must lie between 0 and 1, got 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_frames_cover_samples() -> None:
    assert [AudioConfig().frames(n) for n in (0, 1, 512, 513)] == [0, 1, 1, 2]


def test_speaker_by_name() -> None:
    config = VoiceConfig(name="duo", speakers=(Speaker("a"), Speaker("b")))
    assert config.speaker_index("b") == 1
    with pytest.raises(ConfigError, match='unknown speaker "c" in voice "duo"; known: a, b'):
        config.speaker_index("c")


DUO = VoiceConfig(name="duo", speakers=(Speaker("a"), Speaker("b"), Speaker("c:2")))


@pytest.mark.parametrize(
    ("words", "weights"),
    [
        ("b", (0, 1, 0)),
        ("a:0.6,b:0.4", (0.6, 0.4, 0)),
        (" a : 3, b", (0.75, 0.25, 0)),
        ("b:1,b:1,a:2", (0.5, 0.5, 0)),
        ("c:2", (0, 0, 1)),
        ("c:2:1,a:0", (0, 0, 1)),
    ],
)
def test_a_mix_in_words(words: str, weights: tuple[float, ...]) -> None:
    assert DUO.mix(words) == pytest.approx(weights)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("caruso", 'unknown speaker "caruso" in voice "duo"; known: a, b, c:2'),
        ("a:0.6,caruso:0.4", 'unknown speaker "caruso"'),
        ("", 'unknown speaker ""'),
        ("a:loud", 'weight of speaker "a" must be a number, got "loud"'),
        ("a:-1,b:2", "must be 0 or more"),
        ("a:0", "one above 0"),
        ("a:nan", "must be 0 or more"),
    ],
)
def test_a_mix_that_cannot_be(words: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        DUO.mix(words)


def test_weights_are_normalised_and_must_be_of_the_voices_speakers() -> None:
    assert DUO.weights((1.0,)) == (1.0, 0.0, 0.0)
    assert DUO.weights((1.0, 3.0, 0.0, 0.0)) == (0.25, 0.75, 0.0)
    with pytest.raises(ConfigError, match="speaker 3 does not exist; the voice has 0 to 2"):
        DUO.weights((1.0, 0.0, 0.0, 0.5))
