"""The engine's side of a `RemoteSession`: a process that holds a session and obeys a pipe.

Threads: one receives, one sends, one publishes stats, and each command that may take long has one.
"""

from __future__ import annotations

import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.errors import VoiceChangerError
from realtime.plan import BlockProcessor
from realtime.priority import raise_priority
from realtime.run import SWITCH_SECONDS
from realtime.session import LiveSession, SessionEvent

Listener = Callable[[SessionEvent], None]
MakeSession = Callable[[Listener], LiveSession]
"""Called in the engine's process, with the `on_event` of the session to make."""

PUBLISH_SECONDS = 0.03


class Host:
    """Obeys a pipe, which only the program that made this process can write to."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._out: queue.SimpleQueue[tuple[int, str, Any, BaseException | None]]
        self._out = queue.SimpleQueue()  # so that neither worker nor callback waits for a reader
        self._session: LiveSession | None = None

    def serve(self) -> None:
        """Until it is told to end, or nobody is there any more."""
        for target in (self._send, self._publish):
            threading.Thread(target=target, daemon=True).start()
        try:
            while True:
                number, verb, message = self._pipe.recv()
                if verb == "close":
                    break
                if verb in ("params", "sound"):
                    setattr(self.session, verb, pickle.loads(message))
                else:
                    order = (number, verb, message)
                    threading.Thread(target=self._answer, args=order, daemon=True).start()
        except (EOFError, OSError):
            pass
        if self._session is not None:
            self._session.stop()

    @property
    def session(self) -> LiveSession:
        """The one that was made last."""
        if self._session is None:
            raise VoiceChangerError("the engine has no session yet; make one first")
        return self._session

    def _answer(self, number: int, verb: str, message: bytes) -> None:
        error = None
        try:
            value = getattr(self, f"_do_{verb}")(pickle.loads(message))
            _check_pickles(verb, value)
        except BaseException as caught:
            value, error = None, _portable(caught)
        if self._session is not None:
            self._out.put((0, "stats", self._session.stats, None))
        self._out.put((number, verb, value, error))

    def _do_make(self, make: MakeSession) -> None:
        if self._session is not None:
            self._session.stop()
        self._session = make(self._tell)

    def _do_start(self, timeout: float) -> None:
        self.session.start(timeout)

    def _do_stop(self, timeout: float) -> None:
        self.session.stop(timeout)

    def _do_switch(self, load: Callable[[], BlockProcessor]) -> None:
        self.session.switch(load)

    def _do_start_recording(self, files: tuple[str | Path | None, str | Path | None]) -> None:
        self.session.start_recording(*files)

    def _do_stop_recording(self, _: None) -> None:
        self.session.stop_recording()

    def _do_run(self, work: Callable[[], Any]) -> Any:
        return work()

    def _do_ask(self, question: Callable[[LiveSession], Any]) -> Any:
        return question(self.session)

    def _tell(self, event: SessionEvent) -> None:
        if self._session is not None:
            self._out.put((0, "stats", self._session.stats, None))
            if event.kind == "switched":
                self._out.put((0, "params", self._session.params, None))
        error = None if event.error is None else _portable(event.error)
        self._out.put((0, "event", SessionEvent(event.kind, error), None))

    def _publish(self) -> None:
        pause = threading.Event()
        while not pause.wait(PUBLISH_SECONDS):
            if self._session is not None and self._out.empty():  # else the reader is busy
                self._out.put((0, "stats", self._session.stats, None))

    def _send(self) -> None:
        while True:
            try:
                self._pipe.send(self._out.get())
            except OSError:  # nobody hears
                return


def _check_pickles(verb: str, value: Any) -> None:
    try:
        pickle.dumps(value)
    except Exception as error:
        raise VoiceChangerError(
            f"the answer to {verb}, {type(value).__name__}, cannot leave the engine ({error})"
        ) from None


def _portable(error: BaseException) -> BaseException:
    """The error, or what it says where it cannot travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # a stranger's error may raise anything in this
        return VoiceChangerError(f"{type(error).__name__}: {error}")
    return error


def serve(pipe: Connection) -> None:
    """The engine's process. Ctrl-C is for the one that made it, which ends it in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_priority()
    Host(pipe).serve()
