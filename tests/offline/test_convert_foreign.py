"""Imported voices on the command line, and files of any length cut where it is quiet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from core.audio import load_mono, save_audio
from core.diff_svc.convert import ConvertParams
from core.diff_svc.converter import ForeignConverter, convert_windowed
from core.diff_svc.voice import DiffSvcVoice
from core.voice import find_voice, own_folder
from offline import convert_foreign
from offline.convert_foreign import convert_foreign_file, wide_converter
from tests.command_line import Moksori, complaint, live
from tests.core.imports.foreign_voice import checkpoint, write_voice
from tests.core.imports.test_checkpoint import Bomb
from tests.toy import speechlike

RATE = 44_100
Wave = NDArray[np.float32]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and so a voices folder."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def voice(home: Path, moksori: Moksori, tmp_path: Path) -> str:
    """The name of an imported voice."""
    said = moksori("voices", "import", "diff-svc", write_voice(tmp_path / "nyaru"))
    assert said.code == 0, said.err
    return "nyaru"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "in.wav"
    wave = np.stack([speechlike(24_000, sample_rate=24_000), np.zeros(24_000, np.float32)], 1)
    soundfile.write(path, wave, 24_000)
    return path


def test_import_then_convert_by_name(
    voice: str, moksori: Moksori, recording: Path, tmp_path: Path
) -> None:
    assert find_voice(voice).name == "nyaru_400.safetensors"
    assert "nyaru: diff-svc, trained 400 steps" in moksori("voices").out
    assert "44100 Hz, hop 512, 128 mel bins" in moksori("voices", voice).out
    assert "live, fitted to it" in moksori("voices", voice).out
    assert moksori("voices", voice, "--json").lines[0]["config"]["family"] == "diff-svc"
    said = moksori("convert", recording, tmp_path / "out.wav", "--voice", voice, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["seconds"] == 1.0
    made, rate = load_mono(tmp_path / "out.wav")
    assert (len(made), rate) == (RATE, RATE)
    exact = moksori(
        "convert",
        recording,
        tmp_path / "exact.wav",
        "--voice",
        voice,
        "--exact",
        "--steps",
        5,
        "--sampler",
        "unipc",
        "--precision",
        "bf16",
    )
    assert exact.code == 0, exact.err
    assert len(load_mono(tmp_path / "exact.wav")[0]) == RATE


def test_live_and_bench_by_name(
    voice: str, moksori: Moksori, recording: Path, tmp_path: Path
) -> None:
    target = tmp_path / "live.wav"
    options = ["--voice", voice, "--block-ms", 100, "--steps", 2]
    said = moksori(*live(recording, target, "--clock", "virtual", "--shift", 3, *options))
    assert said.code == 0, said.err
    assert np.abs(load_mono(target)[0]).max() > 1e-4
    figures = moksori("bench", *options, "--json").lines[0]
    assert figures["plumbing_error"] < 1e-5
    assert figures["latency_ms"] > figures["block_ms"]
    complaint(moksori("bench", "--voice", voice, "--lookahead-ms", -1), "between 0 and 2000 ms")


def test_the_newest_step_of_a_name_is_found(voice: str, moksori: Moksori, tmp_path: Path) -> None:
    for step in (1200, 900):
        path = write_voice(tmp_path / f"more{step}", {**checkpoint(), "global_step": step})
        assert moksori("voices", "import", "diff-svc", path, "--name", voice).code == 0
    assert find_voice(voice).stem == "nyaru_1200"
    assert find_voice("nyaru_900").stem == "nyaru_900"


def test_what_an_imported_voice_cannot_do(
    voice: str, moksori: Moksori, recording: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.wav"
    complaint(
        moksori("convert", recording, target, "--voice", voice, "--like-live"),
        "nyaru is a diff-svc voice; --like-live",
    )
    complaint(
        moksori("convert", recording, target, "--voice", "embedded", "--precision", "bf16"),
        "--precision is for imported voices",
    )
    complaint(
        moksori("convert", recording, target, "--voice", voice, "--compute", "toaster"),
        "no device 'toaster': expected cpu, or cuda",
    )
    complaint(
        moksori("convert", recording, target, "--voice", "embedded", "--compute", "cpu"),
        "--compute is for imported voices",
    )
    complaint(
        moksori("convert", recording, target, "--voice", voice, "--steps", 1),
        "--steps must lie between 2 and 100",
    )
    complaint(
        moksori("convert", recording, target, "--voice", voice, "--sampler", "heun"),
        'unknown sampler of imported voices "heun"; known: ddim, dpm-solver, dpmpp-log, fitted',
    )
    complaint(
        moksori("convert", recording, target, "--voice", voice, "--speaker", "7"),
        "knows its speakers by number, 1 to 1",
    )
    complaint(moksori("tune", "--voice", voice), "is a diff-svc voice; convert, live, demo")
    complaint(moksori("bench", "--voice", voice, "--low-latency"), "takes --block-ms and")
    for command in (("demo",), ("convert", recording, target)):
        for change in ("--retrieval", "--clarity", "--formant"):
            complaint(moksori(*command, "--voice", voice, change, 1), change)
    complaint(moksori("voices", "import", "diff-svc", tmp_path / "none.ckpt"), "no such file")
    complaint(moksori("convert", recording, target, "--voice", "gone"), "nyaru, nyaru_400")
    assert not target.exists()


def test_a_voice_that_would_run_code_is_refused(
    home: Path, moksori: Moksori, tmp_path: Path
) -> None:
    path = write_voice(tmp_path / "trap", {"state_dict": Bomb(tmp_path / "exploded")})
    said = moksori("voices", "import", "diff-svc", path)
    complaint(said, "which is code and no weights; it was not run")
    assert not (tmp_path / "exploded").exists()
    assert not home.exists()


def test_a_name_that_is_no_file_name(moksori: Moksori, tmp_path: Path) -> None:
    path = write_voice(tmp_path / "nyaru")
    said = moksori("voices", "import", "diff-svc", path, "--name", "../up")
    complaint(said, '--name "../up" would be no good file name')


def test_a_broken_file_does_not_hide_the_other_voices(voice: str, moksori: Moksori) -> None:
    (own_folder() / "broken_1.safetensors").write_bytes(b"no voice")
    said = moksori("voices")
    assert said.code == 0
    assert "nyaru: diff-svc" in said.out
    assert "broken_1.safetensors is no voice file" in said.err


@pytest.fixture
def toy(voice: str) -> DiffSvcVoice:
    return DiffSvcVoice.load(find_voice(voice))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows so short that a test has many."""
    for name, seconds in (("_BLOCK", 0.5), ("_CONTEXT", 0.2), ("_LOOKAHEAD", 0.1)):
        monkeypatch.setattr(convert_foreign, name, seconds)


