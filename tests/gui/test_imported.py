"""Voices of other programs: dropped, checked, spoken with, and what is said of those not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.audio import load_mono
from gui import engine
from gui.controller import Phase
from gui.main_window import MainWindow
from tests.core.imports.foreign_voice import write_diffusion_svc, write_voice
from tests.gui.windows import PATIENCE, go_live

KEYS, MOUSE = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton


def drop(window: MainWindow, path: Path, onto: QWidget | None = None) -> None:
    """As Qt does it: the page under the mouse is asked first, then what is behind it."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    taker: QWidget | None = onto or window
    while taker is not None:
        entered = QDragEnterEvent(
            QPointF(9, 9).toPoint(), Qt.DropAction.CopyAction, mime, MOUSE, KEYS
        )
        QApplication.sendEvent(taker, entered)
        if taker.acceptDrops() and entered.isAccepted():
            break
        taker = taker.parentWidget()
    assert taker is not None, "nobody takes it"
    QApplication.sendEvent(
        taker, QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, mime, MOUSE, KEYS)
    )


def card(window: MainWindow, qtbot: QtBot, name: str) -> None:
    """Presses it, once it is there."""
    cards = window.live.cards
    qtbot.waitUntil(lambda: name in [c.name for c, _ in cards.cards], timeout=PATIENCE)
    qtbot.mouseClick(next(made for c, made in cards.cards if c.name == name), MOUSE)


def speaks(window: MainWindow, qtbot: QtBot, blocks: int = 5) -> None:
    """Sound goes on, with that voice."""
    controller = window.controller
    qtbot.waitUntil(lambda: not controller.jobs.busy, timeout=PATIENCE)
    qtbot.waitUntil(lambda: controller.phase is Phase.LIVE, timeout=PATIENCE)
    before = controller.stats.blocks
    qtbot.waitUntil(lambda: controller.stats.blocks > before + blocks, timeout=PATIENCE)
    qtbot.waitUntil(lambda: controller.stats.output_db > -60, timeout=PATIENCE)


def test_a_dropped_folder_is_a_card_that_speaks_and_takes_over(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, speech: Path
) -> None:
    controller, live = window.controller, window.live
    write_voice(tmp_path / "nyaru")
    write_diffusion_svc(tmp_path / "two", speakers=2)
    window.show_page(1)
    drop(window, tmp_path / "nyaru", window.files)  # a page that takes audio, not this
    window.show_page(2)
    drop(window, tmp_path / "two", window.train)
    qtbot.waitUntil(lambda: len(live.cards.cards) == 6, timeout=PATIENCE)
    assert not window.bar.isVisible()
    assert not window.files.queue.entries
    assert window.train.recordings is None
    window.show_page(0)
    go_live(window, qtbot)
    process, native = controller.sound.number, controller.stats.latency.block_ms
    card(window, qtbot, "nyaru")
    speaks(window, qtbot)
    assert controller.stats.latency.block_ms > native  # other lengths: the sound began anew
    assert "nyaru" in window.note_words.text()
    assert controller.sound.number == process
    assert not live.formant.isEnabled()
    assert live.formant.toolTip()
    window.note.hide()
    card(window, qtbot, "two 2")  # of the same lengths: no gap
    speaks(window, qtbot)
    assert not window.note.isVisible()
    assert controller.params.speakers == (0, 1)
    card(window, qtbot, "kathleen")
    speaks(window, qtbot)
    assert controller.stats.latency.block_ms == native
    assert live.formant.isEnabled()
    controller.stop()
    files = window.files
    files.folder = tmp_path / "out"
    files.voice.setCurrentIndex(files.voice.findText("two 1"))
    files.add_paths([speech])
    qtbot.waitUntil(lambda: bool(files.queue.entries), timeout=PATIENCE)
    qtbot.waitUntil(lambda: not files.queue.busy, timeout=2 * PATIENCE)
    done = files.queue.entries[0]
    assert done.state == "done", done.error
    assert abs(load_mono(done.target)[0]).max() > 0


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.yaml", "no config.yaml beside it"),
        ("hubert/hubert_soft.pt", "expected the content encoder hubert_soft.pt"),
        ("model_ckpt_steps_400.ckpt", "holds no checkpoint"),
    ],
)
def test_what_a_folder_lacks_is_said_and_mended_by_the_button(
    missing: str, said: str, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    folder = tmp_path / "nyaru"
    write_voice(folder)
    aside = folder.joinpath(missing).rename(tmp_path / "aside")
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        drop(window, folder)
    assert said in window.bar.detail.text()
    assert not window.note.isVisible()
    aside.rename(folder / missing)
    qtbot.mouseClick(window.bar.remedy, MOUSE)  # try again
    qtbot.waitUntil(lambda: len(window.live.cards.cards) == 4, timeout=PATIENCE)
    assert not window.bar.isVisible()


def test_a_folder_of_everything_as_diff_svc_keeps_it(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    write_voice(tmp_path / "checkpoints" / "nyaru")
    (tmp_path / "checkpoints" / "nyaru" / "hubert").rename(tmp_path / "checkpoints" / "hubert")
    drop(window, tmp_path)
    qtbot.waitUntil(lambda: len(window.live.cards.cards) == 4, timeout=PATIENCE)


def test_a_torn_voice_file_is_no_card(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(engine.DEMO.with_name("embedded.safetensors").read_bytes()[:-1000])
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        drop(window, torn)
    assert "torn.safetensors" in window.bar.detail.text()
    assert not (tmp_path / ".moksori" / "voices" / "torn.safetensors").exists()


def test_a_voice_does_not_replace_another_of_its_name(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    data = engine.DEMO.with_name("embedded.safetensors").read_bytes()
    kept, dropped = tmp_path / ".moksori" / "voices", tmp_path / "anna.safetensors"
    kept.mkdir(parents=True)
    (kept / "anna.safetensors").write_bytes(data)
    dropped.write_bytes(data)
    with qtbot.waitSignal(window.controller.trouble, timeout=PATIENCE):
        drop(window, dropped)
    assert "anna.safetensors already" in window.bar.detail.text()
    window.bar.clear()
    window.train.exported.emit(str(dropped))  # its own training may
    qtbot.waitUntil(lambda: "Imported" in window.note_words.text(), timeout=PATIENCE)
    assert not window.bar.isVisible()
