"""The window: a sidebar, the pages, the error bar, and what is remembered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QByteArray, QTimer
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PyQt6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui import engine, style
from gui.collector import Collector
from gui.controller import SessionController, Trouble
from gui.engine import MakeBackend
from gui.hotkeys import Hotkeys
from gui.i18n import WORDS, bind, tr
from gui.icons import redress
from gui.jobs import Jobs
from gui.pages.files import FilesPage
from gui.pages.live import LivePage
from gui.pages.settings import SettingsPage
from gui.pages.train import TrainPage
from gui.pages.welcome import WelcomePage
from gui.settings import Devices, Preset, SettingsStore
from gui.widgets.bar import ErrorBar
from gui.widgets.basics import button, card, icon_button, label, row
from gui.widgets.spectrum import warm

PAGES = (("Live", "mic"), ("Files", "files"), ("Train", "graduation-cap"),
         ("Settings", "settings"))  # fmt: skip
SAVE_MS = 500
BEHIND_MS = 100  # until the window is painted


class MainWindow(QMainWindow):
    """make_backend: what stands for the sound card; a test's is a loopback."""

    def __init__(
        self, store: SettingsStore, make_backend: MakeBackend, projects: Path | None = None
    ) -> None:
        super().__init__()
        self.store = store
        self.settings = store.load()
        WORDS.switch(self.settings.language)
        style.apply(self.settings.theme)
        self.setWindowTitle("moksori")
        self.setMinimumSize(1000, 640)
        self.resize(1180, 760)
        self.restoreGeometry(QByteArray.fromHex(self.settings.window.encode()))
        self.setAcceptDrops(True)
        self.collector = Collector(self)
        self.jobs = Jobs(self, threads=2)
        self.controller = SessionController(make_backend, self.settings.devices, self)
        self.controller.params = self.settings.params
        self.controller.qualities = {False: self.settings.quality, True: self.settings.pace}
        self.controller.suppress = self.settings.suppress and engine.suppression_is_there()
        self.live = LivePage(self.controller)
        self.files = FilesPage(self.controller)
        self.train = TrainPage(self.controller, projects)
        self.train.on.setChecked(self.settings.train_on)
        self.options = SettingsPage(self.controller, self.jobs, self.settings)
        self.welcome = WelcomePage(self.controller, self.options, self.jobs)
        self.hotkeys = Hotkeys(self)
        self.bar = ErrorBar()
        self._make_note()
        self._lay_out()
        self._connect()
        self._saver = QTimer(self)
        self._saver.setSingleShot(True)
        self._saver.setInterval(SAVE_MS)
        self._saver.timeout.connect(self._save)
        self.live.presets.fill(self.settings.presets)
        self.show_page(0)
        if not self.settings.welcomed:
            self.show_welcome()
        if store.corrupt:
            self.tell(tr("The settings could not be read and were put aside; these are the usual."))
        QTimer.singleShot(BEHIND_MS, self._begin)

    def _begin(self) -> None:
        """After the window is shown: what is slow."""
        self.collector.spare()
        spare = self.collector.spare
        self.jobs.run(warm, lambda done: spare(), lambda error: None)  # what the first sound loads
        self.controller.find_voices(self.settings.voice)
        self.options.look()
        if self.hotkeys.possible:  # else the settings say which keys there are
            said = self.options.tell_hotkeys
            self.jobs.run(self.hotkeys.listen, lambda done: said(True), lambda error: said(False))

    def _make_note(self) -> None:
        self.note_words = label(wrap=True)
        close = icon_button("Dismiss", lambda: self.note.hide(), "x")
        inner = row(self.note_words, close)
        inner.setStretch(0, 1)
        self.note = card(inner, kind="note")
        self.note.layout().setContentsMargins(16, 6, 8, 6)  # type: ignore[union-attr]
        self.note.hide()

    def _lay_out(self) -> None:
        side = QWidget()
        side.setObjectName("side")
        side.setFixedWidth(176)
        bar = QVBoxLayout(side)
        bar.setContentsMargins(14, 20, 14, 16)
        bar.setSpacing(6)
        brand = label(kind="brand")
        brand.setText("moksori")
        bar.addWidget(brand)
        bar.addSpacing(14)
        self.nav: list[QPushButton] = []
        self.stack = QStackedWidget()
        for at, (name, icon) in enumerate(PAGES):
            made = button(name, icon=icon, kind="nav", checkable=True)
            made.setShortcut(f"Ctrl+{at + 1}")
            made.clicked.connect(lambda checked=False, at=at: self.show_page(at))
            self.nav.append(made)
            bar.addWidget(made)
        bar.addStretch(1)
        bar.addWidget(label("Drop a voice here to import it", "soft", wrap=True))
        for page in (self.live, self.files, self.train, self.options, self.welcome):
            self.stack.addWidget(page)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        bars = QVBoxLayout()
        bars.setContentsMargins(24, 12, 24, 0)
        bars.addWidget(self.bar)
        bars.addWidget(self.note)
        right.addLayout(bars)
        right.addWidget(self.stack, 1)
        self.side = side
        centre = QWidget()
        centre.setObjectName("page")
        whole = QHBoxLayout(centre)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(side)
        whole.addLayout(right, 1)
        self.setCentralWidget(centre)
        bind(centre.setAccessibleName, "moksori")

    def _connect(self) -> None:
        self.controller.trouble.connect(self.bar.tell)
        self.controller.mended.connect(self.bar.clear)
        self.controller.recorded.connect(lambda path: self.tell(tr("Recorded: {path}", path=path)))
        self.controller.began_anew.connect(self._tell_anew)
        self.bar.mend.connect(self._mend)
        self.hotkeys.bypass.connect(self.live.bypass.click)
        self.hotkeys.mute.connect(self.live.mute.click)
        self.live.remembered.connect(self.remember)
        self.train.remembered.connect(self.remember)
        self.live.presets.kept.connect(self._keep_preset)
        self.live.presets.forgotten.connect(self._forget_preset)
        self.live.presets.chosen.connect(self._use_preset)
        self.options.devices_chosen.connect(self._use_devices)
        self.options.theme_chosen.connect(self.use_theme)
        self.options.language_chosen.connect(self.use_language)
        self.options.welcome_wanted.connect(self.show_welcome)
        self.welcome.finished.connect(self._welcomed)
        self.train.exported.connect(self._exported)
        if (hints := QGuiApplication.styleHints()) is not None:
            hints.colorSchemeChanged.connect(self._follow_system)

    def show_page(self, at: int) -> None:
        """0 live, 1 files, 2 train, 3 settings."""
        self.side.show()
        self.stack.setCurrentIndex(at)
        for place, made in enumerate(self.nav):  # a group of buttons would not let Tab in
            made.setChecked(place == at)

    def show_welcome(self) -> None:
        """The first start's three steps."""
        self.side.hide()
        self.welcome.begin()
        self.stack.setCurrentWidget(self.welcome)

    def _welcomed(self, start: bool) -> None:
        self.settings = replace(self.settings, welcomed=True)
        self.remember()
        self.show_page(0)
        if start:
            self.controller.start()

    def _mend(self, trouble: Trouble) -> None:
        if trouble.remedy == "retry":
            if trouble.again is not None:
                trouble.again()
            return
        self.show_page(3)
        if trouble.remedy == "doctor":
            self.options.run_doctor()
        else:
            self.options.look()
            self.options.input.setFocus()

    def tell(self, words: str) -> None:
        """Good news."""
        self.note_words.setText(words)
        self.note.show()

    def _tell_anew(self, voice: str) -> None:
        words = "{name} speaks in other lengths, so the sound began anew with it."
        self.tell(tr(words, name=voice))

    # What is remembered

    def remember(self) -> None:
        """Soon, once."""
        self._saver.start()

    def _save(self) -> None:
        voice = self.controller.voice
        self.settings = replace(
            self.settings,
            voice=voice.name if voice is not None else self.settings.voice,
            params=self.controller.params,
            quality=self.controller.qualities[False],
            pace=self.controller.qualities[True],
            suppress=self.controller.suppress,
            train_on=self.train.on.isChecked(),
            devices=self.controller.devices,
            window=self.saveGeometry().toHex().data().decode(),
        )
        self.store.save(self.settings)

    def _use_devices(self, devices: Devices) -> None:
        self.controller.set_devices(devices)
        self.options.show_devices(devices)
        self.remember()

    def use_theme(self, theme: str) -> None:
        """system, light or dark."""
        self.settings = replace(self.settings, theme=theme)
        style.apply(theme)
        for made in self.findChildren(QAbstractButton):
            redress(made)
        self.live.redress()
        self.files.redress()
        self.train.redress()
        self.options.show_looks(theme, self.settings.language)
        self.remember()

    def _follow_system(self) -> None:
        """It has turned light, or dark."""
        if self.settings.theme == "system" and self.isVisible():
            self.use_theme("system")

    def use_language(self, language: str) -> None:
        """system, en or ko."""
        self.settings = replace(self.settings, language=language)
        WORDS.switch(language)
        self.options.show_looks(self.settings.theme, language)
        self.remember()

    def _keep_preset(self, name: str) -> None:
        voice = self.controller.voice
        others = [p for p in self.settings.presets if p.name != name]
        preset = Preset(name, voice.name if voice else "embedded", self.controller.params)
        self._set_presets((*others, preset))

    def _forget_preset(self, name: str) -> None:
        self._set_presets(tuple(p for p in self.settings.presets if p.name != name))

    def _set_presets(self, presets: tuple[Preset, ...]) -> None:
        self.settings = replace(self.settings, presets=presets)
        self.live.presets.fill(presets)
        self.remember()

    def _use_preset(self, name: str) -> None:
        preset = next((p for p in self.settings.presets if p.name == name), None)
        voice = next((v for v in self.controller.voices if preset and v.name == preset.voice), None)
        if preset is None or voice is None:
            return
        self.controller.set_params(preset.params)
        self.controller.choose(voice, preset.params.speakers)
        self.remember()

    # Import

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """See QWidget."""
        mime = event.mimeData() if event is not None else None
        if event is not None and mime is not None and mime.hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """A page that takes files has taken its own before."""
        mime = event.mimeData() if event is not None else None
        for url in mime.urls() if mime is not None else ():
            self.import_voice(Path(url.toLocalFile()))

    def import_voice(self, path: Path, replacing: bool = False) -> None:
        """Checks it; then it is a card, or the bar says what is missing."""

        def done(lines: list[str]) -> None:
            more = "It brought no vocoder; the embedded one will speak."
            bare = any(line.startswith("vocoder: none") for line in lines)
            self.tell(tr("Imported: {name}", name=path.name) + (f"\n{tr(more)}" if bare else ""))
            self.controller.find_voices(self.settings.voice)

        def failed(error: BaseException) -> None:
            self.note.hide()
            again = partial(self.import_voice, path, replacing)
            self.controller.report("That is no voice that can be imported.", error, again)

        self.tell(tr("Checking {name} ...", name=path.name))
        take_in = partial(engine.import_from, path, replacing)
        self.jobs.run(partial(self.controller.workshop.run, take_in), done, failed)

    def _exported(self, path: str) -> None:
        self.import_voice(Path(path), replacing=True)

    # The end

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """In order: the sound, the files, the training (if it is not to go on), the jobs."""
        self._saver.stop()
        self._save()
        self.hide()
        self.files.close_in_order()
        self.train.close_in_order()
        self.controller.close()
        self.jobs.close()
        self.hotkeys.close()
        self.collector.close()
        WORDS.forget()
        if event is not None:
            event.accept()
