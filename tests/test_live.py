"""`moksori live` on files and on a false sound card: what it plays, tells, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import load_mono, save_audio
from core.streaming.converter import StreamingConverter
from realtime.clock import Stretcher
from tests.command_line import DEMO, RATE, ROOT, Moksori, complaint, contents, live
from tests.sound_card import FalseSoundDevice


@pytest.mark.parametrize("latency_options", [("--block-ms", 30), ("--low-latency",)], ids=str)
def test_like_live_is_what_live_plays_and_records(
    moksori: Moksori, speech: Path, tmp_path: Path, latency_options: tuple[object, ...]
) -> None:
    played, recorded = tmp_path / "played.wav", tmp_path / "recorded.wav"
    options = ["--shift", 4, "--seed", 7, *latency_options]
    said = moksori(
        *live(speech, played, "--clock", "virtual", "--record", recorded, "--json", *options)
    )
    assert said.code == 0
    figures = said.lines[-1]
    assert figures["algorithmic_ms"] <= (60 if "--low-latency" in options else 90)
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
    assert figures["block_ms"] < 35
    assert figures["algorithmic_ms"] <= 90
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
    # a machine that is busy with other work may drop a block and say so; the order is the point
    assert [line for line in err.splitlines() if "dropout" not in line] == ["moksori: stopping ..."]
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


def test_live_on_a_sound_card(moksori: Moksori, card: FalseSoundDevice, tmp_path: Path) -> None:
    said = moksori("live", "--seconds", 0.5, "--json", "--record", tmp_path / "r.wav")
    assert said.code == 0
    assert said.err.startswith("moksori: speak: Microphone -> Speakers; Ctrl-C ends (44100 Hz")
    figures = said.lines[-1]
    assert figures["blocks"] > 0
    assert figures["device_ms"] == pytest.approx(60)
    stretching = 1e3 * Stretcher.DELAY / RATE  # and no more: the devices have the voice's own rate
    assert figures["resampling_ms"] == pytest.approx(stretching, abs=1e-3)
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


def test_devices_of_unequal_rates_each_have_their_own(
    moksori: Moksori, card: FalseSoundDevice
) -> None:
    card.rates[0], card.rates[1] = {44_100}, {48_000}
    assert moksori("live", "--seconds", 0.2).code == 0
    rates = [card.streams[side].options["samplerate"] for side in ("input", "output")]
    assert rates == [44_100, 48_000]


def test_a_device_that_refuses_every_rate(moksori: Moksori, card: FalseSoundDevice) -> None:
    card.rates[0] = set()
    complaint(moksori("live"), "Microphone takes none of the usual rates")


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
