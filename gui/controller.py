"""SessionController: the one object of the window that touches the session, in its own process.

Threads: its methods belong to the GUI thread and never wait; what is slow runs in a Job, one after
the other. Events of a session come from the engine's reader as queued signals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Literal

from PyQt6.QtCore import QObject, pyqtSignal

from core.config import VoiceParams
from core.errors import DeviceError, MisfitError, VoiceChangerError
from gui import engine, processes
from gui.engine import MakeBackend, VoiceInfo
from gui.jobs import Jobs
from gui.processes import Order, Process
from gui.settings import PACES, QUALITIES, Devices
from gui.trials import Silence, Tone
from realtime.glimpse import Glimpse
from realtime.remote import RemoteSession
from realtime.session import SessionEvent
from realtime.sound import Mode, SoundParams
from realtime.stats import LiveStats

Remedy = Literal["retry", "devices", "doctor", "none"]
Again = Callable[[], object]


class Phase(str, Enum):
    """What the user sees of a session's state."""

    LOADING = "loading"
    READY = "ready"
    STARTING = "starting"
    LIVE = "live"
    LOST = "lost"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Trouble:
    """What happened, in the app's words and in the engine's, and which button mends it.

    again: what the button "retry" does.
    """

    headline: str
    detail: str
    remedy: Remedy = "none"
    again: Again | None = None


