"""Audio files in and out with constant memory. No torch.

`load_audio` gives (C, T); everything after it works on mono float32 (T,). Files are written under a
temporary name in the same folder and renamed when complete; a failed write leaves the old file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from core.errors import AudioFileError
from core.resampler import Resampler, Wave, resample

BLOCK = 65_536  # samples a read or a write: 1.5 s at 44.1 kHz
CLIP_LEVEL = 0.9999  # 32,765 of 32,767: where a 16-bit converter saturates


@dataclass(frozen=True)
class AudioFormat:
    """How a file is written. rates: those it can hold, in Hz; empty: any."""

    name: str
    subtype: str
    rates: tuple[int, ...] = ()


_MP3_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
WRITABLE: dict[str, AudioFormat] = {
    ".wav": AudioFormat("WAV", "PCM_16"),
    ".flac": AudioFormat("FLAC", "PCM_16"),
    ".ogg": AudioFormat("OGG", "VORBIS"),
    ".opus": AudioFormat("OGG", "OPUS", (8000, 12_000, 16_000, 24_000, 48_000)),
    ".mp3": AudioFormat("MP3", "MPEG_LAYER_III", _MP3_RATES),
}


class AudioReader:
    """Iterates an audio file as mono float32 blocks; channels are averaged. A context manager.

    sample_rate in Hz; channels and frames as the file states them; `clipped` counts saturated
    samples so far.
    """

    def __init__(self, path: str | Path, block: int = BLOCK) -> None:
        self.path = Path(path)
        self.block = block
        self.clipped = 0
        self._file = _open_to_read(self.path)
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.frames = int(self._file.frames)
        self._position = 0

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Wave]:
        for wave in self.channel_blocks():
            yield wave[0] if self.channels == 1 else wave.mean(axis=0, dtype=np.float32)

    def channel_blocks(self) -> Iterator[Wave]:
        """The blocks with their channels: (C, T)."""
        while True:
            wave = self._read()
            if wave.shape[1] == 0:
                break
            yield wave
        if self._position == 0:
            raise AudioFileError(f"{self.path}: expected audio, but the file holds no samples")
        if self._position < self.frames and self._file.format != "MP3":
            raise self._truncated()

    def close(self) -> None:
        """Closes the file; harmless when called twice."""
        self._file.close()

    def _read(self) -> Wave:
        import soundfile

        try:
            data = self._file.read(self.block, dtype="float32", always_2d=True)  # (T, C)
        except soundfile.SoundFileError:
            raise self._truncated() from None
        finite = np.isfinite(data)
        if not finite.all():
            at = (self._position + int(np.argmin(finite.all(axis=1)))) / self.sample_rate
            raise AudioFileError(
                f"{self.path}: expected finite samples, but a sample at {at:.3f} s is NaN or "
                "infinite; export the recording again"
            )
        self._position += len(data)
        self.clipped += int(np.count_nonzero(np.abs(data) >= CLIP_LEVEL))
        return np.ascontiguousarray(data.T, dtype=np.float32)

    def _truncated(self) -> AudioFileError:
        got, expected = self._position / self.sample_rate, self.frames / self.sample_rate
        return AudioFileError(
            f"{self.path}: expected {expected:.2f} s of audio, but the data ends or is damaged "
            f"after {got:.2f} s; copy or export the file again"
        )


class AudioWriter:
    """Writes mono float32 blocks; the file appears under its name only when `close` succeeds.

    The format follows the extension. A rate the format cannot hold (Opus, MP3) is resampled on the
    way. As a context manager it closes on success and aborts on an exception. Samples beyond +-1
    are clipped.
    """

    def __init__(self, path: str | Path, sample_rate: int, subtype: str | None = None) -> None:
        import soundfile

        self.path = Path(path)
        self.sample_rate = sample_rate
        kind = check_writable(self.path)
        rate = _nearest_rate(sample_rate, kind.rates)
        self._resampler = Resampler(sample_rate, rate, "high") if rate != sample_rate else None
        self._temporary = _temporary_beside(self.path)
        self._open = True
        try:
            self._file: Any = soundfile.SoundFile(
                self._temporary, "w", rate, 1, subtype or kind.subtype, format=kind.name
            )
        except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
            self._temporary.unlink(missing_ok=True)
            raise AudioFileError(
                f"{self.path}: cannot write {kind.name} at {rate} Hz ({_reason(error)}); "
                "try .wav, which takes any sample rate"
            ) from None

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, wave: Wave) -> None:
        """Appends mono samples (T,)."""
        self._append(self._resampler.push(wave) if self._resampler else wave)

    def close(self) -> None:
        """Completes the file and gives it its name, replacing an older one."""
        import soundfile

        if not self._open:
            return
        try:
            if self._resampler:
                self._append(self._resampler.flush())
            self._file.close()
            os.replace(self._temporary, self.path)
            self._open = False
        except (soundfile.SoundFileError, OSError) as error:
            raise AudioFileError(f"{self.path}: cannot be written ({_reason(error)})") from None
        finally:
            self.abort()

    def abort(self) -> None:
        """Drops what was written; an older file of that name stays. Harmless after `close`."""
        if not self._open:
            return
        self._open = False
        import soundfile

        with suppress(soundfile.SoundFileError, OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _append(self, wave: Wave) -> None:
        import soundfile

        if not np.isfinite(wave).all():
            self.abort()
            raise AudioFileError(f"{self.path}: refusing to write NaN or infinite samples")
        try:
            # In slices: libsndfile's Ogg encoders keep large blocks on the stack.
            for start in range(0, len(wave), BLOCK):
                self._file.write(np.clip(wave[start : start + BLOCK], -1.0, 1.0))
        except (soundfile.SoundFileError, OSError, AssertionError) as error:
            self.abort()  # a short write is an AssertionError in soundfile
            raise AudioFileError(
                f"{self.path}: writing stopped ({_reason(error) or 'short write'}); "
                "is the disk full?"
            ) from None


def load_audio(path: str | Path) -> tuple[Wave, int]:
    """The whole file as (C, T) float32 and its sample rate in Hz."""
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.channel_blocks()), axis=1), reader.sample_rate


def load_mono(path: str | Path, sample_rate: int | None = None) -> tuple[Wave, int]:
    """The whole file averaged to mono (T,), resampled to `sample_rate` if one is given."""
    with AudioReader(path) as reader:
        wave, rate = np.concatenate(list(reader)), reader.sample_rate
    if sample_rate is None or sample_rate == rate:
        return wave, rate
    return resample(wave, rate, sample_rate), sample_rate


def save_audio(path: str | Path, wave: Wave, sample_rate: int, subtype: str | None = None) -> None:
    """Writes mono (T,) or (1, T) float32; format by extension, temporary name first."""
    if wave.ndim == 2 and wave.shape[0] == 1:
        wave = wave[0]
    if wave.ndim != 1:
        raise AudioFileError(f"{path}: expected a mono wave (T,), got shape {wave.shape}")
    with AudioWriter(path, sample_rate, subtype) as writer:
        writer.write(wave)


def check_writable(path: str | Path, sources: Iterable[str | Path] = ()) -> AudioFormat:
    """The format of an output path, or the sentence that says why it cannot be written.

    sources: files that are read meanwhile; none of them may be the output.
    """
    path = Path(path)
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(sorted(WRITABLE))
        got = f'got "{path.suffix}"' if path.suffix else "got none"
        raise AudioFileError(f"{path}: expected an output extension among {known}; {got}")
    _check_folder(path)
    if path.is_dir():
        raise AudioFileError(f"{path}: expected a file to write, got a folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise AudioFileError(f"{path}: the file is read-only; choose another name")
    for source in map(Path, sources):
        if path.exists() and source.exists() and path.samefile(source):
            raise AudioFileError(f"{path} is the source itself; choose another output")
    return kind


def make_folder(path: str | Path) -> None:
    """Makes a folder for outputs, and those above it; one that is there is fine."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(
            f"{path}: the folder cannot be made ({_reason(error)}); choose another place"
        ) from None


