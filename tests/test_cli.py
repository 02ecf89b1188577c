"""The command line on the embedded voice: help, convert, voices, doctor, bench."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import core.doctor
import core.voice
import offline.bench
from core.audio import WRITABLE, AudioWriter, load_mono, save_audio
from moksori import main, parse
from tests.command_line import DEMO, RATE, ROOT, VOICE, Moksori, complaint, contents
from tests.core.imports.foreign_voice import write_voice
from tests.sound_card import FalseSoundDevice


def test_help_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, moksori\n"
        "try: moksori.main(['live', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'soundfile', 'sounddevice'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--input-device" in done.stdout


def test_threads_wait_asleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("KMP_BLOCKTIME", "")
    monkeypatch.delenv("KMP_BLOCKTIME")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    assert os.environ["KMP_BLOCKTIME"] == "1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sing"], "invalid choice: 'sing'"),
        (["convert", "a.wav"], "OUT"),
        (["convert", "a.wav", "b.wav", "--shift", "high"], "invalid number_or_auto value: 'high'"),
        (["convert", "a.wav", "b.wav", "--steps", "1.5"], "invalid int value: '1.5'"),
        (["live", "--backend", "jack"], "invalid choice: 'jack'"),
    ],
)
def test_a_wrong_command_line_shows_the_usage(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: moksori")
    assert words in err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
@pytest.mark.parametrize("arguments", [[], ["gui"]])
def test_without_a_screen_the_app_says_so(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(arguments) == 1
    assert "needs a screen" in capsys.readouterr().err


def _examples(name: str) -> list[list[str]]:
    """The moksori commands in the code blocks of a page; `a | b` stands for two of them."""
    path = ROOT / name
    if not path.exists():
        return []
    blocks = re.findall(r"```[a-z]*\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for line in (line for block in blocks for line in block.splitlines()):
        words = shlex.split(line, comments=True) if line.startswith("moksori ") else []
        if "|" in words:
            found += [[word, "--help"] for word in words[1:] if word != "|"]
        elif words:
            found.append(words[1:])
    return found


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_examples_of_the_readme_run(
    moksori: Moksori, speech: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path / "home"))
    imported = ["voices", "import", "diff-svc", write_voice(tmp_path / "nyaru")]
    assert moksori(*imported).code == 0
    wave = load_mono(speech)[0][:RATE]
    for words in _examples(name):
        for word in words:
            if Path(word).suffix in WRITABLE:
                save_audio(word, wave, RATE)
        if words[1:] and words[1].endswith("/"):
            Path(words[1]).mkdir()
            save_audio(Path(words[1], "talk.wav"), wave, RATE)
        if "--help" in words:
            with pytest.raises(SystemExit) as end:
                parse(words)
            assert end.value.code == 0, words
        elif words[0] == "convert" or "loopback" in words:
            assert moksori(*words).code == 0, words
        else:
            parse(words)


# ---- convert


def test_convert_keeps_the_duration_and_speaks(moksori: Moksori, tmp_path: Path) -> None:
    said = moksori("convert", DEMO, tmp_path / "out.wav", "--json", "--shift", "5.5", "--seed", 3)
    assert (said.code, said.err) == (0, "")
    (line,) = said.lines
    assert line["source"] == str(DEMO)
    assert line["target"] == str(tmp_path / "out.wav")
    assert {"seconds", "compute_seconds", "speed", "clipped"} < set(line)
    source, out = soundfile.info(DEMO), soundfile.info(tmp_path / "out.wav")
    assert out.samplerate == RATE
    assert out.frames == round(source.frames * RATE / source.samplerate)
    original, converted = load_mono(DEMO, RATE)[0], load_mono(tmp_path / "out.wav")[0]
    assert 0.2 < np.std(converted) / np.std(original) < 5
    assert abs(np.corrcoef(original, converted)[0, 1]) < 0.5  # another voice, not a copy


def test_options_change_the_sound_and_seeds_repeat_it(
    moksori: Moksori, speech: Path, tmp_path: Path
) -> None:
    def sound(*options: object) -> bytes:
        assert moksori("convert", speech, tmp_path / "out.wav", *options).code == 0
        return (tmp_path / "out.wav").read_bytes()

    plain = sound()
    assert sound() == sound("--shift", "auto", "--speaker", "kathleen") == plain
    changed = [
        sound("--seed", 1),
        sound("--shift", -3.5),
        sound("--sampler", "heun", "--steps", 2),
        sound("--steps", 5),
        sound("--shift", 0),
        sound("--speaker", "flemishguy"),
        sound("--speaker", "kathleen:0.6,flemishguy:0.4"),
        sound("--gain-db", -6),
    ]
    assert len({plain, *changed}) == 9


@pytest.mark.parametrize("rate", [8000, 192_000])
def test_any_rate_and_eight_channels_just_work(
    moksori: Moksori, speech: Path, tmp_path: Path, rate: int
) -> None:
    wave = load_mono(speech, rate)[0][: rate // 2 + 7]
    soundfile.write(tmp_path / "in.wav", np.repeat(wave[:, None], 8, 1), rate)
    assert moksori("convert", tmp_path / "in.wav", tmp_path / "out.wav").code == 0
    assert soundfile.info(tmp_path / "out.wav").frames == round(len(wave) * RATE / rate)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus", "a.mp3"])
def test_other_formats(moksori: Moksori, speech: Path, tmp_path: Path, name: str) -> None:
    save_audio(tmp_path / name, load_mono(speech)[0][:RATE], RATE)
    assert moksori("convert", tmp_path / name, tmp_path / f"out_{name}").code == 0
    source, out = load_mono(tmp_path / name, RATE)[0], load_mono(tmp_path / f"out_{name}", RATE)[0]
    assert abs(len(out) - len(source)) <= (2400 if name.endswith("mp3") else 3)


def test_silence_stays_silence(moksori: Moksori, tmp_path: Path) -> None:
    save_audio(tmp_path / "in.wav", np.zeros(RATE, np.float32), RATE)
    assert moksori("convert", tmp_path / "in.wav", tmp_path / "out.wav").code == 0
    assert not load_mono(tmp_path / "out.wav")[0].any()


def test_a_clipped_recording_converts_with_a_warning(
    moksori: Moksori, speech: Path, tmp_path: Path
) -> None:
    save_audio(tmp_path / "loud.wav", 40 * load_mono(speech)[0][:RATE], RATE)
    said = moksori("convert", tmp_path / "loud.wav", tmp_path / "out.wav")
    assert said.code == 0
    assert re.fullmatch(r"moksori: warning: .*loud\.wav is clipped .*\n", said.err)


def test_a_folder_goes_on_after_a_bad_file(moksori: Moksori, speech: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    wave = load_mono(speech)[0][: RATE // 2]
    save_audio(source / "a.wav", wave, RATE)
    (source / "b.wav").write_bytes(b"no sound at all " * 9)
    (source / "._c.wav").write_bytes(b"the kind of file macOS leaves behind")
    save_audio(source / "deep" / "d.flac", wave, RATE)
    said = moksori("convert", source, source / "out", "--json")
    assert said.code == 1
    told = {Path(line["source"]).name: line for line in said.lines}  # as they come, in groups
    assert sorted(told) == ["a.wav", "b.wav", "d.flac"]
    assert "not an audio file" in told["b.wav"]["error"]
    assert f"1 of 3 files failed: {source / 'b.wav'}" in said.err
    assert sorted(contents(source / "out")) == ["a.wav", "deep", "deep/d.flac"]
    said = moksori("convert", source, source / "out")  # what was made is no source
    assert len(said.out.splitlines()) == 2


def test_several_files_need_a_folder(moksori: Moksori, speech: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(speech.read_bytes())
    complaint(moksori("convert", speech, other, tmp_path / "out.wav"), "2 sources need a folder")
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform == "win32", reason="resource usage is POSIX")
def test_an_hour_stays_under_one_and_a_half_gigabytes(tmp_path: Path) -> None:
    import resource

    wave, rate = load_mono(DEMO)
    total = 3600 * rate + 123
    with AudioWriter(tmp_path / "hour.flac", rate) as writer:
        for at in range(0, total, len(wave)):
            writer.write(wave[: total - at])
    arguments = ["convert", str(tmp_path / "hour.flac"), str(tmp_path / "out.flac")]
    subprocess.run([sys.executable, "-m", "moksori", *arguments], cwd=ROOT, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB; bytes on macOS
    assert peak < 1.5 * 2 ** (30 if sys.platform == "darwin" else 20)
    assert soundfile.info(tmp_path / "out.flac").frames == round(total * RATE / rate)


# ---- voices, doctor, bench


def test_voices(moksori: Moksori, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert moksori("voices").out.startswith("embedded: kathleen")
    assert "kathleen" in moksori("voices", "embedded").out
    assert moksori("voices", VOICE).out == moksori("voices", "embedded").out
    table = json.loads(moksori("voices", "--json").out)
    inspected = json.loads(moksori("voices", "embedded", "--json").out)
    assert inspected == {"path": str(VOICE), "config": table["embedded"]}
    complaint(moksori("voices", "nobody"), "nobody", "embedded")
    monkeypatch.setattr(core.voice, "VOICES_FOLDER", tmp_path)
    said = moksori("voices")
    assert (said.code, said.out) == (0, "")
    assert "no voice is installed" in said.err


def test_doctor(moksori: Moksori, card: FalseSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    said = moksori("doctor", "--json")
    assert said.code == 0
    findings = {finding["what"]: finding for finding in json.loads(said.out)}
    assert {"python", "torch", "threads", "gpu", "voices", "portaudio", "devices"} <= set(findings)
    assert "false" in findings["portaudio"]["state"]
    assert findings["devices"]["state"] == "4 to hear with, 4 to speak through"
    assert "embedded" in findings["voices"]["state"]
    monkeypatch.setattr(core.doctor, "_NEEDED", ("torch", "no-such-package"))
    said = moksori("doctor")
    assert said.code == 1
    assert re.search(r"MISS no-such-package .*\n +-> pip install no-such-package\n", said.out)


def test_doctor_finds_a_broken_voice(
    moksori: Moksori, bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embedded.safetensors").write_bytes((bad / "cut.safetensors").read_bytes())
    monkeypatch.setattr(core.voice, "VOICES_FOLDER", tmp_path)
    said = moksori("doctor")
    assert said.code == 1
    assert re.search(r"MISS voices .*not whole", said.out)


def test_bench(moksori: Moksori, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        offline.bench, "load_mono", lambda path, rate: (load_mono(path, rate)[0][:RATE], rate)
    )
    monkeypatch.setattr("offline.convert.OFFLINE_BLOCK_FRAMES", 32)
    said = moksori("bench", "--json")
    assert said.code == 0
    figures = json.loads(said.out)
    assert {
        *("latency_ms", "block_ms", "rtf", "p50_ms", "p95_ms", "p99_ms"),
        *("f0_ms", "content_ms", "denoiser_ms", "vocoder_ms"),
        *("plumbing_error", "plumbing_error_mixed", "window_error", "offline_speed"),
    } <= set(figures)
    assert figures["plumbing_error"] <= 1e-5
    assert figures["plumbing_error_mixed"] <= 1e-5
    complaint(moksori("bench", "--threads", 0), "threads", "got 0")
    assert len(offline.bench.describe(figures)) == len(figures)
