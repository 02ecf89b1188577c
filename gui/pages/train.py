"""The train page: from recordings to a voice, through the same commands as the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QFileDialog, QLineEdit, QListWidgetItem, QWidget

from core.audio import WRITABLE
from core.errors import VoiceChangerError
from gui.controller import SessionController
from gui.engine import holds_voice
from gui.i18n import WORDS, bind, tr
from gui.i18n.sentences import told
from gui.player import Player
from gui.style import colours
from gui.training import Command, TrainingProcess
from gui.widgets.basics import button, card, checkbox, column, label, row
from gui.widgets.listing import Listing

STOP_SECONDS = 20.0


class TrainPage(QWidget):
    """projects: the folder they lie in; None is one in the user's own."""

    remembered = pyqtSignal()  # something worth keeping has changed
    exported = pyqtSignal(str)

    def __init__(self, controller: SessionController, projects: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAcceptDrops(True)
        self.controller = controller
        self.projects = projects or Path.home() / "moksori" / "projects"
        self.recordings: Path | None = None
        self.program: list[str] | None = None  # a test's
        self.process = TrainingProcess(self)
        self.process.said.connect(self._heard)
        self.process.ended.connect(self._ended)
        self.player = Player(
            lambda error: controller.report("The file cannot be played.", error), self
        )
        self._steps: list[float] = []
        self._losses: list[float] = []
        self._then: list[str] = []
        self._prepared: list[dict[str, Any]] = []  # told of the recordings, in this order
        self._state = "No training runs."
        self._curve_drawn = QTimer(self)  # once for all that was told together
        self._curve_drawn.setSingleShot(True)
        self._curve_drawn.timeout.connect(self._draw_curve)
        self._make()
        WORDS.on_switch(self._write)
        WORDS.on_switch(self._list_again)
        self._find()

    def _make(self) -> None:
        self.name = QLineEdit()
        self.name.setFixedWidth(220)
        bind(self.name.setPlaceholderText, "Name of the voice")
        bind(self.name.setAccessibleName, "Name of the voice")
        self.name.textChanged.connect(lambda text: self._enable())
        self.choose = button("Choose recordings", self._ask, "folder-open")
        self.source = label(kind="soft")
        self.drop = card(
            label("Drop a folder of recordings of one person here", "heading"),
            label("One minute at least, better five; close to the microphone, no music.", "soft"),
            row(self.choose, self.source, None),
            kind="drop",
        )
        self.start = button("Prepare and train", self._start, "play", "primary")
        self.stop = button("Stop and save", self.process.stop, "square")
        self.export = button("Make it a voice", self._export, "check")
        self.on = checkbox("Go on when the window is closed", lambda on: self.remembered.emit())
        self.state = label(kind="heading", wrap=True)
        self.plot = pg.PlotWidget()
        bind(self.plot.setAccessibleName, "Loss over steps")
        self.plot.setMinimumHeight(140)
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        item = self.plot.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        item.setMouseEnabled(False, False)
        self.curve = self.plot.plot([], [])
        self.plot.hide()
        self.kept = Listing(
            "What was kept of the recordings", "What the slicer keeps of your recordings."
        )
        self.samples = Listing("Samples of the training", "A sample at every validation.")
        self.samples.itemActivated.connect(self._play)
        self.samples.itemClicked.connect(self._play)
        below = row(
            column(label("What was kept", "soft"), self.kept, spacing=4),
            column(label("Samples: press to hear", "soft"), self.samples, spacing=4),
            spacing=14,
        )
        layout = column(
            row(label("Train", "title"), None, self.name),
            self.drop,
            row(self.start, self.stop, self.export, None, self.on),
            card(self.state, self.plot),
            below,
            spacing=14,
        )
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setStretch(3, 1)
        layout.setStretch(4, 1)
        self.setLayout(layout)
        self.redress()
        self._enable()
        self._write()

    def redress(self) -> None:
        """After a change of theme."""
        now = colours()
        self.plot.setBackground(now.card)
        self.curve.setPen(pg.mkPen(now.accent, width=2))
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(now.line)
            axis.setTextPen(now.soft)

    # What the user does

    def take(self, folder: Path) -> None:
        """The recordings to learn from."""
        audio = [p for p in folder.rglob("*") if p.suffix.lower() in WRITABLE]
        if not audio:
            error = VoiceChangerError(f"expected recordings in {folder}, found no audio there")
            self.controller.report("There is nothing to learn from.", error)
            return
        self.recordings = folder
        self.source.setText(f"{folder.name} ({len(audio)})")
        if not self.name.text():
            self.name.setText(re.sub(r"[^\w.-]+", "-", folder.name).strip("-.") or "voice")
        self._enable()

    def _ask(self) -> None:
        if named := QFileDialog.getExistingDirectory(self, tr("Choose recordings")):
            self.take(Path(named))

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """A folder with audio is ours; anything else is the window's."""
        mime = event.mimeData() if event is not None else None
        urls = mime.urls() if mime is not None else []
        folders = [Path(url.toLocalFile()) for url in urls]
        ours = len(folders) == 1 and folders[0].is_dir() and not holds_voice(folders[0])
        if event is not None and ours:
            event.acceptProposedAction()
        elif event is not None:
            event.ignore()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        mime = event.mimeData() if event is not None else None
        for url in mime.urls() if mime is not None else ():
            self.take(Path(url.toLocalFile()))

    def _start(self) -> None:
        name = self.name.text().strip()
        known = (self.projects / name / "project.toml").exists()
        self._then = ["preprocess", "train"] if known else ["new", "preprocess", "train"]
        self._steps, self._losses = [], []
        self._prepared.clear()
        self.kept.clear()
        self.samples.clear()
        self.plot.hide()
        self._go_on()

    def _once_more(self) -> None:
        if self.start.isEnabled():
            self._start()

    def _export(self) -> None:
        self._then = ["export"]
        self._go_on()

    def _go_on(self) -> None:
        verb = self._then.pop(0)
        words = {
            "new": "Making the project ...",
            "preprocess": "Preparing the recordings ...",
            "train": "Training ...",
            "export": "Making the voice ...",
        }
        self._say(words[verb])
        name = self.name.text().strip()
        try:
            self.process.start(Command(verb, name, self.projects, self.recordings), self.program)
        except OSError as error:
            self._failed(error)
        self._enable()

    def _find(self) -> None:
        """What an earlier window has left at work."""
        if not self.projects.is_dir():
            return
        for folder in sorted(self.projects.iterdir()):
            if self.process.find(folder.name, self.projects):
                self.name.setText(folder.name)
                self.on.setChecked(True)
                self._say("Training ...")
                self._enable()
                return

    def _play(self, item: QListWidgetItem) -> None:
        self.player.toggle(Path(str(item.data(Qt.ItemDataRole.UserRole))))

    # What the process says

    def _heard(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "step":
            self._steps.append(float(event["step"]))
            self._losses.append(float(event["loss"]))
            self._curve_drawn.start()
            self._state_of(event)
        elif kind == "file":
            self._say("Preparing the recordings ...", f"{event.get('done')}/{event.get('of')}")
            self._prepared.append(event)
            self._list(event)
        elif kind == "units":
            self._say("Hearing the pieces ...", f"{event.get('done')}/{event.get('of')}")
        elif kind == "report":
            self._prepared.append(event)
            self._list(event)
        elif kind == "validation":
            for path in event.get("samples", ()):
                item = QListWidgetItem(f"{event['step']}: {Path(path).name}")
                whole = self.projects / self.name.text().strip() / path
                item.setData(Qt.ItemDataRole.UserRole, str(whole))
                self.samples.insertItem(0, item)
        elif kind == "exported":
            self.exported.emit(str(event["voice"]))

    def _draw_curve(self) -> None:
        self.curve.setData(self._steps, self._losses)
        self.plot.setVisible(bool(self._steps))

    def _list(self, event: dict[str, Any]) -> None:
        """What the preparation says of a recording, or of all in the end."""
        if event["event"] == "report":
            kept, lost = event.get("seconds", 0), event.get("dropped_seconds", 0)
            words = tr("{kept} s kept, {lost} s left out", kept=f"{kept:.0f}", lost=f"{lost:.0f}")
            self.kept.insertItem(0, words)
            for part in event.get("dropped", ()):
                self.kept.addItem(f"– {Path(part['source']).name}: {told(part['why'])}")
        elif event.get("error"):
            self.kept.addItem(f"✗ {told(event['error'])}")
        else:
            self.kept.addItem(f"✓ {Path(event['file']).name}: {event.get('pieces')}")

    def _list_again(self) -> None:
        try:
            self.kept.clear()
        except RuntimeError:  # the window is gone
            return
        for event in self._prepared:
            self._list(event)

    def _state_of(self, event: dict[str, Any]) -> None:
        left = event.get("seconds_left")
        minutes = "" if left is None else tr("{n} min left", n=f"{left / 60:.0f}")
        self._say("Training ...", f"{event['step']}   {minutes}")

    def _ended(self, verb: str, code: int, words: str) -> None:
        if code > 0:
            self._then = []
            self._failed(VoiceChangerError(words))
        elif self._then and verb in ("new", "preprocess"):
            self._go_on()
        else:
            done = {"train": "The training has ended; its state is saved."}
            self._say(done.get(verb, "No training runs."))
        self._enable()

    def _failed(self, error: BaseException) -> None:
        self._say("No training runs.")
        self.controller.report("The training has stopped.", error, self._once_more)

    def _say(self, words: str, more: str = "") -> None:
        self._state, self._more = words, more
        self._write()

    def _write(self) -> None:
        try:
            self.state.setText(f"{tr(self._state)}  {getattr(self, '_more', '')}".strip())
        except RuntimeError:  # the window is gone
            return

    def _enable(self) -> None:
        name = self.name.text().strip()
        project = bool(name) and (self.projects / name / "project.toml").exists()
        good = bool(re.fullmatch(r"[\w.-]+", name)) and (self.recordings is not None or project)
        running = self.process.running
        self.start.setEnabled(good and not running)
        self.stop.setEnabled(running)
        self.export.setEnabled(project and not running)
        self.name.setEnabled(not running)

    def close_in_order(self) -> None:
        """A training goes on if the user wants, else it saves and ends."""
        self.player.stop()
        if self.process.running and not self.on.isChecked():
            self.process.stop()
            self.process.wait(STOP_SECONDS)
        self.process.leave()
