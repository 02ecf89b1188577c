"""Mel filter banks and the log-mel spectrogram that denoiser and vocoder share."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import AudioConfig, MelConfig

# The Slaney mel scale: linear to 1 kHz (200/3 Hz a mel), then 27 mels a factor of 6.4.
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney mel of frequencies in Hz."""
    high = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, high)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    high = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, high)


def mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    warp: float | NDArray[np.float64] = 1.0,
) -> NDArray[np.float32]:
    """Triangular filters of unit area (Slaney), as librosa's `filters.mel` makes them.

    warp: factor on the filters' frequencies (vocal-tract warp; 1 is none), or one for each of the
    n_mels + 2 edges.
    Returns (n_mels, n_fft // 2 + 1).
    """
    limits = hz_to_mel(np.array([f_min, f_max], dtype=np.float64))
    edges = mel_to_hz(np.linspace(limits[0], limits[1], n_mels + 2)) * warp
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    slopes = edges[:, None] - bins[None, :]
    width = np.diff(edges)
    rising = -slopes[:-2] / width[:-1, None]
    falling = slopes[2:] / width[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return (filters * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def band_smoothing(bands: int, window: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bands, bands): each band's mean with its neighbours, weighted by a window of odd length; the
    edges' own repeated."""
    reach = np.arange(len(window)) - len(window) // 2
    matrix = np.zeros((bands, bands))
    for band in range(bands):
        np.add.at(matrix[band], np.clip(band + reach, 0, bands - 1), window / window.sum())
    return matrix


def frame_wave(wave: Tensor, size: int, hop: int, mode: str = "constant") -> Tensor:
    """(B, T) -> (B, frames, size): window i is centred in frame i, frames = ceil(T / hop)."""
    frames = -(-wave.shape[-1] // hop)
    left = (size - hop) // 2
    right = (frames - 1) * hop + size - left - wave.shape[-1]
    if mode == "reflect" and wave.shape[-1] <= max(left, right):
        mode = "constant"  # too short to mirror
    return F.pad(wave[:, None], (left, right), mode=mode)[:, 0].unfold(-1, size, hop)


class LogMel(nn.Module):
    """Natural log of the mel magnitudes, on the frame grid of the public NSF-HiFiGAN weights."""

    filters: Tensor
    window: Tensor

    def __init__(self, audio: AudioConfig, mel: MelConfig) -> None:
        super().__init__()
        self.audio, self.mel = audio, mel
        filters = mel_filters(audio.sample_rate, mel.n_fft, mel.n_mels, mel.f_min, mel.f_max)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        self.register_buffer("window", torch.hann_window(mel.win_length), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """wave: (B, T) in [-1, 1] -> (B, M, frames), frames = ceil(T / hop_length)."""
        windows = frame_wave(wave, self.mel.win_length, self.audio.hop_length, "reflect")
        spectrum = torch.fft.rfft(windows * self.window, n=self.mel.n_fft).abs()
        # (B, frames, bins) @ (bins, M) -> (B, M, frames)
        mel = (spectrum @ self.filters.T).transpose(1, 2)
        return torch.log(mel.clamp(min=self.mel.floor))
