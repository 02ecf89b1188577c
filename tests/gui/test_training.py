"""A voice is trained from the window by the command line's own processes, with tiny settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from gui.settings import Settings
from offline.studio.project import Project
from tests.gui.windows import PATIENCE, gone
from tests.offline.studio.studio_project import QUICK, make_recordings, with_settings
from tests.toy import toy_voice


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """That trains until it is stopped."""
    recordings = make_recordings(tmp_path / "recordings")
    toy_voice().save(tmp_path / "toy.safetensors")
    project = Project.create(tmp_path / "projects", "anna", recordings)
    start = str(tmp_path / "toy.safetensors")
    with_settings(project, **(QUICK | {"start": start, "max_steps": 100_000}))
    return project


@pytest.mark.parametrize("goes_on", [False, True])
def test_closing_the_window_saves_the_training_or_leaves_it_at_work(
    goes_on: bool, make_window: Any, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    window = make_window(Settings(welcomed=True, language="en"))
    page = window.train
    page.take(tmp_path / "recordings")
    page.name.setText("anna")
    page.on.setChecked(goes_on)
    page.start.click()
    try:
        qtbot.waitUntil(lambda: bool(page._losses), timeout=2 * PATIENCE)
        process = page.process._process
        assert process is not None
        window.close()
        assert gone(process.pid) != goes_on
        if goes_on:
            page = make_window(Settings(welcomed=True, language="en")).train
            assert page.process.running
            qtbot.waitUntil(lambda: bool(page._losses), timeout=PATIENCE)  # told again
            page.stop.click()
            qtbot.waitUntil(lambda: not page.process.running, timeout=PATIENCE)
            process.wait(0)
        assert list(project.checkpoints.glob("step_*.pt"))
    finally:
        page.process.stop()
        page.process.wait(20)


def test_from_recordings_to_a_card(
    window: MainWindow, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    page = window.train
    window.show_page(2)

    def press_and_wait(button: object, what: str) -> None:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: page.process.running, timeout=PATIENCE)
        qtbot.waitUntil(
            lambda: bool(page._losses and page.samples.count()) or window.bar.isVisible(),
            timeout=2 * PATIENCE,
        )
        assert not window.bar.isVisible(), f"{what}: {window.bar.detail.text()}"

    def stop() -> None:
        qtbot.mouseClick(page.stop, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not page.process.running, timeout=PATIENCE)
        assert not window.bar.isVisible(), window.bar.detail.text()

    try:
        page.take(recordings)
        page.name.setText("anna")
        press_and_wait(page.start, "training")
        assert "s kept" in page.kept.item(0).text()
        assert page.plot.isVisible()
        assert Path(page.samples.item(0).data(Qt.ItemDataRole.UserRole)).is_file()
        stop()
        before = page._steps[-1]
        press_and_wait(page.start, "going on")
        assert page._steps[0] > 1
        assert page._steps[-1] > before - 4  # it went on from what was saved
        stop()
        cards = len(window.live.cards.cards)
        qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: len(window.live.cards.cards) > cards, timeout=PATIENCE)
        assert any(choice.voice.name == "anna" for choice, _ in window.live.cards.cards)
    finally:
        page.process.stop()
        page.process.wait(20)
