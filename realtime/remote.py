"""A session in a process of its own, so that a busy window cannot hold up its sound.

Threads share an interpreter: beside one that runs Python without a pause, callback and worker wait
for their turn. Only a process has an interpreter to itself. Commands, events and stats cross the
border, sound only for the eye (`glimpse.py`); should a driver crash, the window lives on.
A thread reads what comes from there and calls `on_event`; the other side is `host.py`.
"""

from __future__ import annotations

import itertools
import multiprocessing
import pickle
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from core.config import VoiceParams
from core.errors import VoiceChangerError
from realtime.host import Listener, MakeSession, serve
from realtime.plan import BlockProcessor
from realtime.priority import WINDOW, real_time
from realtime.session import LiveSession, SessionEvent
from realtime.sound import SoundParams
from realtime.stats import LiveStats, SessionState

T = TypeVar("T")
CLOSE_SECONDS = 10.0


class Engine:
    """A process that holds a session. It takes seconds to start, so keep it between sessions.

    Whatever is handed to it must pickle, functions by name. When it dies `alive` is False; make
    another. It ends with its maker, however that ends.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # everywhere the same; threads do not fork
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs,), name="moksori-engine", daemon=True
        )
        self._process.start()
        theirs.close()
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[tuple[Any, BaseException | None]]] = {}
        self._lock = threading.Lock()  # one message at a time
        self._alive = True
        self._listener: Callable[[str, Any], None] | None = None
        threading.Thread(target=self._read, name="moksori-engine-reader", daemon=True).start()

    @property
    def alive(self) -> bool:
        """It can be asked things."""
        return self._alive

    @property
    def process(self) -> int | None:
        """Its number."""
        return self._process.pid

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def listen(self, listener: Callable[[str, Any], None] | None) -> None:
        """Who hears what it says by itself: "event", "stats", "params", and in the end "died"."""
        self._listener = listener

    def call(self, verb: str, argument: Any = None, timeout: float | None = None) -> Any:
        """Its answer; an error there is raised here. "run" gives what a function gives, there."""
        number = next(self._numbers)
        answer = self._answers[number] = queue.SimpleQueue()
        try:
            self._send(number, verb, argument)
            value, error = answer.get(timeout=timeout)
        except queue.Empty:
            raise VoiceChangerError(
                f"the engine did not answer to {verb} within {timeout} s"
            ) from None
        finally:
            del self._answers[number]
        if error is not None:
            raise error
        return value

    def tell(self, verb: str, argument: Any) -> None:
        """Without waiting; lost where it is no more."""
        if self._alive:
            self._send(0, verb, argument)

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Ends its session and then itself; by force after `timeout` seconds. Never hangs."""
        self._listener = None
        if self._alive:
            self._send(0, "close", None)
        self._process.join(timeout)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(timeout)

    def _send(self, number: int, verb: str, argument: Any) -> None:
        message = pickle.dumps(argument)  # by itself: what cannot be read there is an answer
        try:
            with self._lock:
                self._pipe.send((number, verb, message))
        except OSError:  # the reader tells everyone
            pass
        if not self._alive and number in self._answers:
            self._answers[number].put((None, self._death()))

    def _read(self) -> None:
        with real_time(WINDOW, alone=True):  # it shares the interpreter with the window's thread
            self._read_all()

    def _read_all(self) -> None:
        while True:
            try:
                number, word, value, error = self._pipe.recv()
            except (EOFError, OSError):
                break
            if number:
                if (answer := self._answers.get(number)) is not None:
                    answer.put((value, error))
            elif (listener := self._listener) is not None:
                listener(word, value)
        self._process.join(CLOSE_SECONDS)
        self._alive = False
        for answer in list(self._answers.values()):
            answer.put((None, self._death()))
        if (listener := self._listener) is not None:
            listener("died", self._death())
        self._pipe.close()

    def _death(self) -> VoiceChangerError:
        return VoiceChangerError(
            f"the engine's process has ended (exit code {self._process.exitcode}); start again,"
            " and try another device if it ends again"
        )


class RemoteSession:
    """A LiveSession as seen from another process: the same verbs, states, knobs and events.

    make: builds the session, there. on_event: called from the engine's reader; must return soon and
    call nothing here but assign `params` and `sound`. One session of an engine at a time.
    """

    def __init__(
        self,
        engine: Engine,
        make: MakeSession,
        *,
        params: VoiceParams | None = None,
        sound: SoundParams | None = None,
        on_event: Listener | None = None,
    ) -> None:
        self._engine, self._on_event = engine, on_event
        self._params, self._sound = params or VoiceParams(), sound or SoundParams()
        self._stats = LiveStats()
        self._over = threading.Event()
        self.error: BaseException | None = None
        engine.listen(self._hear)
        engine.call("make", make)
        if params is not None:
            self.params = params
        if sound is not None:
            self.sound = sound

    @property
    def params(self) -> VoiceParams:
        """See LiveSession."""
        return self._params

    @params.setter
    def params(self, params: VoiceParams) -> None:
        self._params = params
        self._engine.tell("params", params)

    @property
    def sound(self) -> SoundParams:
        """See LiveSession."""
        return self._sound

    @sound.setter
    def sound(self, sound: SoundParams) -> None:
        self._sound = sound
        self._engine.tell("sound", sound)

    @property
    def stats(self) -> LiveStats:
        """A snapshot, some 30 ms old at most while the reader gets its turn."""
        return self._stats

    @property
    def state(self) -> SessionState:
        """Where the session is in its life."""
        return self._stats.state

    def __enter__(self) -> RemoteSession:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, timeout: float = 120.0) -> None:
        """See LiveSession."""
        self.error = None
        self._over.clear()
        try:
            self._engine.call("start", timeout, timeout + CLOSE_SECONDS)
        except BaseException as error:
            self.error = error
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """See LiveSession. Harmless after the engine has died."""
        if self._engine.alive:
            try:
                self._engine.call("stop", timeout, 4 * timeout + CLOSE_SECONDS)
            except VoiceChangerError as error:  # it has died, or hangs
                self.error = self.error or error

    def wait(self, timeout: float | None = None) -> bool:
        """See LiveSession; also True once the engine has died."""
        return self._over.wait(timeout)

    def switch(self, load: Callable[[], BlockProcessor]) -> None:
        """See LiveSession; `load` runs in the engine."""
        self._engine.call("switch", load)

    def start_recording(
        self, output: str | Path | None = None, source: str | Path | None = None
    ) -> None:
        """See LiveSession."""
        self._engine.call("start_recording", (output, source))

    def stop_recording(self) -> None:
        """See LiveSession."""
        self._engine.call("stop_recording")

    def ask(self, question: Callable[[LiveSession], T]) -> T:
        """What a function of the session gives, there: for a meter, a file, whatever pickles."""
        answer: T = self._engine.call("ask", question)
        return answer

    def _hear(self, word: str, value: Any) -> None:
        if word == "stats":
            self._stats = value
        elif word == "params":
            self._params = value
        elif word == "event":
            if value.kind == "failed":
                self.error = self.error or value.error
            if value.kind in ("finished", "failed"):
                self._over.set()
            self._emit(value)
        elif word == "died":
            self._die(value)

    def _die(self, error: BaseException) -> None:
        self.error = self.error or error
        self._stats = replace(self._stats, state=SessionState.FAILED)
        self._over.set()
        self._emit(SessionEvent("failed", error))

    def _emit(self, event: SessionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)
