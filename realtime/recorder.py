"""Writes a session's sound to a file from its own thread, so that a slow disk stops nothing.

The worker puts blocks into a bounded queue and never waits; the writer thread alone has the file.
"""

from __future__ import annotations

import glob
import logging
import os
import queue
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio import AudioWriter
from core.errors import AudioFileError, ConfigError, VoiceChangerError

ABANDONED_SECONDS = 86_400.0
SALVAGE_BLOCK = 4096  # samples, as much as a FLAC frame
QUEUE_BLOCKS = 2048  # at 46 ms a block: a disk may sleep for a minute and a half

logger = logging.getLogger(__name__)


class Recorder:
    """One growing file, mono, at the processor's rate. It gets its name when `close` succeeds.

    `error` tells why writing stopped, `dropped` how many samples a disk too slow has cost.
    """

    def __init__(self, path: str | Path, sample_rate: int) -> None:
        self.path = Path(path)
        self.error: VoiceChangerError | None = None
        self.dropped = 0
        salvage(self.path)
        self._writer = AudioWriter(path, sample_rate)
        self._queue: queue.Queue[NDArray[np.float32] | None] = queue.Queue(QUEUE_BLOCKS)
        self._thread = threading.Thread(target=self._run, name="moksori-recorder", daemon=True)
        self._thread.start()

    def put(self, block: NDArray[np.float32]) -> None:
        """Hands over a block (T,), which must not change afterwards. Never waits."""
        try:
            self._queue.put_nowait(block)
        except queue.Full:
            self.dropped += len(block)

    def close(self, timeout: float = 30.0) -> None:
        """Writes what is queued and completes the file; afterwards `error` is final."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(timeout)
        if self._thread.is_alive() and self.error is None:
            self.error = VoiceChangerError(
                f"{self.path}: the disk did not take the recording within {timeout:.0f} s"
            )

    def _run(self) -> None:
        written = 0
        while (block := self._queue.get()) is not None:
            if self.error is not None:
                continue  # keep emptying, so that `close` returns
            try:
                self._writer.write(block)
                written += len(block)
            except VoiceChangerError as error:
                self.error = error
        try:
            if written:
                self._writer.close()
            else:  # a session that never ran costs no older recording
                self._writer.abort()
        except VoiceChangerError as error:
            self.error = error


def salvage(path: str | Path) -> list[Path]:
    """Completes what a crash has left of recordings to `path`, up to its last fraction of a second.

    They become `NAME-recovered-NUMBER.EXT` beside it; a file that cannot be read stays as it is.
    """
    path = Path(path)
    kept = []
    for part in sorted(path.parent.glob(f".{glob.escape(path.stem[:64])}-*-*.part")):
        if not _abandoned(part):
            continue
        number = part.stem.rpartition("-")[2]
        target = path.with_name(f"{path.stem}-recovered-{number}{path.suffix}")
        try:
            _copy_what_is_there(part, target)
        except (VoiceChangerError, OSError) as error:
            logger.warning("%s: a crash has left this recording, unreadable (%s)", part, error)
            continue
        part.unlink()
        logger.warning("a crash had cut a recording short; what there is of it is in %s", target)
        kept.append(target)
    return kept


def _abandoned(part: Path) -> bool:
    """Whether the process that wrote it has ended."""
    number = part.stem.split("-")[-2]
    if not number.isdigit():
        return False
    if os.name == "nt":  # there is no asking after a process without harm
        return time.time() - part.stat().st_mtime > ABANDONED_SECONDS
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _copy_what_is_there(part: Path, target: Path) -> None:
    import soundfile

    try:
        source = soundfile.SoundFile(part)
    except soundfile.SoundFileError as error:
        raise AudioFileError(str(error)) from None
    with source, AudioWriter(target, source.samplerate) as writer:
        while True:
            try:
                wave = source.read(SALVAGE_BLOCK, dtype="float32")
            except soundfile.SoundFileError:  # where the crash came
                return
            if not len(wave):
                return
            writer.write(wave)


class Recordings:
    """The processor's output and input on files, which may begin and end while sound runs.

    The worker calls `put` and `news`, which never wait; the caller everything else.
    """

    def __init__(
        self, output: str | Path | None, source: str | Path | None, sample_rate: int
    ) -> None:
        self._sample_rate = sample_rate
        self._changing = threading.Lock()
        self._told = False
        self._files: _Files = (None, None)  # changed as one, so that both begin with one block
        if output is not None or source is not None:
            self.start(output, source)

    def start(self, output: str | Path | None, source: str | Path | None) -> None:
        """From the next block on. Raises where a file cannot be made, or others are being written.

        output, source: what the processor gives and what it takes; at least one.
        """
        if output is None and source is None:
            raise ConfigError("a recording needs a file for the output, the input or both")
        if output is not None and source is not None and _same(output, source):
            raise ConfigError(f"both recordings are {output}; choose two names")
        with self._changing:
            if any(self._files):
                raise VoiceChangerError("a recording is running; stop it before the next")
            made = None if output is None else Recorder(output, self._sample_rate)
            try:
                heard = None if source is None else Recorder(source, self._sample_rate)
            except BaseException:
                if made is not None:
                    made.close()  # nothing was written, so nothing is left
                raise
            self._told = False
            self._files = (made, heard)

    def put(self, heard: NDArray[np.float32], made: NDArray[np.float32]) -> None:
        """The next blocks (T,); they may change afterwards."""
        output, source = self._files
        if source is not None:
            source.put(heard.copy())
        if output is not None:
            output.put(made.copy())

    def news(self) -> VoiceChangerError | None:
        """The first error, once."""
        error = None if self._told else _error_of(self._files)
        self._told = self._told or error is not None
        return error

    def stop(self) -> VoiceChangerError | None:
        """Completes the files; what went wrong with them, if that has not been told."""
        with self._changing:
            files, self._files = self._files, (None, None)
            for recorder in files:
                if recorder is not None:
                    recorder.close()
            return None if self._told else _error_of(files)


_Files = tuple[Recorder | None, Recorder | None]


def _same(one: str | Path, other: str | Path) -> bool:
    return Path(one).absolute() == Path(other).absolute()


def _error_of(files: _Files) -> VoiceChangerError | None:
    return next((file.error for file in files if file is not None and file.error is not None), None)
