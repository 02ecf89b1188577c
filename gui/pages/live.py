"""The live page: start, see, turn, record."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QStandardPaths, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from core.config import VoiceParams
from gui.controller import Phase, SessionController
from gui.engine import suppression_is_there
from gui.i18n import WORDS, bind, tr
from gui.icons import dress
from gui.settings import QUALITIES
from gui.style import colours
from gui.widgets.basics import button, card, checkbox, column, label, rename, row, scroll
from gui.widgets.knobs import Knob, decibels, percent, semitones
from gui.widgets.meters import Meter
from gui.widgets.presets import PresetBar
from gui.widgets.spectrum import Spectrogram
from gui.widgets.voices import Choice, VoiceCards
from realtime.stats import LiveStats

FRAME_MS = 33
PHASES = {
    Phase.LOADING: "Loading the voice",
    Phase.READY: "Ready",
    Phase.STARTING: "Starting",
    Phase.LIVE: "Live",
    Phase.LOST: "Waiting for the device",
    Phase.STOPPING: "Stopping",
}


class LivePage(QWidget):
    """Everything a session needs; polls the controller at 30 Hz."""

    remembered = pyqtSignal()  # something worth keeping has changed

    def __init__(self, controller: SessionController) -> None:
        super().__init__()
        self.setObjectName("page")
        self.controller = controller
        self.start = button("Start", self._toggle, "play", "primary")
        self.start.setMinimumWidth(130)
        self.bypass = button("Bypass", self._bypass, "ear", checkable=True)
        self.mute = button("Mute", self._mute, "volume-x", checkable=True)
        self.record = button("Record", self._record, "circle-dot", checkable=True)
        for made, key in ((self.start, "F5"), (self.bypass, "F6"), (self.mute, "F7")):
            made.setShortcut(key)
        self.record.setShortcut("F8")
        self.phase = label(kind="soft")
        self.input_meter, self.output_meter = Meter("Input level"), Meter("Output level")
        self.input_view = Spectrogram("Spectrogram of the input")
        self.output_view = Spectrogram("Spectrogram of the output")
        self.cards = VoiceCards()
        self.cards.chosen.connect(self._choose)
        self.presets = PresetBar()
        self._make_knobs()
        self._make_figures()
        self._lay_out()
        controller.changed.connect(self._show_phase)
        controller.voices_found.connect(self._show_voices)
        controller.voice_changed.connect(self._show_params)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        WORDS.on_switch(self._show_phase)
        WORDS.on_switch(self._show_params)
        self._show_phase()

    def _make_knobs(self) -> None:
        self.auto = button("Automatic pitch", self._auto, "audio-lines", checkable=True)
        self.auto.setChecked(True)
        self.pitch = Knob("Pitch", -24, 24, 0.5, 0, semitones)
        self.formant = Knob("Formant", -6, 6, 0.5, 0, semitones)
        self.gain = Knob("Gain", -24, 24, 1, 0, decibels)
        self.gate = Knob("Gate", -90, -20, 1, -65, decibels)
        self.dry = Knob("Your own voice", 0, 1, 0.01, 0, percent)
        self.retrieval = Knob("Likeness", 0, 2, 0.05, 0.3, percent)
        self.suppress = checkbox("Suppress noise", self._suppress)
        self.suppress.setEnabled(suppression_is_there())
        if not self.suppress.isEnabled():
            bind(self.suppress.setToolTip, "It needs RNNoise: pip install moksori[noise]")
        self.mix: list[Knob] = []
        self.mix_box = QVBoxLayout()
        self.pitch.turned.connect(self._pitch_turned)
        for knob, name in (
            (self.formant, "formant"),
            (self.gain, "gain_db"),
            (self.gate, "gate_db"),
            (self.dry, "dry_mix"),
            (self.retrieval, "retrieval"),
        ):
            knob.turned.connect(lambda value, name=name: self._turn(name, value))

    def _make_figures(self) -> None:
        self.latency, self.headroom = label(kind="figure"), label(kind="figure")
        self.underruns = label(kind="soft", wrap=True)
        last = len(QUALITIES) - 1
        self.quality = Knob("Speed or quality", 0, last, 1, 1, _quality_name)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(300)  # a drag is one change, not four restarts
        self._settled.timeout.connect(self._quality_chosen)
        self.quality.turned.connect(lambda value: self._settled.start())
        self.latency.setText("–")
        self.headroom.setText("–")

    def _lay_out(self) -> None:
        views = QGridLayout()
        views.setSpacing(6)
        views.setContentsMargins(0, 0, 0, 0)
        for at, (name, meter, view) in enumerate(
            (("You", self.input_meter, self.input_view), ("Voice", self.output_meter,
                                                          self.output_view))
        ):  # fmt: skip
            named = label(name, "soft")
            named.setMinimumWidth(48)  # so that the meters stand below each other
            head = row(named, meter, spacing=12)
            head.setStretch(1, 1)
            views.addLayout(head, 2 * at, 0)
            views.addWidget(view, 2 * at + 1, 0)
            views.setRowStretch(2 * at + 1, 1)
        show = card()
        show.layout().addLayout(views)  # type: ignore[union-attr]
        figures = QHBoxLayout()
        figures.setSpacing(18)
        for name, figure in (("Latency", self.latency), ("Headroom", self.headroom)):
            figures.addLayout(column(label(name, "soft"), figure, spacing=0))
        figures.addStretch(1)
        performance = card(self.quality, figures, self.underruns)
        knobs = card(
            self.auto,
            self.pitch,
            self.formant,
            self.gain,
            self.gate,
            self.suppress,
            self.dry,
            self.retrieval,
            spacing=8,
        )
        self.mix_card = card(label("Mix of speakers", "heading"), self.mix_box, spacing=8)
        self.mix_card.hide()
        side = QWidget()
        side.setLayout(column(performance, self.presets, knobs, self.mix_card, None, spacing=12))
        side.layout().setContentsMargins(0, 0, 8, 0)  # type: ignore[union-attr]
        area = scroll(side)
        area.setFixedWidth(290)
        voices = scroll(self.cards)
        voices.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        voices.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        voices.setFixedHeight(78)
        controls = row(self.start, self.bypass, self.mute, self.record, self.phase, None)
        body = row(column(show, voices, spacing=12), area, spacing=16)
        layout = column(controls, body, spacing=16)
        layout.setContentsMargins(24, 20, 16, 20)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    # What the user does

    def _toggle(self) -> None:
        if self.controller.phase in (Phase.LIVE, Phase.LOST, Phase.STARTING):
            self.controller.stop()
        else:
            self.controller.start()

    def _bypass(self) -> None:
        self.controller.set_mode("dry" if self.bypass.isChecked() else "voice")

    def _mute(self) -> None:
        self.controller.set_mode("mute" if self.mute.isChecked() else "voice")

    def _record(self) -> None:
        if self.controller.recording is not None:
            self.controller.end_recording()
        else:
            place = QStandardPaths.StandardLocation.MusicLocation
            folder = Path(QStandardPaths.writableLocation(place) or Path.home())
            self.record_to(folder / "moksori")

    def record_to(self, folder: Path) -> None:
        """Begins a recording there."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.controller.report("The recording cannot be written.", error)
            return
        self.controller.record(folder / time.strftime("moksori %Y-%m-%d %H-%M-%S.wav"))

    def _choose(self, choice: Choice) -> None:
        self.controller.choose(choice.voice, choice.weights)
        self._show_params()
        self.remembered.emit()

    def _auto(self) -> None:
        shift = None if self.auto.isChecked() else self.pitch.value
        self._set(replace(self.controller.params, pitch_shift=shift))

    def _pitch_turned(self, value: float) -> None:
        self.auto.setChecked(False)
        self._set(replace(self.controller.params, pitch_shift=value))

    def _turn(self, name: str, value: float) -> None:
        changes: dict[str, float] = {name: value}
        self._set(replace(self.controller.params, **changes))  # type: ignore[arg-type]

    def _suppress(self, on: bool) -> None:
        self.controller.set_suppress(on)
        self.remembered.emit()

    def _mixed(self) -> None:
        weights = tuple(knob.value for knob in self.mix)
        if sum(weights) > 0:
            self._set(replace(self.controller.params, speakers=weights))
            self.cards.mark(self.controller.voice, weights)

    def _set(self, params: VoiceParams) -> None:
        self.controller.set_params(params)
        self.remembered.emit()

    def _quality_chosen(self) -> None:
        self.controller.set_quality(round(self.quality.value))
        self.remembered.emit()

    # What the user sees

    def _show_voices(self) -> None:
        self.cards.fill(self.controller.voices)
        self._show_params()

    def _show_params(self) -> None:
        params, voice = self.controller.params, self.controller.voice
        self.auto.setChecked(params.pitch_shift is None)
        self.pitch.show_quietly(params.pitch_shift or 0.0)
        for knob, value in (
            (self.formant, params.formant),
            (self.gain, params.gain_db),
            (self.gate, params.gate_db),
            (self.dry, params.dry_mix),
            (self.retrieval, params.retrieval),
        ):
            knob.show_quietly(value)
        self.quality.show_quietly(self.controller.quality)
        self.suppress.blockSignals(True)
        self.suppress.setChecked(self.controller.suppress)
        self.suppress.blockSignals(False)
        self.cards.mark(voice, params.speakers)
        imported = self.controller.imported
        why = tr("Only with voices of moksori") if imported else ""
        for knob in (self.formant, self.retrieval):
            knob.forbid(why)
        self.auto.setEnabled(not imported)
        self.auto.setToolTip(why)
        names = voice.speakers if voice is not None and not imported else ()
        if len(self.mix) != len(names):
            for old in self.mix:
                old.deleteLater()
            self.mix = [Knob(name, 0, 1, 0.01, 0, percent) for name in names]
            for knob in self.mix:
                knob.turned.connect(lambda value: self._mixed())
                self.mix_box.addWidget(knob)
            self.mix_card.setVisible(len(names) > 1)
        for knob, weight in zip(self.mix, params.speakers, strict=False):
            knob.show_quietly(weight / max(1.0, *params.speakers))

    def _show_phase(self) -> None:
        phase = self.controller.phase
        on = phase in (Phase.LIVE, Phase.LOST, Phase.STARTING)
        rename(self.start, "Stop" if on else "Start")
        dress(self.start, "square" if on else "play", "on_accent")
        able = self.controller.voice is not None and phase not in (Phase.LOADING, Phase.STOPPING)
        self.start.setEnabled(able)
        self.phase.setText(tr(PHASES[phase]))
        self.bypass.setChecked(self.controller.mode == "dry")
        self.mute.setChecked(self.controller.mode == "mute")
        self.record.setEnabled(phase is Phase.LIVE)
        recording = self.controller.recording is not None
        self.record.setChecked(recording)
        rename(self.record, "End recording" if recording else "Record")
        if phase is Phase.STARTING:
            self.input_view.clear_sound()
            self.output_view.clear_sound()
        if phase in (Phase.READY, Phase.LOADING):
            for figure in (self.latency, self.headroom):
                figure.setText("–")
                figure.setStyleSheet("")
            self.underruns.setText(tr("No dropouts"))

    def _tick(self) -> None:
        if not self.isVisible():
            return
        stats = self.controller.stats
        self.input_meter.show_level(stats.input_db)
        self.output_meter.show_level(stats.output_db)
        if self.controller.phase is Phase.LIVE:
            self._show_stats(stats)
            self._draw()

    def _draw(self) -> None:
        glimpse = self.controller.glimpse
        heard, said = glimpse.read()
        if len(heard):
            self.input_view.push(heard, glimpse.sample_rate)
            self.output_view.push(said, glimpse.sample_rate)
            self.input_view.draw()
            self.output_view.draw()
        if self.controller.params.pitch_shift is None:
            self.pitch.show_quietly(round(2 * glimpse.pitch_shift) / 2)

    def _show_stats(self, stats: LiveStats) -> None:
        latency = stats.latency
        self.latency.setText(f"{latency.total_ms + stats.late_ms:.0f} ms")  # as it is now
        share = stats.p95_ms / latency.block_ms if latency.block_ms else 0.0
        now = colours()
        spare = max(0.0, 1 - share) if stats.effort else 0.0  # bypassed, blocks cost nothing
        colour = now.good if spare > 0.35 else now.fair if spare > 0.1 else now.bad
        self.headroom.setText(f"{100 * spare:.0f} %")
        if self.headroom.property("colour") != colour:
            self.headroom.setProperty("colour", colour)
            self.headroom.setStyleSheet(f"color: {colour};")
        words = tr("No dropouts")
        if stats.bypassed_blocks:
            seconds = stats.bypassed_blocks * latency.block_ms / 1000
            words = tr("Too slow for {n} s: move this towards best.", n=f"{seconds:.1f}")
        elif stats.xruns:
            words = tr("Dropouts: {n}", n=stats.xruns)
        self.underruns.setText(words)

    def redress(self) -> None:
        """After a change of theme."""
        for view in (self.input_view, self.output_view):
            view.dress()
        self.headroom.setProperty("colour", "")


def _quality_name(value: float) -> str:
    names = ("Fastest", "Fast", "Balanced", "Good", "Best")
    return tr(names[round(value)])
