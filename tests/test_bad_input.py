"""Every bad input: one clear line, exit code 1, nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.audio import save_audio
from core.config import StreamConfig
from core.errors import ConfigError
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel
from tests.command_line import RATE, VOICE, Moksori, Said, complaint, contents, live


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "empty (0 bytes)"),
        ("text.wav", "not an audio file"),
        ("zero.wav", "no samples"),
        ("nan.wav", "0.500 s is NaN or infinite"),
        ("cut.wav", "cut short"),
        ("cut.flac", "ends or is damaged"),
    ],
)
@pytest.mark.parametrize("command", ["convert", "live"])
def test_bad_audio(
    moksori: Moksori, bad: Path, tmp_path: Path, command: str, name: str, words: str
) -> None:
    target = tmp_path / "out.wav"
    save_audio(target, np.zeros(10, np.float32), RATE)
    before = contents(tmp_path)
    files = [bad / name, target]
    if command == "convert":
        complaint(moksori("convert", *files), name, words)
    else:
        said = moksori(*live(*files, "--clock", "virtual"))
        assert "Traceback" not in said.err
        *started, last = said.err.splitlines(keepends=True)
        assert all("Ctrl-C ends" in line for line in started)
        complaint(Said(said.code, said.out, last), name, words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "known: embedded"),
        ("gone.safetensors", "no voice file"),
        ("cut.safetensors", "not whole"),
        ("stub.safetensors", "not whole"),
        ("none.safetensors", "not whole"),
        ("pickle.safetensors", "never a pickle"),
        ("later.safetensors", "version 99"),
        ("other.safetensors", "no moksori voice"),
        ("config.safetensors", "wings"),
        ("torn.safetensors", "config cannot be read"),
        ("missing.safetensors", "1 weights missing"),
        ("foreign.safetensors", "trojan.weight"),
        ("shapes.safetensors", "(1, 2, 3)"),
        ("infinite.safetensors", "not finite"),
        ("text.wav", "no voice file or not whole"),
    ],
)
def test_bad_voice(
    moksori: Moksori, bad: Path, speech: Path, tmp_path: Path, name: str, words: str
) -> None:
    voice = bad / name if "." in name else name
    complaint(moksori("convert", speech, tmp_path / "o.wav", "--voice", voice), name, words)
    assert not list(tmp_path.iterdir())
    assert not (bad / "exploded").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sampler", "magic"], ['"magic"', "ddim", "dpmpp_2m"]),
        (["--speaker", "caruso"], ['"caruso"', "kathleen"]),
        (["--speaker", "kathleen:0.5,caruso:0.5"], ['"caruso"', "flemishguy"]),
        (["--speaker", "kathleen:-1,flemishguy:2"], ["0 or more", "-1.0"]),
        (["--speaker", "kathleen:0"], ["one above 0"]),
        (["--steps", "0"], ["steps must be at least 1, got 0"]),
        (["--steps", "1000000000"], ["steps must be at most"]),
        (["--shift", "99"], ["48 semitones, got 99"]),
        (["--shift", "nan"], ["48 semitones, got nan"]),
        (["--gain-db", "inf"], ["gain_db", "inf"]),
        (["--block-ms", "0"], ["longer than 0 ms", "got 0"]),
        (["--block-ms", "nan"], ["longer than 0 ms", "got nan"]),
        (["--lookahead-ms", "-1"], ["0 ms or more", "got -1"]),
        (["--low-latency", "--block-ms", "23"], ["--low-latency", "leave out --block-ms"]),
    ],
)
def test_bad_options(
    moksori: Moksori, speech: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    complaint(moksori("convert", speech, tmp_path / "o.wav", *options), *words)
    complaint(moksori(*live(speech, tmp_path / "o.wav", *options)), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.xyz", "expected an output extension"),
        ("out", "expected an output extension"),
        ("gone/out.wav", "does not exist; make it first"),
        ("file/out.wav", "is a file, not a folder"),
        ("folder.wav", "got a folder"),
    ],
)
def test_an_output_that_cannot_be_written(
    moksori: Moksori, speech: Path, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.wav").mkdir()
    before = contents(tmp_path)
    if name != "folder.wav":  # for convert that is a folder to write into
        complaint(moksori("convert", speech, tmp_path / name), words)
    complaint(moksori(*live(speech, tmp_path / name)), words)
    record = live(speech, tmp_path / "o.wav", "--record", tmp_path / name)
    complaint(moksori(*record), words)
    assert contents(tmp_path) == before


def test_folders_that_cannot_be_made(moksori: Moksori, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    before = contents(tmp_path)
    said = moksori("convert", speech, speech.parent, tmp_path / "file" / "out")
    assert said.code == 1
    assert "Traceback" not in said.err
    complaint(moksori("demo", "--output", tmp_path / "file"), "cannot be made")
    assert contents(tmp_path) == before


def test_the_input_is_never_the_output(moksori: Moksori, speech: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(speech.read_bytes())
    before = contents(tmp_path)
    complaint(moksori("convert", source, source), "is the source itself")
    complaint(moksori("convert", source, tmp_path), "is the source itself")
    complaint(moksori(*live(source, source)), "is the source itself")
    other = tmp_path / "b.wav"
    complaint(moksori(*live(source, other, "--record", source)), "is the source itself")
    complaint(moksori(*live(source, other, "--record", other)), "choose two names")
    assert contents(tmp_path) == before


def test_live_needs_to_be_told(moksori: Moksori, speech: Path) -> None:
    complaint(moksori("live", "--backend", "loopback"), "--input FILE and --output FILE")
    complaint(moksori(*live(speech, speech, "--seconds", "-1")), "--seconds", "-1")


def test_a_block_that_is_no_whole_number_of_frames() -> None:
    converter = StreamingConverter(VoiceModel.load(VOICE), StreamConfig(block_frames=2))
    with pytest.raises(ConfigError, match="not a whole number of 512-sample frames; push 1024"):
        converter.push(np.zeros(1000, np.float32))
