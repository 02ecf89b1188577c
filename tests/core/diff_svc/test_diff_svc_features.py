"""Features of diff-svc as the original makes them: mel, alignment, pitch, slices, resampling."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from core.diff_svc.alignment import align, energy, gather_units
from core.diff_svc.config import MelFormat
from core.diff_svc.mel import MelFrontEnd
from core.diff_svc.pitch import coarse_pitch, log_pitch, pitch_hz, shift_pitch
from core.diff_svc.slicer import SlicerConfig, slice_at_silence
from core.errors import ConfigError
from core.kaiser_best import resample_kaiser_best
from tests.golden import GOLDEN, arrays, distance, needs_golden, tensor
from tests.toy import speechlike

MEL24 = MelFormat("hifigan", 24_000, 512, 512, 128, 80, 30.0, 12_000.0, 1e-6)


@needs_golden
@pytest.mark.parametrize(
    ("kind", "key_shift", "wanted"),
    [
        ("nsf", 0, "mono44_mel"),
        ("openvpi", 0, "mono44_mel_ln_openvpi"),
        ("openvpi", 3, "mono44_mel_ln_openvpi_shift3"),
        ("diffusion_svc", 0, "mono44_mel_ln_diffsvc"),
    ],
)
def test_mel_at_44_khz(kind: str, key_shift: float, wanted: str) -> None:
    """Near its floor a logarithm shows how an FFT rounds, which differs between processors."""
    io = arrays("functions")
    made = MelFrontEnd(MelFormat(kind))(tensor(io["mono44_wav"])[None], key_shift)
    assert distance(made[0].T, io[wanted]) < 1e-4
    base = 10.0 if kind == "nsf" else np.e
    assert distance(base ** made[0].T, base ** io[wanted]) < 1e-6


@needs_golden
def test_mel_at_24_khz() -> None:
    wave, _ = soundfile.read(GOLDEN / "functions" / "mono24.wav", dtype="float32")
    made = MelFrontEnd(MEL24)(torch.from_numpy(wave)[None])
    assert distance(made[0].T, arrays("functions")["mono24_mel"]) < 1e-6


@needs_golden
def test_a_stereo_file_is_heard_left_and_as_its_mean() -> None:
    io = arrays("functions")
    wave, rate = soundfile.read(GOLDEN / "functions" / "stereo48.wav", dtype="float32")
    left = resample_kaiser_best(wave[:, 0], rate, 44_100)
    assert distance(left, io["stereo48_wav44"]) < 1e-6
    assert distance(resample_kaiser_best(wave.mean(1), rate, 16_000), io["stereo48_mono16"]) < 1e-6
    made = MelFrontEnd(MelFormat())(torch.from_numpy(left)[None])
    assert distance(made[0].T, io["stereo48_mel"]) < 1e-4


@pytest.mark.parametrize("samples", [1, 511, 700, 2048, 5000])
@pytest.mark.parametrize("form", [MelFormat(), MEL24, MelFormat("openvpi")])
def test_a_mel_has_as_many_frames_as_its_format_says(form: MelFormat, samples: int) -> None:
    made = MelFrontEnd(form)(torch.from_numpy(speechlike(samples))[None])
    assert made.shape[2] == form.frames(samples)
    assert torch.isfinite(made).all()


def test_only_natural_log_mels_shift_their_key() -> None:
    with pytest.raises(ConfigError, match="nsf front end has no key shift, got 3"):
        MelFrontEnd(MelFormat())(torch.zeros(1, 4000), 3.0)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44_100, 16_000), (16_000, 44_100), (8, 9)])
def test_resampling_keeps_a_tone(rate_in: int, rate_out: int) -> None:
    t_in, t_out = np.arange(4000) / rate_in, np.arange(-(-4000 * rate_out // rate_in)) / rate_out
    tone = 0.1 * rate_in
    made = resample_kaiser_best(
        np.sin(2 * np.pi * tone * t_in).astype(np.float32), rate_in, rate_out
    )
    assert len(made) == len(t_out)
    inner = slice(400, -400)
    np.testing.assert_allclose(made[inner], np.sin(2 * np.pi * tone * t_out)[inner], atol=1e-3)


@needs_golden
def test_alignment() -> None:
    io = arrays("functions")
    made = torch.cat([align(int(frames), int(units)) for frames, units in io["align_pairs"]])
    assert np.array_equal(made.numpy(), io["align_concat"])


def test_units_are_gathered_with_zeros_in_padding() -> None:
    units = torch.arange(6.0).reshape(1, 3, 2)
    made = gather_units(units, torch.tensor([[1, 3, 3, 0]]))
    assert made.tolist() == [[[0, 1], [4, 5], [4, 5], [0, 0]]]


@needs_golden
@pytest.mark.parametrize(
    ("name", "low", "high"), [("nsf", 40, 1100), ("24k", 50, 1100), ("odd", 65, 800)]
)
def test_pitch_bins(name: str, low: float, high: float) -> None:
    io = arrays("functions")
    made = coarse_pitch(tensor(io[f"coarse_{name}_f0"]).float(), 256, low, high)
    assert np.array_equal(made.numpy(), io[f"coarse_{name}_torch"])


@needs_golden
def test_pitch_is_interpolated_in_log2() -> None:
    io = arrays("functions")
    for case in sorted({key[:7] for key in io if key.startswith("interp")}):
        pitch = log_pitch(io[f"{case}_in"].astype(np.float64))
        assert np.array_equal(pitch.log2, io[f"{case}_f0"])
        assert np.array_equal(pitch.unvoiced, io[f"{case}_uv"])
        log2, unvoiced = tensor(pitch.log2), tensor(pitch.unvoiced)
        assert distance(pitch_hz(log2, unvoiced, False), io[f"{case}_denorm"]) < 1e-6
        assert distance(pitch_hz(log2, unvoiced, True), io[f"{case}_denorm_useuv"]) < 1e-6


def test_pitch_above_the_highest_is_held_there_or_lost_as_in_the_original() -> None:
    log2 = torch.tensor([[8.0, 10.0]])
    held = 2 ** shift_pitch(log2, 3.0, 1100.0)
    assert held[0].tolist() == pytest.approx([304.437, 1100.0])
    assert (2 ** shift_pitch(log2, 3.0, 1100.0, exact=True))[0, 1] == 1.0


@needs_golden
def test_slices() -> None:
    folder = GOLDEN / "functions"
    wave, rate = soundfile.read(folder / "slicer4k.wav", dtype="float32")
    for threshold, wanted in json.loads((folder / "slicer4k_chunks.json").read_text()).items():
        chunks = slice_at_silence(wave, rate, SlicerConfig(float(threshold)))
        made = [(f"{c.start},{c.stop}", c.silent) for c in chunks]
        assert made == [(c["split_time"], c["slice"]) for c in wanted.values()]


def test_slices_cover_what_is_short_loud_or_silent() -> None:
    loud = speechlike(8000, sample_rate=1000)
    assert slice_at_silence(loud[:4000], 1000) == [(0, 4000, False)]
    assert [c.silent for c in slice_at_silence(np.zeros(8000, np.float32), 1000)][-1]
    for wave in (loud, np.concatenate([loud, np.zeros(3000, np.float32), loud])):
        chunks = slice_at_silence(wave, 1000)
        assert chunks[0].start == 0
        assert chunks[-1].stop == len(wave)
        assert all(a.stop == b.start for a, b in pairwise(chunks))


def test_energy_is_the_root_of_summed_squares() -> None:
    mel = torch.log(torch.tensor([[[3.0], [4.0]]]))
    assert energy(mel).item() == pytest.approx(5.0)
