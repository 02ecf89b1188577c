"""Named faults of files while a session runs: settings, voices, recordings."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from core.audio import load_mono, save_audio
from core.errors import AudioFileError, VoiceFileError
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel
from realtime.loopback import LoopbackBackend
from realtime.session import LiveSession
from realtime.settings import Tuned, load_tuned, store_tuned
from realtime.stats import SessionState
from tests.command_line import Moksori
from tests.doubles import Delay
from tests.sound_card import FalseSoundDevice
from tests.toy import speechlike, toy_voice

RATE = 44_100
TUNED = Tuned("embedded", 6, 1, 69.7, 20.0, 200.0)

CORRUPT: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"tuned": {"embedded": {"voice": "embe',
    "binary": bytes(range(256)),
    "no_table": b"[1, 2]",
    "null": b'{"tuned": null}',
    "other_shape": b'{"tuned": {"embedded": 7}}',
    "unknown_key": b'{"tuned": {"embedded": {"wings": 2}}}',
    "missing_key": b'{"tuned": {"embedded": {"voice": "embedded"}}}',
    "wrong_type": b'{"tuned": {"embedded": {"voice": "embedded", "block_frames": "6"}}}',
    "deep": b"[" * 100_000,
    "no_blocks": b'{"tuned": {"embedded": {"voice": "e", "block_frames": 0, "threads": 1,'
    b' "block_ms": 1, "p99_ms": 1, "latency_ms": 1}}}',
}


@pytest.mark.parametrize("name", CORRUPT)
def test_corrupt_settings_are_told_and_left_alone(
    settings: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.parent.mkdir()
    settings.write_bytes(CORRUPT[name])
    assert load_tuned("embedded") is None
    assert "moksori tune" in caplog.text
    assert settings.read_bytes() == CORRUPT[name]
    store_tuned(TUNED)
    assert load_tuned("embedded") == TUNED


def test_live_starts_in_spite_of_corrupt_settings(
    moksori: Moksori, card: FalseSoundDevice, settings: Path
) -> None:
    settings.parent.mkdir()
    settings.write_bytes(b"{")
    said = moksori("live", "--seconds", 0.1, "--json")
    assert said.code == 0
    assert said.lines[-1]["block_ms"] == pytest.approx(34.8, abs=0.1)


def test_a_voice_file_deleted_while_it_speaks(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    toy_voice().save(path)
    voice = VoiceModel.load(path)
    backend = LoopbackBackend(speechlike(2 * RATE), sample_rate=RATE, trim=True)

    class Deleting(StreamingConverter):
        def push(self, block: np.ndarray) -> np.ndarray:
            shutil.rmtree(tmp_path, ignore_errors=True)
            return super().push(block)

    session = LiveSession(Deleting(voice), backend)
    session.start()
    assert session.wait(60)
    session.stop()
    assert session.error is None
    assert len(backend.output) == 2 * RATE


@pytest.mark.parametrize("fault", ["disk_full", "folder_deleted"])
def test_a_recording_that_dies_does_not_stop_the_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    if fault == "disk_full":

        def full(self: object, wave: object) -> None:
            raise AudioFileError("writing stopped (No space left on device); is the disk full?")

        monkeypatch.setattr("core.audio.AudioWriter._append", full)
    wave = np.full(RATE, 0.5, np.float32)
    backend = LoopbackBackend(wave, sample_rate=RATE, trim=True)
    kinds = []
    session = LiveSession(
        Delay(10, RATE, 882),
        backend,
        record=folder / "take.flac",
        on_event=lambda event: kinds.append(event.kind),
    )
    session.start()
    if fault == "folder_deleted":
        shutil.rmtree(folder)
    assert session.wait(60)
    session.stop()
    assert session.state is SessionState.IDLE
    assert isinstance(session.recording_error, AudioFileError)
    assert kinds.count("recording_failed") == 1
    np.testing.assert_array_equal(backend.output, wave)


def flipped(data: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, cut off, doubled or put in."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8, 64))):
        at = dice.randrange(len(out))
        kind = dice.randrange(4)
        if kind < 2:
            out[at] = dice.randrange(256)
        elif kind == 2 and len(out) > 16:
            del out[at : at + dice.randrange(1, 9)]
        else:
            out[at:at] = dice.randbytes(4)
    return bytes(out)


FEW, MANY = 300, 10_000
CASES = pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])


@CASES
def test_settings_of_any_bytes_are_read_or_refused(
    settings: Path, cases: int, caplog: pytest.LogCaptureFixture
) -> None:
    store_tuned(TUNED)
    good, dice = settings.read_bytes(), random.Random(1)
    for _ in range(cases):
        settings.write_bytes(flipped(good, dice))
        tuned = load_tuned("embedded")
        assert tuned is None or isinstance(tuned, Tuned)
        caplog.clear()


@CASES
@pytest.mark.timeout(1800)
def test_voice_files_of_any_bytes_are_read_or_refused(tmp_path: Path, cases: int) -> None:
    """Half of the flips hit the header, where the shapes and the config are."""
    path = tmp_path / "toy.safetensors"
    toy_voice().save(path)
    good, dice = path.read_bytes(), random.Random(2)
    header = 8 + int.from_bytes(good[:8], "little")
    loaded = 0
    for case in range(cases):
        if case % 2:
            path.write_bytes(flipped(good[:header], dice) + good[header:])
        else:
            path.write_bytes(flipped(good, dice))
        with suppress(VoiceFileError):
            VoiceModel.load(path)
            loaded += 1
    assert 0 < loaded < cases


@CASES
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg"])
def test_audio_of_any_bytes_is_read_or_refused(tmp_path: Path, cases: int, extension: str) -> None:
    path = tmp_path / f"sound.{extension}"
    save_audio(path, np.clip(speechlike(8000), -1, 1), RATE)
    good, dice = path.read_bytes(), random.Random(3)
    read = 0
    for _ in range(cases):
        path.write_bytes(flipped(good, dice))
        with suppress(AudioFileError):
            wave, rate = load_mono(path)
            assert rate > 0
            assert np.isfinite(wave).all()
            read += 1
    assert read < cases
