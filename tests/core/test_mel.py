"""Mel filters as librosa makes them, frames centred where they lie, log-mel values as known."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from core.config import AudioConfig, MelConfig
from core.mel import LogMel, frame_wave, hz_to_mel, mel_filters, mel_to_hz
from tests.toy import speechlike

AUDIO, MEL = AudioConfig(), MelConfig()


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (44_100, 2048, 128, 40.0, 16_000.0),
        (44_100, 1024, 80, 60.0, 7600.0),
        (16_000, 512, 8, 0, 8e3),
    ],
)
def test_filters_are_librosas(
    rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from librosa.filters import mel

    wanted = mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max)
    np.testing.assert_allclose(
        mel_filters(rate, n_fft, n_mels, f_min, f_max), wanted, rtol=1e-5, atol=1e-6 * wanted.max()
    )


def test_the_scale_and_its_inverse() -> None:
    hz = np.array([0.0, 60.0, 999.0, 1000.0, 1001.0, 6400.0, 16_000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-9)
    assert hz_to_mel(np.array([1000.0, 6400.0])) == pytest.approx([15.0, 42.0])


def test_warp_moves_the_filters() -> None:
    plain = mel_filters(44_100, 1024, 80, 60.0, 7600.0)
    warped = mel_filters(44_100, 1024, 80, 60.0, 7600.0, warp=1.25)
    centres = [np.arange(513) @ bank[40] / bank[40].sum() for bank in (plain, warped)]
    assert centres[1] / centres[0] == pytest.approx(1.25, rel=0.01)


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 5120])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_frames_cover_any_length(samples: int, mode: str) -> None:
    windows = frame_wave(torch.ones(1, samples), 2048, 512, mode)
    assert windows.shape == (1, math.ceil(samples / 512), 2048)


def test_a_window_is_centred_in_its_frame() -> None:
    wave = torch.arange(5120.0)[None]
    windows = frame_wave(wave, 1024, 512)
    assert windows[0, 3, 512] == 3 * 512 + 256
    assert windows[0, 0, :256].abs().sum() == 0


def test_log_mel_is_natural_log_of_magnitude() -> None:
    log_mel = LogMel(AUDIO, MEL)
    wave = torch.from_numpy(speechlike(20_000))[None]
    mel = log_mel(wave)
    assert mel.shape == (1, 128, 40)
    louder = log_mel(2 * wave)
    loud = mel > -8
    torch.testing.assert_close(
        louder[loud] - mel[loud], torch.full_like(mel[loud], math.log(2)), rtol=0, atol=1e-4
    )
    silent = log_mel(torch.zeros(1, 2000))
    torch.testing.assert_close(silent, torch.full_like(silent, math.log(MEL.floor)))


def test_a_tone_lands_in_its_band() -> None:
    t = torch.arange(10_000) / AUDIO.sample_rate
    mel = LogMel(AUDIO, MEL)(torch.sin(2 * torch.pi * 1000 * t)[None])[0, :, 10]
    edges = np.linspace(*hz_to_mel(np.array([MEL.f_min, MEL.f_max])), MEL.n_mels + 2)
    centre = mel_to_hz(edges)[1:-1][int(mel.argmax())]
    assert centre == pytest.approx(1000, rel=0.03)