def _check_folder(path: Path) -> None:
    """That the folder of an output path is there, and is one."""
    folder = path.parent
    if folder.is_dir():
        return
    if any(above.is_file() for above in (folder, *folder.parents)):
        raise AudioFileError(f'{path}: part of "{folder}" is a file, not a folder; choose another')
    raise AudioFileError(f'{path}: the folder "{folder}" does not exist; make it first')


def _open_to_read(path: Path) -> Any:
    """The soundfile, or the sentence that says what is wrong with it."""
    import soundfile

    if not path.exists():
        raise AudioFileError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise AudioFileError(f"{path}: expected an audio file, got a folder")
    try:
        size = path.stat().st_size
        if size == 0:
            raise AudioFileError(f"{path}: expected audio, but the file is empty (0 bytes)")
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioFileError(
            f"{path}: not an audio file this program can read ({_reason(error)}); expected WAV, "
            "FLAC, OGG, Opus or MP3, whole and not renamed from something else"
        ) from None
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be read ({_reason(error)})") from None
    if file.frames == 0:
        file.close()
        raise AudioFileError(f"{path}: expected audio, but the file holds no samples")
    missing = _missing_bytes(path, size)
    if missing:
        file.close()
        raise AudioFileError(
            f"{path}: the file is cut short: its header announces {missing} bytes more than there "
            "are; copy or export it again"
        )
    return file


def _missing_bytes(path: Path, size: int) -> int:
    """How much of a WAV's data chunk is missing; libsndfile shortens such files without a word.

    Streamed WAVs, whose header was never completed (0 or near 2^32), count as whole.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return 0
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                streamed = length >= 0x7FFF_0000
                return 0 if streamed else max(0, file.tell() + length - size)
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _temporary_beside(path: Path) -> Path:
    """A new empty file in the same folder, so that the final rename stays on one disk.

    Its name tells whose it is, so that what a crash leaves behind can be known as such.
    """
    temporary = path.parent / f".{path.stem[:64]}-{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        temporary.open("xb").close()
    except OSError as error:
        raise AudioFileError(
            f"{path}: cannot be written ({_reason(error)}); choose a folder you may write to"
        ) from None
    return temporary


def _nearest_rate(sample_rate: int, rates: tuple[int, ...]) -> int:
    """The lowest rate that loses nothing, else the highest there is."""
    if not rates or sample_rate in rates:
        return sample_rate
    return min((r for r in rates if r > sample_rate), default=max(rates))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".")
