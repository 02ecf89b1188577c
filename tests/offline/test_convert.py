"""Whole files: exact durations, what is refused, and the old file that stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import load_mono
from core.config import F0Config, StreamConfig, VoiceParams
from core.errors import AudioFileError, ConfigError
from core.pipeline import convert
from core.voice import VoiceModel
from offline.convert import Converted, convert_file, file_stream, plan_targets, whole_shift
from tests.toy import TOY, needs_pyworld, speechlike, toy_voice

RATE = 44_100


@pytest.fixture(scope="module")
def voice() -> VoiceModel:
    return toy_voice()


def write(path: Path, seconds: float = 0.3, rate: int = RATE, channels: int = 1) -> Path:
    wave = speechlike(round(seconds * rate), sample_rate=rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.repeat(wave[:, None], channels, 1), rate, subtype="FLOAT")
    return path


def run(voice: VoiceModel, source: Path, target: Path, like_live: bool = False) -> Converted:
    return convert_file(voice, source, target, VoiceParams(), StreamConfig(), like_live)


@pytest.mark.parametrize("like_live", [False, True], ids=["long blocks", "like live"])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 192_000])
def test_duration_is_exact(
    voice: VoiceModel, tmp_path: Path, rate: int, channels: int, like_live: bool
) -> None:
    source = write(tmp_path / "in.wav", 0.3137, rate, channels)
    done = run(voice, source, tmp_path / "out.wav", like_live)
    info = soundfile.info(tmp_path / "out.wav")
    samples = soundfile.info(source).frames
    assert info.samplerate == RATE
    assert info.channels == 1
    assert info.frames == round(samples * RATE / rate)
    assert done.seconds == pytest.approx(samples / rate)
    assert np.abs(load_mono(tmp_path / "out.wav")[0]).max() > 0.003


@pytest.mark.parametrize("samples", [1, 100, 511, 2048, 2049, 131_072, 131_073])
@pytest.mark.parametrize("like_live", [False, True], ids=["long blocks", "like live"])
def test_it_is_what_convert_says(
    voice: VoiceModel, tmp_path: Path, samples: int, like_live: bool
) -> None:
    """Also for files shorter than the latency, and where blocks end with the file."""
    wave = speechlike(samples)
    soundfile.write(tmp_path / "in.wav", wave, RATE, subtype="FLOAT")
    run(voice, tmp_path / "in.wav", tmp_path / "out.wav", like_live)
    made, _ = load_mono(tmp_path / "out.wav")
    shift = None if like_live else whole_shift(voice, tmp_path / "in.wav", (1.0,))
    wanted = convert(voice, wave, VoiceParams(pitch_shift=shift))
    assert made.shape == wanted.shape
    np.testing.assert_allclose(made, wanted, atol=1.1 / 32768)  # the file has 16 bits


@pytest.mark.parametrize("like_live", [False, True], ids=["long blocks", "like live"])
def test_with_a_windowed_f0(tmp_path: Path, like_live: bool) -> None:
    needs_pyworld()
    source = write(tmp_path / "in.wav")
    voice = toy_voice(f0=F0Config(estimator="dio"))
    run(voice, source, tmp_path / "out.wav", like_live)
    assert soundfile.info(tmp_path / "out.wav").frames == soundfile.info(source).frames


def test_silence_stays_silence_and_clipping_is_counted(voice: VoiceModel, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), RATE)
    assert run(voice, tmp_path / "silent.wav", tmp_path / "out.wav").clipped == 0
    assert not load_mono(tmp_path / "out.wav")[0].any()
    soundfile.write(tmp_path / "loud.wav", np.sign(speechlike(9000)), RATE)
    assert run(voice, tmp_path / "loud.wav", tmp_path / "out.wav").clipped > 8000


def test_progress_rises_to_one(voice: VoiceModel, tmp_path: Path) -> None:
    source, seen = write(tmp_path / "in.wav", 4.0), []
    convert_file(
        voice, source, tmp_path / "out.wav", VoiceParams(), StreamConfig(), progress=seen.append
    )
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_nan_is_refused_and_the_old_output_stays(voice: VoiceModel, tmp_path: Path) -> None:
    wave = speechlike(RATE)
    wave[40_000] = np.nan
    soundfile.write(tmp_path / "nan.wav", wave, RATE, subtype="FLOAT")
    old = write(tmp_path / "out.wav", 0.1)
    before = old.read_bytes()
    with pytest.raises(AudioFileError, match="NaN or infinite"):
        run(voice, tmp_path / "nan.wav", old)
    assert old.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nan.wav", "out.wav"]


def test_a_wrong_setting_keeps_the_old_output(voice: VoiceModel, tmp_path: Path) -> None:
    source, old = write(tmp_path / "in.wav"), write(tmp_path / "out.wav", 0.1)
    before = old.read_bytes()
    with pytest.raises(ConfigError, match="speaker 5 does not exist"):
        convert_file(voice, source, old, VoiceParams(speakers=(0,) * 5 + (1,)), StreamConfig())
    assert old.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav", "out.wav"]


@pytest.mark.parametrize("name", ["in.wav", "link.wav", "sub/../in.wav"])
def test_the_source_itself_is_refused(voice: VoiceModel, tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "in.wav")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.wav").symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(AudioFileError, match="is the source itself; choose another output"):
        run(voice, source, tmp_path / name)
    assert source.read_bytes() == before


def test_missing_source_leaves_no_target(voice: VoiceModel, tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="no such file"):
        run(voice, tmp_path / "gone.wav", tmp_path / "out.wav")
    assert not list(tmp_path.iterdir())


def test_one_file_goes_where_it_is_told(tmp_path: Path) -> None:
    a = write(tmp_path / "a.wav")
    assert plan_targets([a], tmp_path / "out.flac") == [(a, tmp_path / "out.flac")]
    assert plan_targets([a], tmp_path) == [(a, tmp_path / "a.wav")]


def test_several_files_go_into_a_folder(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.wav"), write(tmp_path / "b.flac.wav")
    out = tmp_path / "out"
    assert plan_targets([a, b], out) == [(a, out / "a.wav"), (b, out / "b.flac.wav")]
    with pytest.raises(AudioFileError, match=r"a\.wav is a file; 2 sources need a folder"):
        plan_targets([a, b], a)


def test_a_folder_keeps_its_shape(tmp_path: Path) -> None:
    source = tmp_path / "in"
    files = [write(source / name) for name in ("a.wav", "deep/er/b.WAV")]
    (source / "notes.txt").write_text("no audio")
    out = tmp_path / "out"
    assert plan_targets([source], out) == [
        (files[0], out / "a.wav"),
        (files[1], out / "deep/er/b.WAV"),
    ]


def test_a_folder_with_one_file_still_makes_a_folder(tmp_path: Path) -> None:
    a = write(tmp_path / "in" / "a.wav")
    assert plan_targets([tmp_path / "in"], tmp_path / "out") == [(a, tmp_path / "out" / "a.wav")]


def test_what_cannot_be_planned(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match=r"no audio in folder .*empty; expected .*wav"):
        plan_targets([tmp_path / "empty"], tmp_path / "out")
    twins = [write(tmp_path / "x" / "a.wav"), write(tmp_path / "y" / "a.wav")]
    with pytest.raises(AudioFileError, match=r"several sources would become .*a\.wav"):
        plan_targets(twins, tmp_path / "out")


def test_an_unknown_format_becomes_wav(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.wav"), tmp_path / "b.aiff"
    assert plan_targets([a, b], tmp_path / "out")[1] == (b, tmp_path / "out" / "b.wav")


def test_an_automatic_shift_hears_the_whole_file_first(voice: VoiceModel, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", 3.0, rate=22_050, channels=2)
    low, high = (whole_shift(voice, source, speakers) for speakers in ((1.0,), (0.0, 1.0)))
    assert low is not None
    assert high is not None
    assert low == pytest.approx(12 * np.log2(110 / 150), abs=2)  # it glides around 150 Hz
    assert high - low == pytest.approx(12)
    middle = whole_shift(voice, source, (1.0, 1.0))
    assert middle == pytest.approx(low + 6)
    run(voice, source, tmp_path / "auto.wav")
    fixed = VoiceParams(pitch_shift=low)
    convert_file(voice, source, tmp_path / "fixed.wav", fixed, StreamConfig())
    assert (tmp_path / "auto.wav").read_bytes() == (tmp_path / "fixed.wav").read_bytes()


def test_a_file_without_a_voice_has_no_median(voice: VoiceModel, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), RATE)
    assert whole_shift(voice, tmp_path / "silent.wav", (1.0,)) is None


def test_blocks_are_as_long_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, frames in ((8 << 30, 256), (1 << 27, 83), (1 << 20, 16)):
        monkeypatch.setattr("offline.convert.free_bytes", lambda device, free=free: free)
        assert file_stream(TOY, StreamConfig()).block_frames == frames