class SessionController(QObject):
    """voices: known once `voices_found` was emitted. stats: of the session, or of the last one.

    glimpse: the sound, to look at. sound, workshop: the processes behind the window.
    """

    changed = pyqtSignal()
    voices_found = pyqtSignal()
    voice_changed = pyqtSignal()
    trouble = pyqtSignal(object)
    mended = pyqtSignal()
    recorded = pyqtSignal(str)
    began_anew = pyqtSignal(str)  # for a voice that could not take over while sound ran
    _event = pyqtSignal(int, object)

    def __init__(
        self, make_backend: MakeBackend, devices: Devices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.make_backend, self.devices = make_backend, devices
        self.jobs = Jobs(self)
        self.phase = Phase.LOADING
        self.voices: list[VoiceInfo] = []
        self.voice: VoiceInfo | None = None
        self.params = VoiceParams()
        self.qualities = {False: 1, True: 2}  # of own and of imported voices
        self.suppress = False
        self.mode: Mode = "voice"
        self.recording: Path | None = None
        self.glimpse = Glimpse()
        self.sound, self.workshop = Process(), Process()
        self._run: RemoteSession | None = None
        self._trial: RemoteSession | None = None  # level check or tone
        self._number = 0
        self._eager = False  # to start, as soon as that is possible
        self._choosing = 0  # voices on their way: until they speak, knobs are theirs
        self._event.connect(self._heard)

    # Voices

    def find_voices(self, wanted: str) -> None:
        """Looks for voices; the first time loads the wanted one, else the first."""

        def found(voices: list[VoiceInfo]) -> None:
            self.voices = voices
            if self.voice is None:
                live = [voice for voice in voices if voice.live]
                self.voice = next((v for v in live if v.name == wanted), live[0] if live else None)
                self._preload()
            else:
                self.voice = next((v for v in voices if v.path == self.voice.path), self.voice)
            self.voices_found.emit()

        look, look_again = (
            partial(self.sound.run, engine.list_voices),
            partial(self.find_voices, wanted),
        )
        self.jobs.run(look, found, self._failed("The voices cannot be listed.", look_again))

    def _preload(self) -> None:
        if self.voice is None:
            self._enter(Phase.READY)
            return
        self.params = engine.quick(self.params, len(self.voice.speakers))
        self.jobs.run(self._load, lambda done: self._loaded(), self._failed_to_load)

    def _loaded(self) -> None:
        self._enter(Phase.READY)
        if self._eager:
            self.start()

    def _failed_to_load(self, error: BaseException) -> None:
        self._enter(Phase.READY)
        self._failed("The voice cannot be loaded.", self._preload)(error)

    def choose(self, voice: VoiceInfo, speakers: tuple[float, ...]) -> None:
        """Another voice or speaker. While sound runs it takes over without a gap; one of other
        lengths is loaded first, then the sound begins anew with it.
        """
        before, params = self.voice, self.params
        wanted = replace(params, speakers=speakers)
        if before is not None and voice.path == before.path:
            self.set_params(wanted)
            self.voice_changed.emit()
            return
        self.voice, self.params = voice, wanted  # the voice before may not have these speakers
        self.voice_changed.emit()
        make = partial(processes.make_converter, self._order)
        again = partial(self.choose, voice, speakers)

        def take_over() -> bool:
            if self._run is None:
                self._load()
                return True
            try:
                self._run.switch(make)
            except MisfitError:
                return False
            return True

        def taken(over: bool) -> None:
            self._choosing -= 1
            self.set_params(self.params)
            if not over:
                self._restart()
                self.began_anew.emit(voice.name)

        def failed(error: BaseException) -> None:
            self._choosing -= 1
            if self._run is not None:  # which goes on with the voice before
                self.voice, self.params = before, params
                self.voice_changed.emit()
            self._failed("The other voice cannot take over.", again)(error)

        self._choosing += 1
        self.jobs.run(take_over, taken, failed)

    @property
    def imported(self) -> bool:
        """Whether the voice was not trained by moksori: some knobs are nothing to it."""
        return self.voice is not None and self.voice.imported

    @property
    def quality(self) -> int:
        """A place in QUALITIES, or with an imported voice in PACES."""
        return self.qualities[self.imported]

    @property
    def _order(self) -> Order:
        assert self.voice is not None
        stream = (PACES if self.imported else QUALITIES)[self.quality]
        return Order(self.voice.path, stream, self.params, self.suppress)

    def _load(self) -> None:
        if self.voice is not None:
            self.sound.run(partial(processes.load, self._order))

    # Knobs

    def set_params(self, params: VoiceParams) -> None:
        """Heard from the next block on."""
        self.params = params
        if self._run is not None and not self._choosing:
            self._run.params = params

    def set_mode(self, mode: Mode) -> None:
        """The voice, the input as it is, or silence."""
        self.mode = mode
        if self._run is not None:
            self._run.sound = SoundParams(mode=mode)
        self.changed.emit()

    def set_quality(self, quality: int) -> None:
        """See `quality`; a running session starts again with it."""
        if quality != self.quality:
            self.qualities[self.imported] = quality
            self._restart()

    def set_suppress(self, suppress: bool) -> None:
        """Noise suppression before the voice; a running session starts again with it."""
        if suppress != self.suppress:
            self.suppress = suppress
            self._restart()

    def set_devices(self, devices: Devices) -> None:
        """A running session starts again with them."""
        if devices != self.devices:
            self.devices = devices
            self._restart()

    def _restart(self) -> None:
        if self.phase in (Phase.LIVE, Phase.LOST):
            self.stop()
            self.start()

    # The session

    def start(self) -> None:
        """Begins to convert, once the voice is loaded; `phase` tells when it runs."""
        self._eager = self.phase is Phase.LOADING
        if self._eager or self.voice is None or self.phase in (Phase.STARTING, Phase.LIVE):
            return
        self._end_trial()
        self._enter(Phase.STARTING)
        self._number += 1
        number, sound = self._number, SoundParams(mode=self.mode)
        view = self.glimpse.name
        make = partial(processes.make_live, self._order, self.make_backend, self.devices, view)

        def begin() -> RemoteSession:
            session = RemoteSession(
                self.sound.engine,
                make,
                params=self.params,
                sound=sound,
                on_event=lambda event: self._event.emit(number, event),
            )
            self._run = processes.started(session)  # here: the next Job may be its end
            return session

        self.jobs.run(begin, lambda run: self._begun(run, number), self._failed_to_start)

    def _begun(self, run: RemoteSession, number: int) -> None:
        run.params, run.sound = self.params, SoundParams(mode=self.mode)
        self.glimpse.read()  # what was heard before
        if number == self._number and self.phase is Phase.STARTING:
            self._enter(Phase.LIVE)
            self.mended.emit()

    def _failed_to_start(self, error: BaseException) -> None:
        self._enter(Phase.READY)
        self._failed("The sound could not be started.", self.start)(error)

    def stop(self) -> None:
        """Ends the session in order; a recording is completed."""
        if self.phase in (Phase.READY, Phase.LOADING, Phase.STOPPING):
            return
        self._number += 1
        self._enter(Phase.STOPPING)

        def end() -> None:
            run, self._run = self._run, None
            if run is not None:
                run.stop()

        def ended(done: None) -> None:
            if self.phase is Phase.STOPPING:
                self._enter(Phase.READY)
            self._tell_recorded()

        def failed(error: BaseException) -> None:
            self._enter(Phase.READY)
            self._failed("The sound did not end in order.")(error)

        self.jobs.run(end, ended, failed)

    @property
    def stats(self) -> LiveStats:
        """The latest figures; cheap."""
        run = self._run
        if self._trial is not None:
            return self._trial.stats
        return LiveStats() if run is None else run.stats

    def record(self, path: Path) -> None:
        """Keeps the converted voice from now on."""
        run = self._run
        if run is None:
            return
        self.recording = path
        self.jobs.run(partial(run.start_recording, path), None, self._spoilt)
        self.changed.emit()

    def end_recording(self) -> None:
        """`recorded` tells the file."""
        if self._run is not None:
            self.jobs.run(
                self._run.stop_recording, lambda done: self._tell_recorded(), self._spoilt
            )

    def _tell_recorded(self) -> None:
        path, self.recording = self.recording, None
        self.changed.emit()
        if path is not None and path.exists():
            self.recorded.emit(str(path))

    def _spoilt(self, error: BaseException | None) -> None:
        path, self.recording = self.recording, None
        self.changed.emit()
        again = None if path is None else partial(self.record, path)
        self._failed("The recording cannot be written.", again)(error or VoiceChangerError(""))

    # Level check and tone

    def listen(self) -> None:
        """A silent session, for the level of the microphone in `stats`."""
        self._try(Silence())

    def play_tone(self) -> None:
        """A soft tone on the output, until `end_trial`."""
        self._try(Tone())

    def _try(self, processor: Silence) -> None:
        if self._run is not None or self.phase is Phase.STARTING:
            return
        self._end_trial()
        make = partial(processes.make_trial, processor, self.make_backend, self.devices)

        def begin() -> None:
            self._trial = processes.started(RemoteSession(self.sound.engine, make))

        again = partial(self._try, processor)
        self.jobs.run(begin, None, self._failed("The sound could not be started.", again))

    def end_trial(self) -> None:
        """The level check or the tone is over."""
        self._end_trial()

    def _end_trial(self) -> None:
        def end() -> None:
            trial, self._trial = self._trial, None
            if trial is not None:
                trial.stop()

        self.jobs.run(end, None, self._failed("The sound did not end in order."))

    def measure_latency(self, done: Callable[[float], object], over: Callable[[], object]) -> None:
        """Milliseconds from speech to sound, to `done`; `over` in any case."""
        if self.voice is None or self._run is not None:
            over()
            return
        measure = partial(processes.measure_latency, self._order, self.make_backend, self.devices)

        def measured(found: float) -> None:
            over()
            done(found)

        def failed(error: BaseException) -> None:
            over()
            again = partial(self.measure_latency, done, over)
            self._failed("The latency could not be measured.", again)(error)

        self.jobs.run(partial(self.sound.run, measure), measured, failed)

    # Events and errors

    def _heard(self, number: int, event: SessionEvent) -> None:
        if number != self._number:
            return
        if event.kind == "lost":
            self._enter(Phase.LOST)
            words = "The device has gone; the voice stays loaded and waits for it."
            self.trouble.emit(Trouble(words, str(event.error), "devices"))
        elif event.kind == "resumed":
            self._enter(Phase.LIVE)
            self.mended.emit()
        elif event.kind == "failed":
            if self.phase is not Phase.STARTING:  # else the Job says so
                self.stop()
                error = event.error or VoiceChangerError("")
                self._failed("The sound has stopped.", self.start)(error)
        elif event.kind == "switched":
            self.set_params(self.params)  # those turned since the voice was ordered, too
        elif event.kind == "finished":
            self.stop()
        elif event.kind == "recording_failed":
            self._spoilt(event.error)

    def _failed(self, headline: str, again: Again | None = None) -> Callable[[BaseException], None]:
        def tell(error: BaseException) -> None:
            remedy: Remedy = "none" if again is None else "retry"
            if isinstance(error, DeviceError):
                remedy = "devices"
            elif not isinstance(error, (VoiceChangerError, OSError)):
                remedy = "doctor"
            detail = str(error) or type(error).__name__
            self.trouble.emit(Trouble(headline, detail, remedy, again))

        return tell

    def report(self, headline: str, error: BaseException, again: Again | None = None) -> None:
        """Another part of the window has failed; `again` tries once more."""
        self._failed(headline, again)(error)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.changed.emit()

    def close(self) -> None:
        """Ends what runs, in order; then nothing is heard of this any more."""
        self._number += 1
        for session in (self._run, self._trial):
            if session is not None:
                session.stop()
        self.sound.close()  # what a Job asks of them fails, so that no Job is waited for
        self.workshop.close()
        self.jobs.close()
        self.glimpse.close()
        engine.remove_virtual_microphone()
