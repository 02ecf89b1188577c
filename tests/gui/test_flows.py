"""What a user does, over the loopback, with the embedded voice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPixmap
from pytestqt.qtbot import QtBot

from core.audio import load_mono
from core.config import VoiceParams
from core.errors import DeviceError
from gui import engine
from gui.controller import Phase
from gui.main_window import MainWindow
from gui.settings import Devices, Preset, Settings, SettingsStore
from tests.command_line import ROOT
from tests.gui.windows import PATIENCE, go_live, gone

USUAL = Settings(welcomed=True, language="en", theme="light")


def no_devices(devices: Devices, sample_rate: int) -> Any:
    raise DeviceError("no input device was found; plug one in")


def test_first_start_leads_to_changed_speech(make_window: Any, qtbot: QtBot) -> None:
    window = make_window(Settings(language="en"))
    assert window.stack.currentWidget() is window.welcome
    qtbot.waitUntil(lambda: len(window.welcome.cards.cards) == 3, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.welcome.level.level > -50, timeout=PATIENCE)
    for _ in range(3):
        qtbot.mouseClick(window.welcome.next, Qt.MouseButton.LeftButton)
    assert window.stack.currentWidget() is window.live
    qtbot.waitUntil(lambda: window.controller.phase is Phase.LIVE, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.controller.stats.blocks > 5, timeout=PATIENCE)


def test_live_shows_and_obeys(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    go_live(window, qtbot)
    live, controller = window.live, window.controller
    qtbot.waitUntil(lambda: live.latency.text().endswith("ms"), timeout=PATIENCE)
    scroll = lambda: live.output_view._scroll  # noqa: E731
    qtbot.waitUntil(lambda: scroll() is not None and scroll().picture.max() > 0.2, timeout=PATIENCE)
    wanted = live.pitch.value - 2
    live.pitch.set(wanted)
    assert controller.params.pitch_shift == wanted
    assert not live.auto.isChecked()
    live.formant.set(2)
    assert controller.params.formant == 2
    live.gain.set(6)
    qtbot.mouseDClick(live.gain.slider, Qt.MouseButton.LeftButton)
    assert controller.params.gain_db == 0
    qtbot.mouseClick(live.mute, Qt.MouseButton.LeftButton)
    assert controller.mode == "mute"
    qtbot.mouseClick(live.bypass, Qt.MouseButton.LeftButton)
    assert controller.mode == "dry"
    assert not live.mute.isChecked()
    qtbot.mouseClick(live.cards.cards[2][1], Qt.MouseButton.LeftButton)
    assert controller.params.speakers == (0, 0, 1)
    live.record_to(tmp_path / "kept")
    assert live.record.isChecked()
    qtbot.waitUntil(lambda: not controller.jobs.busy, timeout=PATIENCE)
    blocks = controller.stats.blocks
    qtbot.waitUntil(lambda: controller.stats.blocks > blocks + 5, timeout=PATIENCE)
    with qtbot.waitSignal(controller.recorded, timeout=PATIENCE) as told:
        live._record()
    assert len(load_mono(Path(told.args[0]))[0]) > 0
    live.quality.set(0)
    qtbot.waitUntil(lambda: controller.quality == 0, timeout=PATIENCE)
    qtbot.waitUntil(lambda: controller.phase is Phase.LIVE, timeout=PATIENCE)
    qtbot.mouseClick(live.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: controller.phase is Phase.READY, timeout=PATIENCE)


def test_closing_while_live_ends_in_order(window: MainWindow, qtbot: QtBot) -> None:
    go_live(window, qtbot)
    session, process = window.controller._run, window.controller.sound.number
    assert session is not None
    assert process is not None
    try:
        window.close()
        assert session.state.value == "idle"
        assert session.error is None
    finally:
        assert gone(process)


def test_a_crash_of_the_sound_is_a_calm_bar_and_the_window_lives(
    window: MainWindow, qtbot: QtBot
) -> None:
    go_live(window, qtbot)
    process = window.controller.sound.number
    assert process is not None
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        os.kill(process, signal.SIGTERM)
    assert window.bar.isVisible()
    qtbot.waitUntil(lambda: window.controller.phase is Phase.READY, timeout=PATIENCE)
    qtbot.mouseClick(window.bar.remedy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.controller.phase is Phase.LIVE, timeout=PATIENCE)
    assert window.controller.sound.number != process
    assert not window.bar.isVisible()


def test_the_window_is_soon_there_and_loads_no_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gui.first_paint", str(engine.DEMO)]
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=home, timeout=60)
    seconds, torch = ran.stdout.split()
    assert float(seconds) < 2, ran.stderr
    assert torch == "False"


def test_everything_is_remembered(make_window: Any, qtbot: QtBot, store: SettingsStore) -> None:
    params = VoiceParams(pitch_shift=2.0, speakers=(0.0, 1.0, 0.0))
    window = make_window(replace(USUAL, params=params, quality=3, devices=Devices(latency="high")))
    qtbot.waitUntil(lambda: window.controller.phase is Phase.READY, timeout=PATIENCE)
    window._keep_preset("night")
    window.live.gate.set(-40)
    window.close()
    kept = store.load()
    assert kept.params == replace(params, gate_db=-40.0)
    assert (kept.quality, kept.devices.latency) == (3, "high")
    assert kept.window
    assert kept.presets == (Preset("night", "embedded", params),)


def test_a_preset_brings_its_sound_back(window: MainWindow, qtbot: QtBot) -> None:
    window.live.gain.set(5)
    window._keep_preset("loud")
    window.live.gain.set(-5)
    window._use_preset("loud")
    assert window.controller.params.gain_db == 5
    assert window.live.gain.value == 5
    window._forget_preset("loud")
    assert window.live.presets.names.count() == 0


@pytest.mark.parametrize("kept", ["{", "[]", '{"version": 99}', '{"version": 1, "quality": 77}'])
def test_corrupt_settings_fall_back(kept: str, store: SettingsStore) -> None:
    store._store.setValue("settings", kept)
    assert store.load() == Settings()
    assert store.corrupt
    assert store._store.value("settings_unreadable") == kept


def test_a_device_that_fails_is_a_calm_bar_that_mends(window: MainWindow, qtbot: QtBot) -> None:
    good = window.controller.make_backend
    window.controller.make_backend = no_devices
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        qtbot.mouseClick(window.live.start, Qt.MouseButton.LeftButton)
    assert window.bar.isVisible()
    assert "plug one in" in window.bar.detail.text()
    assert window.controller.phase is Phase.READY
    qtbot.mouseClick(window.bar.remedy, Qt.MouseButton.LeftButton)
    assert window.stack.currentWidget() is window.options
    window.controller.make_backend = good
    window.show_page(0)
    go_live(window, qtbot)
    assert not window.bar.isVisible()


def test_files_are_converted_and_failures_are_readable(
    window: MainWindow, qtbot: QtBot, speech: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.wav").write_bytes(speech.read_bytes())
    (folder / "text.wav").write_bytes(b"words" * 99)
    window.show_page(1)
    window.files.add_paths([folder])
    queue = window.files.queue
    qtbot.waitUntil(lambda: len(queue.entries) == 2, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not queue.busy, timeout=PATIENCE)
    good, bad = queue.entries
    assert (good.state, bad.state) == ("done", "failed")
    assert "text.wav" in bad.error
    assert load_mono(good.target)[1] == 44_100
    window.files.table.selectRow(0)
    qtbot.waitUntil(lambda: bool(window.files.result_wave.bars.max() > 0), timeout=PATIENCE)


def test_a_paused_file_waits_and_a_cancelled_one_leaves_nothing(
    window: MainWindow, qtbot: QtBot
) -> None:
    queue = window.files.queue
    window.files.pause.setEnabled(True)
    window.files.pause.click()  # before there is a file
    window.files.folder = Path(window.store._store.fileName()).parent / "out"
    window.files.add_paths([engine.DEMO])
    qtbot.waitUntil(lambda: queue.busy, timeout=PATIENCE)
    qtbot.wait(300)
    assert queue.entries[0].state == "waiting"
    queue.cancel(0)
    queue.pause(False)
    assert queue.entries[0].state == "cancelled"
    window.close()
    assert not queue.entries[0].target.exists()


def test_a_voice_file_becomes_a_card(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    dropped = tmp_path / "friend.safetensors"
    dropped.write_bytes(engine.DEMO.with_name("embedded.safetensors").read_bytes())
    window.import_voice(dropped)
    qtbot.waitUntil(lambda: len(window.live.cards.cards) == 6, timeout=PATIENCE)


def test_a_picture_beside_a_voice_is_on_its_card(window: MainWindow, tmp_path: Path) -> None:
    picture = QPixmap(90, 60)
    picture.fill(QColor("red"))
    picture.save(str(tmp_path / "anna.png"))
    voice = engine.VoiceInfo("anna", tmp_path / "anna.safetensors", ("anna",), live=True)
    bare = engine.VoiceInfo("berta", tmp_path / "berta.safetensors", ("berta",), live=True)
    window.live.cards.fill([voice, bare])
    centres = []
    for _, made in window.live.cards.cards:
        image = made.icon().pixmap(40, 40).toImage()
        assert image.pixelColor(0, 0).alpha() == 0  # a disc
        centres.append(image.pixelColor(image.width() // 2, 5 * image.height() // 6))
    assert centres[0] == QColor("red")
    assert centres[1] != QColor("red")


def test_what_is_no_voice_says_what_is_missing(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        window.import_voice(tmp_path)
    assert "no checkpoint" in window.bar.detail.text()


def test_latency_and_diagnostics(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page(3)
    qtbot.mouseClick(window.options.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: " ms" in window.options.note.text(), timeout=PATIENCE)
    window.options.copy_diagnostics()
    qtbot.waitUntil(lambda: "python" in window.options.findings.toPlainText(), timeout=PATIENCE)


TRAINER = """
import json, pathlib, sys
verb, name, projects = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[4])
say = lambda **event: print(json.dumps(event), flush=True)
if verb == "new":
    (projects / name).mkdir(parents=True)
    (projects / name / "project.toml").touch()
