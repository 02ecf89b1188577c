"""Work off the GUI thread. What it gives, or why it failed, arrives on the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

Done = Callable[[Any], object]
Failed = Callable[[BaseException], object]


class Jobs(QObject):
    """A queue of jobs, `threads` of them at a time; with one, they run in order."""

    idle = pyqtSignal()
    _over = pyqtSignal(object, object, object, object)

    def __init__(self, parent: QObject | None = None, threads: int = 1) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="moksori-job")
        self._open = 0
        self._closed = False
        self._over.connect(self._deliver)

    @property
    def busy(self) -> bool:
        """Whether something runs or waits."""
        return self._open > 0

    def run(self, work: Callable[[], Any], done: Done | None, failed: Failed) -> None:
        """`work` in a thread; then `done` with its result or `failed` with what it raised."""
        if self._closed:
            return
        self._open += 1

        def finished(future: Future[Any]) -> None:
            if future.cancelled() or self._closed:
                return
            error = future.exception()
            self._over.emit(done, failed, None if error else future.result(), error)

        self._pool.submit(work).add_done_callback(finished)

    def close(self) -> None:
        """Waits for what runs; what waits is dropped, and nothing is delivered any more."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(
        self, done: Done | None, failed: Failed, result: Any, error: BaseException | None
    ) -> None:
        self._open -= 1
        if error is not None:
            failed(error)
        elif done is not None:
            done(result)
        if not self._open:
            self.idle.emit()