@pytest.mark.parametrize(("rate", "samples"), [(22_050, 50_001), (44_100, 3000)])
def test_a_file_keeps_its_length(
    toy: DiffSvcVoice, narrow: None, tmp_path: Path, rate: int, samples: int
) -> None:
    save_audio(tmp_path / "in.wav", speechlike(samples, sample_rate=rate), rate)
    shares: list[float] = []
    done = convert_foreign_file(
        toy, tmp_path / "in.wav", tmp_path / "out.wav", ConvertParams(), shares.append
    )
    made, _ = load_mono(tmp_path / "out.wav")
    assert len(made) == round(samples * RATE / rate)
    assert done.seconds == pytest.approx(samples / rate)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_blocks_leave_no_seam(toy: DiffSvcVoice, narrow: None, tmp_path: Path) -> None:
    """The wave is that of one vocoder over one mel, whatever the windows of the analysis."""
    save_audio(tmp_path / "in.wav", speechlike(3 * RATE), RATE)
    wave, _ = load_mono(tmp_path / "in.wav")
    params = ConvertParams(semitones=2.0, speedup=100)
    convert_foreign_file(toy, tmp_path / "in.wav", tmp_path / "out.wav", params)
    made, _ = load_mono(tmp_path / "out.wav")
    wide = wide_converter(toy, params, len(wave) / RATE)
    wanted = convert_windowed(toy, wave, wide.params, wide.stream)
    assert wide.plan.block < len(wave) / 4
    assert np.abs(wanted).max() > 1e-3
    assert np.abs(made - wanted.clip(-1, 1)).max() < 1e-4


def test_a_failure_leaves_the_old_file(
    toy: DiffSvcVoice, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.wav"
    target.write_bytes(b"old")

    def stop(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ForeignConverter, "push", stop)
    with pytest.raises(KeyboardInterrupt):
        convert_foreign_file(toy, recording, target, ConvertParams())
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".part") == []