elif verb == "preprocess":
    say(event="file", file="a.wav", done=1, of=1, pieces=3)
    say(event="report", pieces=3, seconds=60, dropped_seconds=2, dropped=[], flagged=[])
else:
    for step in (10, 20):
        say(event="step", step=step, loss=1 / step, seconds_left=60)
    say(event="validation", step=20, samples=["samples/step_20/a.wav"], figures={}, score=1)
    say(event="end", step=20, minutes=1, reason="finished")
"""


def test_a_training_is_watched(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text(TRAINER)
    page = window.train
    page.program = [sys.executable, str(tmp_path / "trainer.py")]
    page.take(engine.DEMO.parent)
    page.name.setText("anna")
    page._start()
    qtbot.waitUntil(lambda: not page.process.running and not page._then, timeout=PATIENCE)
    assert page._losses == [0.1, 0.05]
    assert page.samples.count() == 1
    assert "60 s kept" in page.kept.item(0).text()


def test_noise_suppression_is_heard_and_remembered(
    make_window: Any, qtbot: QtBot, store: SettingsStore
) -> None:
    if not engine.suppression_is_there():
        pytest.skip("RNNoise is not installed")
    window = make_window(USUAL)
    qtbot.waitUntil(lambda: window.controller.phase is Phase.READY, timeout=PATIENCE)
    go_live(window, qtbot)
    before = window.controller.stats.latency.total_ms
    window.live.suppress.click()
    qtbot.waitUntil(lambda: not window.controller.jobs.busy, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.controller.phase is Phase.LIVE, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.controller.stats.blocks > 5, timeout=PATIENCE)
    assert window.controller.stats.latency.total_ms > before + 15
    window.close()
    assert store.load().suppress


def test_without_the_library_noise_suppression_is_grey_and_says_why(
    make_window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.engine.suppression_is_there", lambda: False)
    monkeypatch.setattr("gui.pages.live.suppression_is_there", lambda: False)
    window = make_window(replace(USUAL, suppress=True))
    assert not window.live.suppress.isEnabled()
    assert "RNNoise" in window.live.suppress.toolTip()
    assert not window.controller.suppress


def test_a_sample_of_the_voice_is_played(
    make_window: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(Settings(language="en"))
    qtbot.waitUntil(lambda: window.controller.phase is Phase.READY, timeout=PATIENCE)
    window.welcome._go(2)
    played: list[Path] = []
    monkeypatch.setattr(window.welcome.player, "toggle", played.append)
    qtbot.mouseClick(window.welcome.sample, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(played), timeout=PATIENCE)
    wave, rate = load_mono(played[0])
    assert abs(wave).max() > 0.05
    assert len(wave) > 3 * rate
    assert window.welcome.sample.isEnabled()


def test_closing_while_converting_leaves_no_process_and_no_half_file(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window.files.folder = tmp_path / "out"
    window.files.add_paths([engine.DEMO] * 20)
    queue = window.files.queue
    qtbot.waitUntil(lambda: len(queue.entries) == 20, timeout=PATIENCE)
    qtbot.waitUntil(lambda: queue.entries[0].share > 0, timeout=PATIENCE)
    assert queue._process is not None
    process = queue._process.processId()
    window.close()
    assert gone(process)
    for file in (tmp_path / "out").glob("*"):
        load_mono(file)  # whole, or it was never there


def test_every_focus_can_be_seen(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    live = window.live
    live.suppress.setEnabled(True)  # it is not where RNNoise is missing, as on a fresh install
    for control in (live.start, live.pitch.slider, live.cards.cards[0][1], live.suppress,
                    live.presets.names, window.nav[1]):  # fmt: skip
        window.nav[0].setFocus()
        without = control.grab().toImage()
        control.setFocus(Qt.FocusReason.TabFocusReason)
        assert control.hasFocus()
        assert control.grab().toImage() != without, control.accessibleName()
