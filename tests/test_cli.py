"""The command line on the embedded voice and the packaged recording, and every bad input."""

from __future__ import annotations

import json
import pickle
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

import core.doctor
import core.voice
import offline.bench
from core.audio import WRITABLE, AudioWriter, load_mono, save_audio
from core.config import StreamConfig
from core.errors import ConfigError
from core.streaming.converter import StreamingConverter
from core.voice import VOICES_FOLDER, VoiceModel
from moksori import build_parser, main
from tests.sound_card import FalseSoundDevice

ROOT = Path(__file__).resolve().parents[1]
DEMO = VOICES_FOLDER / "demo.flac"
VOICE = VOICES_FOLDER / "embedded.safetensors"
RATE = 44_100


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Moksori = Callable[..., Said]


@pytest.fixture
def moksori(capsys: pytest.CaptureFixture[str]) -> Moksori:
    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the packaged recording at the voice's rate, 16 bit."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    save_audio(path, load_mono(DEMO, RATE)[0][: 2 * RATE], RATE)
    return path


def complaint(said: Said, *words: str) -> None:
    """One clear line on stderr, exit code 1, nothing on stdout."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("moksori: ")
    assert said.err.count("\n") == 1
    assert len(said.err) > 40
    for word in words:
        assert word in said.err


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


# ---- help


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["convert", "a.wav"], "OUT"),
        (["convert", "a.wav", "b.wav", "--shift", "high"], "invalid float value: 'high'"),
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
    wave = load_mono(speech)[0][:RATE]
    for words in _examples(name):
        for word in words:
            if Path(word).suffix in WRITABLE:
                save_audio(word, wave, RATE)
        if "--help" in words:
            with pytest.raises(SystemExit) as end:
                build_parser().parse_args(words)
            assert end.value.code == 0, words
        elif words[0] == "convert" or "loopback" in words:
            assert moksori(*words).code == 0, words
        else:
            build_parser().parse_args(words)


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
    assert sound() == plain
    changed = [
        sound("--seed", 1),
        sound("--shift", -3.5),
        sound("--sampler", "heun", "--steps", 2),
        sound("--steps", 5),
        sound("--speaker", "flemishguy"),
        sound("--gain-db", -6),
    ]
    assert len({plain, *changed}) == 7


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
    assert [Path(line["source"]).name for line in said.lines] == ["a.wav", "b.wav", "d.flac"]
    assert "not an audio file" in said.lines[1]["error"]
    assert "1 of 3 files failed" in said.err
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


# ---- live


def live(source: Path, output: Path, *options: object) -> list[object]:
    files = ["--backend", "loopback", "--input", source, "--output", output]
    return ["live", *files, *options]


def test_like_live_is_what_live_plays_and_records(
    moksori: Moksori, speech: Path, tmp_path: Path
) -> None:
    played, recorded = tmp_path / "played.wav", tmp_path / "recorded.wav"
    options = ["--shift", 4, "--seed", 7, "--block-ms", 30]
    said = moksori(
        *live(speech, played, "--clock", "virtual", "--record", recorded, "--json", *options)
    )
    assert said.code == 0
    figures = said.lines[-1]
    assert moksori("convert", speech, tmp_path / "like.wav", "--like-live", *options).code == 0
    like = load_mono(tmp_path / "like.wav")[0]
    latency = round(figures["latency_ms"] * RATE / 1000)
    out = load_mono(played)[0]
    assert len(out) == len(like) + latency
    np.testing.assert_allclose(out[latency:], like, atol=1e-3)
    assert not out[: latency - RATE // 100].any()
    lag = round((figures["algorithmic_ms"] - figures["block_ms"]) * RATE / 1000)
    np.testing.assert_allclose(load_mono(recorded)[0][lag:][: len(like)], like, atol=1e-3)


def test_like_live_is_what_live_records_at_another_rate(moksori: Moksori, tmp_path: Path) -> None:
    """The packaged recording is at 16 kHz: live resamples it, and so does --like-live."""
    source, recorded = tmp_path / "in.wav", tmp_path / "recorded.wav"
    save_audio(source, load_mono(DEMO)[0][:24_000], 16_000)
    said = moksori(
        *live(source, tmp_path / "out.wav", "--clock", "virtual", "--record", recorded, "--json")
    )
    figures = said.lines[-1]
    assert figures["resampling_ms"] > 0
    assert moksori("convert", source, tmp_path / "like.wav", "--like-live").code == 0
    like = load_mono(tmp_path / "like.wav")[0]
    lag = round((figures["algorithmic_ms"] - figures["block_ms"]) * RATE / 1000)
    heard = load_mono(recorded)[0][lag:][: len(like)]
    assert len(heard) > len(like) - RATE // 10
    np.testing.assert_allclose(heard, like[: len(heard)], atol=1e-3)


def test_live_tells_its_figures(moksori: Moksori, speech: Path, tmp_path: Path) -> None:
    said = moksori(*live(speech, tmp_path / "o.wav", "--clock", "virtual", "--json"))
    assert len(said.lines) == 1
    figures = said.lines[0]
    assert {
        *("latency_ms", "rtf", "block_ms", "p50_ms", "p95_ms", "p99_ms"),
        *("xruns", "dropped_samples", "blocks", "algorithmic_ms"),
    } <= set(figures)
    assert figures["block_ms"] <= 93
    assert figures["algorithmic_ms"] <= 160
    assert figures["latency_ms"] > figures["algorithmic_ms"] > figures["block_ms"]
    assert figures["blocks"] >= 2000 / figures["block_ms"]
    assert (figures["xruns"], figures["dropped_samples"]) == (0, 0)
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert "latency" in said.err


def test_live_stops_by_itself(moksori: Moksori, tmp_path: Path) -> None:
    said = moksori(*live(DEMO, tmp_path / "o.wav", "--seconds", "0.6"))
    assert said.code == 0
    assert 0.2 < soundfile.info(tmp_path / "o.wav").duration < 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_live_in_order(tmp_path: Path, number: int) -> None:
    played, recorded = tmp_path / "played.wav", tmp_path / "recorded.wav"
    arguments = live(DEMO, played, "--record", recorded, "--json")
    with subprocess.Popen(
        [sys.executable, "-m", "moksori", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        assert "Ctrl-C ends" in running.stderr.readline()
        threading.Event().wait(0.5)
        running.send_signal(number)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    assert err == "moksori: stopping ...\n"
    assert json.loads(out.splitlines()[-1])["blocks"] > 0
    for path in (played, recorded):
        assert 0.1 < soundfile.info(path).duration < 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["played.wav", "recorded.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_convert_keeps_the_old_output(
    moksori: Moksori, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    target = tmp_path / "out.wav"
    save_audio(target, np.zeros(10, np.float32), RATE)
    before, handlers = contents(tmp_path), [signal.getsignal(n) for n in (2, 15)]
    monkeypatch.setattr(StreamingConverter, "push", lambda self, block: signal.raise_signal(number))
    said = moksori("convert", speech, target)
    assert (said.code, said.err) == (130, "moksori: stopped\n")
    assert contents(tmp_path) == before
    assert [signal.getsignal(n) for n in (2, 15)] == handlers


@pytest.mark.parametrize("command", ["convert", "live"])
def test_an_error_of_ours_is_not_swallowed(
    moksori: Moksori, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def fail(self: object, block: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(StreamingConverter, "push", fail)
    files = [speech, tmp_path / "o.wav"]
    with pytest.raises(ZeroDivisionError, match="a bug"):
        moksori(*(["convert", *files] if command == "convert" else live(*files)))
    assert not list(tmp_path.iterdir())


# ---- sound cards


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FalseSoundDevice:
    module = FalseSoundDevice()
    module.alive = True
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_live_on_a_sound_card(moksori: Moksori, card: FalseSoundDevice, tmp_path: Path) -> None:
    said = moksori("live", "--seconds", 0.5, "--json", "--record", tmp_path / "r.wav")
    assert said.code == 0
    assert said.err.startswith("moksori: speak: Microphone -> Speakers; Ctrl-C ends (44100 Hz")
    figures = said.lines[-1]
    assert figures["blocks"] > 0
    assert figures["device_ms"] == pytest.approx(60)
    assert figures["resampling_ms"] == 0  # the devices were asked for the voice's own rate
    assert soundfile.info(tmp_path / "r.wav").frames > 0


def test_a_card_that_refuses_the_voices_rate_is_resampled(
    moksori: Moksori, card: FalseSoundDevice
) -> None:
    card.rates = {i: {48_000} for i in range(5)}
    said = moksori("live", "--seconds", 0.2, "--json")
    assert said.code == 0
    assert "48000 Hz" in said.err
    assert said.lines[-1]["resampling_ms"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--input-device", "Trumpet"], ['"Trumpet"', "0: Microphone (ALSA)"]),
        (["--output-device", "99"], ["number 99", "1: Speakers (ALSA)"]),
        (["--output-device", "Microphone"], ['"Microphone"', "Speakers"]),
        (["--input", "a.wav"], ["--input-device"]),
    ],
)
def test_an_unknown_device(
    moksori: Moksori, card: FalseSoundDevice, options: list[str], words: list[str]
) -> None:
    complaint(moksori("live", *options), *words)
    assert not card.streams


def test_a_device_that_refuses_every_rate(moksori: Moksori, card: FalseSoundDevice) -> None:
    card.rates[0], card.rates[1] = {44_100}, {48_000}
    complaint(moksori("live"), "Microphone takes 44100 Hz", "Speakers takes 48000 Hz")


def test_a_device_that_does_not_open(
    moksori: Moksori, card: FalseSoundDevice, tmp_path: Path
) -> None:
    card.refuse = "output"
    complaint(moksori("live", "--record", tmp_path / "r.wav"), "Speakers", "Device unavailable")
    assert not list(tmp_path.iterdir())


def test_devices_by_host_api(moksori: Moksori, card: FalseSoundDevice) -> None:
    said = moksori("devices")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["ALSA", "JACK"]
    assert "Microphone" in lines[1]
    assert lines[1].endswith("default input")
    assert lines[2].endswith("default output")
    assert [line["name"] for line in json.loads(moksori("devices", "--json").out)] == [
        device["name"] for device in card.devices
    ]
    card.devices = []
    assert "no audio devices found" in moksori("devices").err


def test_without_portaudio_everything_else_works(
    moksori: Moksori, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for command in ("live", "devices"):
        complaint(moksori(command), "PortAudio", "pip install sounddevice", "Everything but")
    assert moksori("convert", speech, tmp_path / "o.wav").code == 0
    assert moksori(*live(speech, tmp_path / "p.wav", "--clock", "virtual")).code == 0
    said = moksori("doctor", "--json")
    assert said.code == 0  # sound is not needed for files
    findings = {finding["what"]: finding for finding in json.loads(said.out)}
    assert findings["portaudio"]["ok"] is False
    assert findings["portaudio"]["remedy"] == "pip install sounddevice"


def test_dropouts_are_told_with_advice(moksori: Moksori, card: FalseSoundDevice) -> None:
    card.status = "output underflow"
    said = moksori("live", "--seconds", 0.3, "--device-latency", "high", "--json")
    assert said.code == 0
    assert said.lines[-1]["device_xruns"] > 0
    assert "dropouts" in said.err.splitlines()[-1]
    assert card.streams["input"].options["latency"] == "high"


# ---- bad input


def _nan(good: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.arange(len(good)) == 22_050, np.float32(np.nan), good)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, speech: Path) -> Path:
    """A folder of everything that is no recording or no voice."""
    folder = tmp_path_factory.mktemp("bad")
    good = load_mono(speech)[0]
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_bytes(b"these are words, not sound\n" * 50)
    soundfile.write(folder / "zero.wav", good[:0], RATE)
    soundfile.write(folder / "nan.wav", _nan(good), RATE, "FLOAT")
    for name in ("cut.wav", "cut.flac"):
        soundfile.write(folder / name, good, RATE)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    with safe_open(VOICE, "np") as file:
        metadata = file.metadata()
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    first, second = sorted(weights)[:2]

    def voice(name: str, changed: dict[str, Any], **stated: str) -> None:
        save_file(changed, folder / f"{name}.safetensors", {**metadata, **stated})

    data = VOICE.read_bytes()
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "stub.safetensors").write_bytes(data[:5])
    (folder / "none.safetensors").write_bytes(b"")
    (folder / "pickle.safetensors").write_bytes(pickle.dumps(_Bomb(folder / "exploded")))
    voice("later", weights, version="99")
    voice("other", weights, format="someone-elses")
    voice("config", weights, config='{"name": "x", "wings": 2}')
    voice("torn", weights, config="{")
    voice("missing", {key: w for key, w in weights.items() if key != first})
    voice("foreign", {**weights, "trojan.weight": np.zeros(3, np.float16)})
    voice("shapes", {**weights, first: np.zeros((1, 2, 3), np.float16)})
    infinite = np.full_like(weights[second], np.inf)
    voice("infinite", {**weights, second: infinite})
    return folder


class _Bomb:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


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
        (["--steps", "0"], ["steps must be at least 1, got 0"]),
        (["--steps", "1000000000"], ["steps must be at most"]),
        (["--shift", "99"], ["48 semitones, got 99"]),
        (["--shift", "nan"], ["48 semitones, got nan"]),
        (["--gain-db", "inf"], ["gain_db", "inf"]),
        (["--block-ms", "0"], ["longer than 0 ms", "got 0"]),
        (["--block-ms", "nan"], ["longer than 0 ms", "got nan"]),
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
    monkeypatch.setattr(offline.bench, "OFFLINE_BLOCK_FRAMES", 32)
    monkeypatch.setattr(offline.bench.os, "cpu_count", lambda: 1)
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
