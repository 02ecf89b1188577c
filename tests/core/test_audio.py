"""Files in, files out, what is refused; the resampler: exact, aligned, lagging as declared."""

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
    Resampler,
    load_audio,
    load_mono,
    resample,
    save_audio,
)
from core.errors import AudioFileError, ConfigError

RATES = [(48_000, 44_100), (44_100, 48_000), (44_100, 16_000), (8000, 44_100), (192_000, 44_100)]


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def sine(frequency: float, rate: int, n: int) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(n) / rate).astype(np.float32)


# ---- files


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


# ---- resampler


@pytest.mark.parametrize("quality", ["live", "high"])
@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_resampler_whole_equals_chunked_bit_for_bit(
    rate_in: int, rate_out: int, quality: str
) -> None:
    wave = noise(7919)
    resampler = Resampler(rate_in, rate_out, quality)
    whole = np.concatenate([resampler.push(wave), resampler.flush()])
    assert len(whole) == round(7919 * rate_out / rate_in)
    for size in (1, 64, 441, 1023):
        if size == 1 and rate_in != 48_000:
            continue
        parts = [resampler.push(wave[i : i + size]) for i in range(0, len(wave), size)]
        np.testing.assert_array_equal(np.concatenate([*parts, resampler.flush()]), whole)
    resampler.push(wave)
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler.push(wave), resampler.flush()]), whole)


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_impulse_is_not_shifted_and_leaves_after_the_declared_delay(
    rate_in: int, rate_out: int
) -> None:
    resampler = Resampler(rate_in, rate_out, "live")
    at = resampler.down * 5  # lands on output sample up * 5 exactly
    wave = np.zeros(at + resampler.delay + 1, np.float32)
    wave[at] = 1
    before = resampler.push(wave[:-1])
    assert len(before) == resampler.up * 5 == resampler.ready(len(wave) - 1)
    last = resampler.push(wave[-1:])
    assert len(last) >= 1
    out = np.concatenate([before, last, resampler.flush()])
    assert int(np.argmax(np.abs(out))) == resampler.up * 5
    for count in (1, 2, 100, 12_345):
        needed = resampler.needed(count)
        assert resampler.ready(needed) >= count > resampler.ready(needed - 1)


@pytest.mark.parametrize(("quality", "rejection"), [("live", 80), ("high", 100)])
@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 44_100), (44_100, 16_000), (16_000, 44_100)]
)
def test_passband_is_flat_and_aliases_are_gone(
    rate_in: int, rate_out: int, quality: str, rejection: float
) -> None:
    low = min(rate_in, rate_out) / 2
    inside = resample(sine(0.8 * low, rate_in, rate_in), rate_in, rate_out, quality)[2000:-2000]
    place = np.arange(2000, 2000 + len(inside)) / rate_out
    np.testing.assert_allclose(inside, np.sin(2 * np.pi * 0.8 * low * place), atol=1e-3)
    if rate_in > rate_out:
        tones = [f * low for f in (1.01, 1.03, 1.08)]
        out = [resample(sine(f, rate_in, rate_in), rate_in, rate_out, quality) for f in tones]
        level = max(float(np.abs(wave[2000:-2000]).max()) for wave in out)
    else:  # images: what of a tone lies above the old Nyquist
        windowed = inside * np.blackman(len(inside))
        spectrum = np.abs(np.fft.rfft(windowed)) / np.abs(np.fft.rfft(windowed)).max()
        level = float(spectrum[np.fft.rfftfreq(len(inside), 1 / rate_out) > 1.01 * low].max())
    assert 20 * np.log10(level) < -rejection


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(44_100, 44_100)
    wave = noise(1000)
    np.testing.assert_array_equal(resampler.push(wave), wave)
    assert resampler.delay == 0
    assert len(resampler.flush()) == 0


def test_constant_stays_constant_and_tiny_waves_keep_their_length() -> None:
    out = resample(np.ones(4800, np.float32), 48_000, 44_100)
    np.testing.assert_allclose(out[400:-400], 1, atol=1e-5)
    for n in (1, 2, 3, 10):
        assert len(resample(np.ones(n, np.float32), 48_000, 44_100)) == round(n * 44_100 / 48_000)
        assert len(resample(np.ones(n, np.float32), 8000, 44_100)) == round(n * 44_100 / 8000)


def test_unknown_quality_names_the_known() -> None:
    with pytest.raises(ConfigError, match="high, live"):
        Resampler(1, 2, "best")
