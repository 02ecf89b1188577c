"""The files page: drop, watch, listen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt, QUrl
from PyQt6.QtGui import QColor, QDesktopServices, QDragEnterEvent, QDropEvent, QPainter
from PyQt6.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from core.audio import WRITABLE
from core.errors import AudioFileError, VoiceChangerError
from gui.controller import SessionController
from gui.engine import holds_voice
from gui.i18n import bind, tr
from gui.i18n.sentences import told
from gui.jobs import Jobs
from gui.player import Player
from gui.queue_model import SHARE, FileQueue
from gui.style import colours
from gui.widgets.basics import button, card, column, combo, label, rename, row
from gui.widgets.voices import Choice
from gui.widgets.waveform import Waveform, outline


class ProgressDelegate(QStyledItemDelegate):
    """A bar in place of a figure."""

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """See QStyledItemDelegate."""
        if painter is None:
            return
        now, space = colours(), option.rect.adjusted(8, 0, -8, 0)
        bar = space.adjusted(0, space.height() // 2 - 4, 0, 0)
        bar.setHeight(8)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.well))
        painter.drawRoundedRect(bar, 4, 4)
        share = float(index.data(SHARE))
        if share > 0:
            bar.setWidth(max(8, round(bar.width() * share)))
            painter.setBrush(QColor(now.accent))
            painter.drawRoundedRect(bar, 4, 4)
        painter.restore()


class FilesPage(QWidget):
    """Results lie in a folder `moksori` beside each source, or where the user says."""

    def __init__(self, controller: SessionController) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAcceptDrops(True)
        self.controller = controller
        self.jobs = Jobs(self)
        self.queue = FileQueue(self)
        self.queue.crashed.connect(
            lambda words: controller.report(
                "Converting has stopped.", VoiceChangerError(words), self._once_more
            )
        )
        self.player = Player(
            lambda error: controller.report("The file cannot be played.", error), self
        )
        self.folder: Path | None = None
        self._taken: set[Path] = set()  # names of results; the jobs' alone
        self._shown: tuple[int, str] | None = None
        self._make()
        controller.voices_found.connect(self._show_voices)

    def _make(self) -> None:
        self.voice = combo("Voice")
        self.voice.setMaximumWidth(240)
        self.add = button("Add files", self._ask_files, "plus", "primary")
        self.add_folder = button("Add folder", self._ask_folder, "folder-open")
        self.pause = button("Pause", self._pause, "pause", checkable=True)
        self.cancel = button("Cancel", self._cancel, "x")
        self.open = button("Open folder", self._open, "folder-open")
        self.table = QTableView()
        self.table.setModel(self.queue)
        bind(self.table.setAccessibleName, "Files to convert")
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setItemDelegateForColumn(2, ProgressDelegate(self.table))
        rows, heads = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None
        assert heads is not None
        rows.hide()
        rows.setDefaultSectionSize(40)
        heads.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        heads.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        heads.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        heads.resizeSection(2, 150)
        heads.resizeSection(3, 100)
        chosen = self.table.selectionModel()
        assert chosen is not None
        chosen.selectionChanged.connect(lambda now, before: self._select())
        self.queue.dataChanged.connect(lambda first, last: self._select())
        self.queue.rowsInserted.connect(lambda *at: self._show_emptiness())
        words = (
            label("Drop audio files or folders here", "heading"),
            label("Each becomes a new file beside it, in a folder named moksori.", "soft"),
        )
        for said in words:
            said.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty = card(column(None, *words, None), kind="drop")
        self._make_compare()
        head = row(label("Files", "title"), None, label("Voice", "soft"), self.voice)
        actions = row(self.add, self.add_folder, None, self.pause, self.cancel, self.open)
        layout = column(head, actions, self.empty, self.table, self.compare, spacing=14)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setStretch(3, 1)
        self.setLayout(layout)
        self._show_emptiness()

    def _make_compare(self) -> None:
        self.source_wave, self.result_wave = Waveform("Outline of the source"), Waveform(
            "Outline of the result"
        )  # fmt: skip
        self.play_source = button("Play source", lambda: self._play(False), "play")
        self.play_result = button("Play result", lambda: self._play(True), "play")
        for made in (self.play_source, self.play_result):
            made.setMinimumWidth(140)
        self.player.moved.connect(self._moved)
        self.failure = label(kind="soft", wrap=True)
        first, second = row(self.play_source, self.source_wave), row(
            self.play_result, self.result_wave
        )  # fmt: skip
        first.setStretch(1, 1)
        second.setStretch(1, 1)
        self.compare = card(first, second, self.failure)
        self.compare.hide()

    def _show_emptiness(self) -> None:
        some = bool(self.queue.entries)
        self.table.setVisible(some)
        self.empty.setVisible(not some)
        for made in (self.pause, self.cancel, self.open):
            made.setEnabled(some)

    def _show_voices(self) -> None:
        at = self.voice.currentText()
        self.voice.clear()
        for voice in self.controller.voices:
            for speaker, name in enumerate(voice.speakers):
                self.voice.addItem(name, Choice(voice, speaker))
        self.voice.setCurrentIndex(max(0, self.voice.findText(at)))

    # Adding

    def add_paths(self, paths: list[Path]) -> None:
        """Audio files and folders of them."""
        choice = self.voice.currentData()
        if not isinstance(choice, Choice):
            return
        look = partial(_pairs, paths, self.folder, self._taken)
        add = partial(self._add, choice)
        failed = partial(self.controller.report, "There is nothing to convert.")
        self.jobs.run(look, add, failed)

    def _add(self, choice: Choice, pairs: list[tuple[Path, Path]]) -> None:
        if not pairs:
            known = ", ".join(sorted(WRITABLE))
            error = AudioFileError(f"expected audio ({known}), found none in what was dropped")
            self.controller.report("There is nothing to convert.", error)
            return
        params = replace(self.controller.params, speakers=choice.weights)
        self.queue.add(pairs, choice.voice.path, params)

    def _once_more(self) -> None:
        """What has failed, as new files of the queue."""
        self.add_paths([e.source for e in self.queue.entries if e.state == "failed"])

    def _ask_files(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in sorted(WRITABLE))
        named, _ = QFileDialog.getOpenFileNames(self, tr("Add files"), "", f"Audio ({kinds})")
        if named:
            self.add_paths([Path(name) for name in named])

    def _ask_folder(self) -> None:
        if named := QFileDialog.getExistingDirectory(self, tr("Add folder")):
            self.add_paths([Path(named)])

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Audio is ours; anything else is the window's."""
        paths = _dropped(event)
        if event is not None and any(_is_ours(path) for path in paths):
            event.acceptProposedAction()
        elif event is not None:
            event.ignore()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        self.add_paths(_dropped(event))

    # What runs

    def _pause(self) -> None:
        self.queue.pause(self.pause.isChecked())
        rename(self.pause, "Go on" if self.pause.isChecked() else "Pause")

    def _cancel(self) -> None:
        row = self._row()
        rows = range(len(self.queue.entries)) if row is None else [row]
        for at in rows:
            self.queue.cancel(at)

    def _open(self) -> None:
        row = self._row()
        entry = self.queue.entries[-1 if row is None else row]
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(entry.target.parent)))

    def _row(self) -> int | None:
        chosen = self.table.selectionModel()
        rows = chosen.selectedRows() if chosen is not None else []
        return rows[0].row() if rows else None

    def _select(self) -> None:
        row = self._row()
        self.compare.setVisible(row is not None)
        if row is None:
            return
        entry = self.queue.entries[row]
        self.play_result.setEnabled(entry.state == "done")
        self.failure.setText(told(entry.error))
        self.failure.setVisible(bool(entry.error))
        if self._shown == (row, entry.state):
            return
        self._shown = (row, entry.state)
        if entry.state == "failed":
            return
        quiet = self.source_wave.bars * 0

        def draw(wave: Waveform, path: Path) -> None:
            self.jobs.run(
                lambda: outline(path), wave.show_bars, lambda error: wave.show_bars(quiet)
            )

        draw(self.source_wave, entry.source)
        if entry.state == "done":
            draw(self.result_wave, entry.target)
        else:
            self.result_wave.show_bars(quiet)

    def _play(self, result: bool) -> None:
        row = self._row()
        if row is not None:
            entry = self.queue.entries[row]
            self.player.toggle(entry.target if result else entry.source)

    def _moved(self, share: float) -> None:
        row = self._row()
        if row is not None:
            result = self.player.path == self.queue.entries[row].target
            (self.result_wave if result else self.source_wave).show_played(share)

    def redress(self) -> None:
        """After a change of theme."""
        self.update()

    def close_in_order(self) -> None:
        """What is half done is dropped; what is done stays."""
        self.player.stop()
        self.queue.close()
        self.jobs.close()


def _audio(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in WRITABLE and p.is_file())
    return [path] if path.suffix.lower() in WRITABLE else []


def _pairs(paths: list[Path], folder: Path | None, taken: set[Path]) -> list[tuple[Path, Path]]:
    """Each recording and where its result goes; a large folder takes a while."""
    pairs = []
    for file in (file for path in paths for file in _audio(path)):
        target = _free((folder or file.parent / "moksori") / file.name, taken)
        taken.add(target)
        pairs.append((file, target))
    return pairs


def _is_ours(path: Path) -> bool:
    return path.suffix.lower() in WRITABLE or (path.is_dir() and not holds_voice(path))


def _free(path: Path, taken: set[Path]) -> Path:
    """A name nobody has."""
    wanted, number = path, 2
    while wanted in taken or wanted.exists():
        wanted = path.with_stem(f"{path.stem} {number}")
        number += 1
    return wanted


def _dropped(event: QDragEnterEvent | QDropEvent | None) -> list[Path]:
    mime = event.mimeData() if event is not None else None
    return [Path(url.toLocalFile()) for url in mime.urls()] if mime is not None else []
