"""Devices and settings: what is heard and spoken through, tests of it, theme, language, doctor."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from PyQt6.QtCore import PYQT_VERSION_STR, QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QComboBox, QFormLayout, QPlainTextEdit, QVBoxLayout, QWidget

from gui import engine
from gui.controller import Phase, SessionController
from gui.i18n import LANGUAGES, WORDS, bind, tr
from gui.i18n.sentences import told
from gui.jobs import Jobs
from gui.settings import VIRTUAL, Devices, Settings
from gui.style import THEMES
from gui.widgets.basics import button, card, column, combo, label, rename, row, scroll
from gui.widgets.meters import Meter
from realtime.backend import Device
from realtime.stats import figures

THEME_WORDS = {"system": "Like the system", "light": "Light", "dark": "Dark"}


class SettingsPage(QWidget):
    """Emits what is chosen; the window keeps it."""

    devices_chosen = pyqtSignal(object)
    theme_chosen = pyqtSignal(str)
    language_chosen = pyqtSignal(str)
    welcome_wanted = pyqtSignal()

    def __init__(self, controller: SessionController, jobs: Jobs, settings: Settings) -> None:
        super().__init__()
        self.setObjectName("page")
        self.controller, self.jobs = controller, jobs
        self.devices = settings.devices
        self._found: list[Device] = []
        self._looked = False
        self._diagnosis: list[engine.Line] = []
        self._blind = ""  # why no devices can be listed
        self._filling = False
        self._make_devices()
        self._make_looks(settings)
        self._make_doctor()
        inner = QWidget()
        inner.setObjectName("page")
        inner.setLayout(
            column(
                label("Devices and settings", "title"),
                self._device_card,
                self._look_card,
                self._doctor_card,
                None,
                spacing=16,
            )
        )
        inner.layout().setContentsMargins(24, 20, 24, 20)  # type: ignore[union-attr]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll(inner))
        self._timer = QTimer(self)
        self._timer.setInterval(50)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        controller.changed.connect(self._show_phase)
        WORDS.on_switch(self.fill)
        WORDS.on_switch(self._tell_devices)
        WORDS.on_switch(self._show_keys)
        WORDS.on_switch(self._tell_findings)
        self.fill()

    def _make_devices(self) -> None:
        self.host = combo("Sound system")
        self.input, self.output = combo("Microphone"), combo("Output")
        self.monitor, self.rate = combo("Hear yourself on"), combo("Sample rate")
        self.latency = combo("Device buffer")
        self.host.activated.connect(lambda index: self.fill())
        for box in (self.input, self.output, self.monitor, self.rate, self.latency):
            box.activated.connect(lambda index: self._chosen())
        form = QFormLayout()
        form.setSpacing(10)
        form.setHorizontalSpacing(20)
        for name, box in (
            ("Sound system", self.host),
            ("Microphone", self.input),
            ("Output", self.output),
            ("Hear yourself on", self.monitor),
            ("Sample rate", self.rate),
            ("Device buffer", self.latency),
        ):
            form.addRow(label(name), box)
        self.level = Meter("Level of the microphone")
        self.check = button("Check the microphone", self._check, "mic", checkable=True)
        self.tone = button("Test tone", self._tone, "headphones", checkable=True)
        self.measure = button("Measure latency", self._measure, "activity")
        self.virtual = button("Make virtual microphone", self.make_virtual, "audio-lines")
        self.refresh = button("Look again", self.look, "refresh-cw")
        self.note = label(kind="soft", wrap=True)
        self.note.hide()
        checked = row(self.check, self.level)
        checked.setStretch(1, 1)
        self._device_card = card(
            label("Devices", "heading"),
            form,
            checked,
            row(self.tone, self.measure, None),
            row(self.virtual, self.refresh, None),
            self.note,
        )

    def _make_looks(self, settings: Settings) -> None:
        self.theme, self.language = combo("Theme"), combo("Language")
        self._theme, self._language = settings.theme, settings.language
        self.theme.activated.connect(
            lambda index: self.theme_chosen.emit(str(self.theme.itemData(index)))
        )
        self.language.activated.connect(
            lambda index: self.language_chosen.emit(str(self.language.itemData(index)))
        )
        form = QFormLayout()
        form.setSpacing(10)
        form.setHorizontalSpacing(20)
        form.addRow(label("Theme"), self.theme)
        form.addRow(label("Language"), self.language)
        again = button("Show the first steps again", self.welcome_wanted.emit, "rotate-ccw")
        keys = label(
            "Keys, while this window is in front: F5 start or stop, F6 bypass, F7 mute, F8 record.",
            "soft",
            wrap=True,
        )
        self.everywhere = label(kind="soft", wrap=True)
        self._global_keys = False
        self._show_keys()
        self._look_card = card(
            label("Appearance", "heading"), form, keys, self.everywhere, row(again, None)
        )

    def tell_hotkeys(self, there: bool) -> None:
        """Whether keys work in every program."""
        self._global_keys = there
        self._show_keys()

    def _show_keys(self) -> None:
        there = tr("In other programs, too: Ctrl+Alt+B bypass, Ctrl+Alt+M mute.")
        missing = tr(
            "No keys in other programs: that needs pip install moksori[hotkeys], and"
            " Windows, macOS or X11; Wayland does not allow it."
        )
        self.everywhere.setText(there if self._global_keys else missing)

    def _make_doctor(self) -> None:
        self.findings = QPlainTextEdit()
        self.findings.setReadOnly(True)
        self.findings.setTabChangesFocus(True)
        self.findings.setMinimumHeight(150)
        bind(self.findings.setAccessibleName, "What the doctor found")
        bind(self.findings.setPlaceholderText, "Tells what is installed and what is missing.")
        self.examine = button("Examine", self.run_doctor, "stethoscope")
        self.copy = button("Copy diagnostics", self.copy_diagnostics, "copy")
        self._doctor_card = card(
            label("Doctor", "heading"), row(self.examine, self.copy, None), self.findings
        )

    # Devices

    def look(self) -> None:
        """Asks for the devices; a machine without any says so in the note."""

        def found(devices: list[Device]) -> None:
            self._found = devices
            self._looked = True
            self._blind = ""
            self._tell_devices()
            self.fill()

        def failed(error: BaseException) -> None:
            self._blind = str(error)
            self._tell_devices()

        self.jobs.run(engine.list_sound_devices, found, failed)

    def _tell_devices(self) -> None:
        """Again after a switch of language: a note stands in the words of its time."""
        if self._blind:
            self._note(told(self._blind))
        elif self._looked:
            self._note("" if self._found else tr("No sound device was found."))

    def fill(self) -> None:
        """The lists, in the language of the moment."""
        try:
            host = str(self.host.currentData() or "")
        except RuntimeError:  # the window is gone
            return
        hosts = list(dict.fromkeys(device.host_api for device in self._found))
        _fill(self.host, [("All", ""), *((name, name) for name in hosts)], host)
        shown = [d for d in self._found if not host or d.host_api == host]
        usual = ("System default", "")
        heard = [(f"{d.name} ({d.host_api})", d.id) for d in shown if d.input_channels]
        spoken = [(f"{d.name} ({d.host_api})", d.id) for d in shown if d.output_channels]
        _fill(self.input, [usual, *heard], self.devices.input)
        _fill(self.output, [usual, ("Virtual microphone", VIRTUAL), *spoken], self.devices.output)
        _fill(self.monitor, [("Nowhere", ""), *spoken], self.devices.monitor)
        rates = [("The voice's own", "0")] + [(f"{r} Hz", f"{r}") for r in (44_100, 48_000, 96_000)]
        _fill(self.rate, rates, str(self.devices.rate))
        buffers = [("Short", "low"), ("Long, where it crackles", "high")]
        _fill(self.latency, buffers, self.devices.latency)
        _fill(self.theme, [(THEME_WORDS[t], t) for t in THEMES], self._theme)
        languages = [("Like the system", "system"), *((n, k) for k, n in LANGUAGES.items())]
        _fill(self.language, languages, self._language)

    def show_looks(self, theme: str, language: str) -> None:
        """What is in force."""
        self._theme, self._language = theme, language
        self.fill()

    def show_devices(self, devices: Devices) -> None:
        """What is in force."""
        self.devices = devices
        self.fill()

    def _chosen(self) -> None:
        self.devices = replace(
            self.devices,
            input=str(self.input.currentData() or ""),
            output=str(self.output.currentData() or ""),
            monitor=str(self.monitor.currentData() or ""),
            rate=int(self.rate.currentData() or 0),
            latency=str(self.latency.currentData() or "low"),
        )
        self.devices_chosen.emit(self.devices)

    def _note(self, words: str) -> None:
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def make_virtual(self) -> None:
        """Makes the virtual microphone (elsewhere: finds a cable) and speaks through it."""

        def made(name: str) -> None:
            self._note(tr("{name} is there; choose it in the other program.", name=name))
            self.devices = replace(self.devices, output=VIRTUAL)
            self.devices_chosen.emit(self.devices)
            self.look()

        def failed(error: BaseException) -> None:
            self.controller.report(
                "The virtual microphone cannot be made.", error, self.make_virtual
            )

        self.jobs.run(engine.make_virtual_microphone, made, failed)

    # Tests

    def _check(self) -> None:
        self.tone.setChecked(False)
        self.controller.listen() if self.check.isChecked() else self.controller.end_trial()

    def _tone(self) -> None:
        self.check.setChecked(False)
        self.controller.play_tone() if self.tone.isChecked() else self.controller.end_trial()

    def _measure(self) -> None:
        self.measure.setEnabled(False)
        self._note(tr("Measuring ..."))

        def done(found: float) -> None:
            self._note(tr("Speech to sound takes {n} ms.", n=f"{found:.0f}"))

        def over() -> None:
            self.measure.setEnabled(True)
            self._note("")

        self.controller.measure_latency(done, over)

    def _tick(self) -> None:
        if self.isVisible():
            self.level.show_level(self.controller.stats.input_db)

    def _show_phase(self) -> None:
        quiet = self.controller.phase in (Phase.READY, Phase.LOADING)
        for made in (self.check, self.tone):
            made.setEnabled(quiet)
            if not quiet:
                made.setChecked(False)
        self.measure.setEnabled(quiet)

    # Doctor

    def run_doctor(self, then: Callable[[], object] | None = None) -> None:
        """Shows what `moksori doctor` says."""
        self.examine.setEnabled(False)

        def found(lines: list[engine.Line]) -> None:
            self.examine.setEnabled(True)
            self._diagnosis = lines
            self._tell_findings()
            if then is not None:
                then()

        def failed(error: BaseException) -> None:
            self.examine.setEnabled(True)
            self.controller.report("The doctor could not look.", error, self.run_doctor)

        look = partial(self.controller.workshop.run, engine.examine)
        self.jobs.run(look, found, failed)

    def _tell_findings(self) -> None:
        """Again after a switch of language."""
        lines = [
            engine.Line(tr(f.what), f.ok, told(f.state), told(f.remedy)) for f in self._diagnosis
        ]
        with suppress(RuntimeError):  # the window is gone
            self.findings.setPlainText("\n".join(map(_finding, lines)))

    def copy_diagnostics(self) -> None:
        """To the clipboard: system, doctor, devices, figures. No names of files."""
        if not self._diagnosis:
            self.run_doctor(self.copy_diagnostics)
            return
        parts = [f"moksori on {platform.platform()}, Python {sys.version.split()[0]}"]
        parts += [f"PyQt {PYQT_VERSION_STR}", *map(_finding, self._diagnosis)]  # in English
        parts += [f"{d.name} ({d.host_api}) in {d.input_channels} out {d.output_channels}"
                  for d in self._found]  # fmt: skip
        parts += [f"{key} {value}" for key, value in figures(self.controller.stats).items()]
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join(parts))
        self._note(tr("Copied; paste it into the report."))
        rename(self.copy, "Copied")
        QTimer.singleShot(2000, self._uncopied)

    def _uncopied(self) -> None:
        try:
            rename(self.copy, "Copy diagnostics")
        except RuntimeError:  # the window is gone
            return


def _fill(box: QComboBox, entries: list[tuple[str, str]], chosen: str) -> None:
    """Words (translated where known) and what they stand for; an unknown choice stays visible."""
    box.clear()
    for words, data in entries:
        box.addItem(tr(words), data)
    at = box.findData(chosen)
    if at < 0:
        box.addItem(tr("{name} (not there)", name=chosen), chosen)
        at = box.count() - 1
    box.setCurrentIndex(at)


def _finding(line: engine.Line) -> str:
    remedy = f"\n    → {line.remedy}" if line.remedy else ""
    return f"{'✓' if line.ok else '✗'} {line.what}: {line.state}{remedy}"
