"""The first start: microphone, where the voice goes, which voice; then one big button."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtWidgets import QLayout, QSizePolicy, QStackedWidget, QWidget

from core.config import VoiceParams
from gui import engine
from gui.controller import Phase, SessionController
from gui.i18n import WORDS, tr
from gui.jobs import Jobs
from gui.pages.settings import SettingsPage, _fill
from gui.player import Player
from gui.settings import VIRTUAL
from gui.widgets.basics import button, card, column, combo, label, rename, row
from gui.widgets.meters import Meter
from gui.widgets.voices import Choice, VoiceCards


class WelcomePage(QWidget):
    """finished: whether the sound is to start at once."""

    finished = pyqtSignal(bool)

    def __init__(self, controller: SessionController, options: SettingsPage, jobs: Jobs) -> None:
        super().__init__()
        self.setObjectName("page")
        self.controller, self.options, self.jobs = controller, options, jobs
        self.player = Player(
            lambda error: controller.report("The file cannot be played.", error), self
        )
        self.microphone, self.output = combo("Microphone"), combo("Output")
        self.level = Meter("Level of the microphone")
        self.virtual = button("Make virtual microphone", options.make_virtual, "audio-lines")
        self.cards = VoiceCards()
        self.sample = button("Play a sample", self._sample, "play")
        self.microphone.activated.connect(lambda index: self._chosen())
        self.output.activated.connect(lambda index: self._chosen())
        self.cards.chosen.connect(self._choose)
        self.steps = QStackedWidget()
        self.steps.addWidget(
            _step(
                "Choose your microphone",
                "Say something: the level should move and stay below the red.",
                self.microphone,
                self.level,
            )
        )
        self.steps.addWidget(
            _step(
                "Where should the voice go?",
                "Headphones, to hear it yourself; or the virtual microphone, which calls,"
                " streams and games can choose.",
                self.output,
                row(self.virtual, None),
            )
        )
        self.steps.addWidget(
            _step(
                "Choose a voice",
                "You can change it at any time, also while you speak.",
                self.cards,
                row(self.sample, None),
            )
        )
        self.steps.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.steps.setMaximumWidth(640)
        self.counter = label(kind="soft")
        self.back = button("Back", lambda: self._go(self.steps.currentIndex() - 1))
        self.next = button("Next", self._next, kind="primary")
        self.skip = button("Skip", lambda: self._end(False))
        self.next.setMinimumWidth(180)
        head = column(label("Speak in another voice", "title"), self.counter, spacing=4)
        inner = QWidget()
        inner.setMaximumWidth(640)
        inner.setLayout(
            column(None, head, self.steps, row(self.skip, None, self.back, self.next), None,
                   spacing=20)
        )  # fmt: skip
        whole = row(None, inner, None)
        whole.setStretch(1, 3)
        self.setLayout(whole)
        self._timer = QTimer(self)
        self._timer.setInterval(50)
        self._timer.timeout.connect(self._tick)
        controller.voices_found.connect(self.fill)
        controller.voice_changed.connect(self.fill)
        controller.changed.connect(self._listen)
        options.jobs.idle.connect(self.fill)
        WORDS.on_switch(self.fill)
        self._heard = False

    def begin(self) -> None:
        """At the first step."""
        self._heard = False
        self._timer.start()
        self._go(0)
        self.fill()
        self._listen()

    def fill(self) -> None:
        """Devices and voices as far as known."""
        try:
            for mine, theirs in (
                (self.microphone, self.options.input),
                (self.output, self.options.output),
            ):
                entries = [(theirs.itemText(i), str(theirs.itemData(i)))
                           for i in range(theirs.count())]  # fmt: skip
                _fill(mine, entries, str(theirs.currentData()))
        except RuntimeError:  # the window is gone
            return
        live = [voice for voice in self.controller.voices if voice.live]
        self.cards.fill(live)
        self.cards.mark(self.controller.voice, self.controller.params.speakers)
        self._write()

    def _listen(self) -> None:
        """The meter moves as soon as the voice has loaded."""
        if self._timer.isActive() and not self._heard and self.controller.phase is Phase.READY:
            self._heard = True
            self.controller.listen()

    def _tick(self) -> None:
        self.level.show_level(self.controller.stats.input_db)

    def _chosen(self) -> None:
        devices = replace(
            self.options.devices,
            input=str(self.microphone.currentData() or ""),
            output=str(self.output.currentData() or ""),
        )
        self.options.devices_chosen.emit(devices)
        self.virtual.setEnabled(devices.output != VIRTUAL)
        self.controller.listen()

    def _choose(self, choice: Choice) -> None:
        self.controller.choose(choice.voice, choice.weights)
        self.fill()

    def _sample(self) -> None:
        voice = self.controller.voice
        if voice is None:
            return
        self.sample.setEnabled(False)
        params = VoiceParams(speakers=self.controller.params.speakers)

        def done(path: object) -> None:
            self.sample.setEnabled(True)
            self.player.toggle(path)  # type: ignore[arg-type]

        def failed(error: BaseException) -> None:
            self.sample.setEnabled(True)
            self.controller.report("The file cannot be played.", error, self._sample)

        render = partial(engine.render_sample, voice.path, params)
        self.jobs.run(partial(self.controller.workshop.run, render), done, failed)

    def _next(self) -> None:
        at = self.steps.currentIndex()
        self._end(True) if at == self.steps.count() - 1 else self._go(at + 1)

    def _go(self, at: int) -> None:
        self.steps.setCurrentIndex(at)
        self.back.setVisible(at > 0)
        rename(self.next, "Start speaking" if at == self.steps.count() - 1 else "Next")
        self._write()

    def _write(self) -> None:
        at, count = self.steps.currentIndex() + 1, self.steps.count()
        self.counter.setText(tr("Step {at} of {count}", at=at, count=count))

    def _end(self, start: bool) -> None:
        self._timer.stop()
        self.player.stop()
        self.controller.end_trial()
        self.finished.emit(start)


def _step(title: str, words: str, *parts: QWidget | QLayout) -> QWidget:
    said = (label(title, "heading"), label(words, "soft", wrap=True))
    outer = QWidget()
    outer.setLayout(column(card(*said, *parts, spacing=14), None))
    return outer
