"""Files in, files out, what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from core.audio import (
    AudioReader,
    AudioWriter,
    load_audio,
    load_mono,
    save_audio,
)
from core.errors import AudioFileError


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def sine(frequency: float, rate: int, n: int) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(n) / rate).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3"])
def test_every_format_keeps_duration_and_sound(tmp_path: Path, name: str) -> None:
    wave = 0.3 * sine(440, 44_100, 44_100)
    save_audio(tmp_path / name, wave, 44_100)
    back, rate = load_mono(tmp_path / name, 44_100)
    assert rate == 44_100
    assert abs(len(back) - len(wave)) <= (2400 if name.endswith("mp3") else 2)
    middle = back[10_000:30_000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_channels_are_averaged_and_reader_equals_load(tmp_path: Path) -> None:
    wave = np.stack([noise(5000, seed) for seed in range(8)])
    soundfile.write(tmp_path / "eight.wav", wave.T, 8000, subtype="FLOAT")
    whole, rate = load_audio(tmp_path / "eight.wav")
    assert rate == 8000
    np.testing.assert_array_equal(whole, wave)
    with AudioReader(tmp_path / "eight.wav", block=777) as reader:
        mono = np.concatenate(list(reader))
        assert reader.channels == 8
        assert reader.frames == 5000
    np.testing.assert_allclose(mono, wave.mean(axis=0), atol=1e-7)


def test_clipped_samples_are_counted_not_refused(tmp_path: Path) -> None:
    save_audio(tmp_path / "loud.wav", 3 * sine(100, 8000, 8000), 8000)
    with AudioReader(tmp_path / "loud.wav") as reader:
        assert max(abs(block).max() for block in reader) == pytest.approx(1, abs=1e-3)
        assert reader.clipped > 4000


def _bad_files(folder: Path) -> dict[str, Path]:
    good = noise(44_100)
    files = {
        name: folder / name
        for name in (
            "missing.wav",
            "empty.wav",
            "text.wav",
            "zero.wav",
            "nan.wav",
            "cut.wav",
            "cut.flac",
        )
    }
    files["empty.wav"].write_bytes(b"")
    files["text.wav"].write_bytes(b"these are words, not sound\n" * 50)
    soundfile.write(files["zero.wav"], np.zeros(0, np.float32), 44_100)
    soundfile.write(
        files["nan.wav"], np.where(np.arange(44_100) == 22_050, np.nan, good), 44_100, "FLOAT"
    )
    for name in ("cut.wav", "cut.flac"):
        soundfile.write(files[name], good, 44_100)
        files[name].write_bytes(files[name].read_bytes()[:30_000])
    files["folder"] = folder
    return files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "empty"),
        ("text.wav", "not an audio file"),
        ("zero.wav", "no samples"),
        ("nan.wav", r"0\.500 s is NaN or infinite"),
        ("cut.wav", "cut short"),
        ("cut.flac", "ends or is damaged"),
        ("folder", "got a folder"),
    ],
)
def test_bad_input_is_a_sentence(tmp_path: Path, name: str, words: str) -> None:
    path = _bad_files(tmp_path)[name]
    with pytest.raises(AudioFileError, match=words) as caught:
        load_audio(path)
    assert str(path) in str(caught.value)


def test_streamed_wav_with_open_length_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1000), 8000, "PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(bytes(data))
    assert load_audio(tmp_path / "a.wav")[0].shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.xyz", "extension"),
        ("a", "extension"),
        ("no/a.wav", "does not exist"),
        ("dir.wav", "folder"),
    ],
)
def test_bad_output_path_is_a_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "dir.wav").mkdir()
    with pytest.raises(AudioFileError, match=words):
        save_audio(tmp_path / name, noise(10), 8000)
    assert [p.name for p in tmp_path.iterdir()] == ["dir.wav"]


def _write_and_fail(writer: AudioWriter) -> None:
    writer.write(noise(500, 1))
    raise RuntimeError("the work failed")


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    save_audio(path, noise(100), 8000)
    old = path.read_bytes()
    with pytest.raises(RuntimeError), AudioWriter(path, 8000) as writer:
        _write_and_fail(writer)
    with pytest.raises(AudioFileError, match="NaN"), AudioWriter(path, 8000) as writer:
        writer.write(np.full(10, np.nan, np.float32))
    with pytest.raises(AudioFileError, match="cannot write"):
        AudioWriter(path, 8000, subtype="VORBIS")
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
import numpy as np
from core.audio import AudioWriter
from core.errors import AudioFileError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with AudioWriter(sys.argv[1], 44_100) as writer:
        for _ in range(100):
            writer.write(np.zeros(10_000, np.float32))
except AudioFileError as error:
    print(error)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "big.wav")],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=60,
    )
    assert "writing stopped" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
