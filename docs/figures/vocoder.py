"""Draws docs/figures/vocoder.png: excitation, filter and output of an untrained SourceFilter.

The mel is that of a vowel given by its formants, so no weights and no recording are needed.
Run from the repository root: python -m docs.figures.vocoder
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import AudioConfig, MelConfig, VocoderConfig
from core.mel import mel_filters
from core.vocoder.source_filter import SourceFilter
from docs.figures.png import save_png

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

AUDIO, MEL, VOCODER = AudioConfig(), MelConfig(), VocoderConfig()
HOP, RATE = AUDIO.hop_length, AUDIO.sample_rate
FORMANTS = [(700.0, 110.0), (1200.0, 120.0), (2600.0, 180.0)]  # Hz, width
FORMANTS += [(hz, 250.0) for hz in range(3500, 20_000, 1000)]  # a tube's, up to Nyquist
BLUE, RED, ORANGE = "#3b7dd8", "#c0392b", "#e08a1e"


def vowel(hz: NDArray[np.float64], shift: float = 1.0) -> NDArray[np.float64]:
    """Magnitude of an a-like vowel: resonances over a falling slope. shift: of the formants."""
    gain = np.ones_like(hz)
    for centre, width in FORMANTS:
        f0, half = centre * shift, width / 2
        s = 2j * np.pi * hz
        poles = 2 * np.pi * (-half + 1j * f0)
        gain = gain * np.abs(poles) ** 2 / np.abs((s - poles) * (s - poles.conjugate()))
    return 0.1 * gain / (1 + hz / 500.0)


def mel_of(magnitude: NDArray[np.float64]) -> Tensor:
    """Log mel (M,) of unit white noise through a filter of this magnitude."""
    filters = mel_filters(RATE, MEL.n_fft, MEL.n_mels, MEL.f_min, MEL.f_max)
    energy = np.hanning(MEL.win_length + 1)[:-1] ** 2
    bands = filters @ (magnitude * np.sqrt(energy.sum()))
    return torch.from_numpy(np.log(np.maximum(bands, MEL.floor)).astype(np.float32))


def draw_excitation(axes: Axes, vocoder: SourceFilter) -> None:
    f0 = torch.full((1, 7), 125.0)
    voiced = torch.tensor([[True] * 4 + [False] * 3])
    pulses, _ = vocoder.source(f0, voiced)
    noise = vocoder.tape.frames(0, 7).transpose(1, 2).reshape(-1)
    ms = 1000 * np.arange(7 * HOP) / RATE
    axes.plot(ms, pulses[0] / 14 + 1.35, color=BLUE, lw=0.9)
    axes.plot(ms, noise / 9 - 0.1, color="0.55", lw=0.5)
    window = vocoder.window.numpy()
    for i in range(13):
        left = i * vocoder.step
        axes.plot(ms[left : left + HOP], 0.65 * window - 1.75, lw=1, color=ORANGE if i % 2 else RED)
    axes.set_yticks([-1.45, -0.1, 1.35], ["segments", "noise", "pulses"], rotation=90, va="center")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("ms")
    axes.set_title("Excitation: voiced, then not")


def draw_filter(axes: Axes, vocoder: SourceFilter, magnitude: NDArray[np.float64]) -> None:
    mel = mel_of(magnitude)
    hz = np.linspace(0, RATE / 2, vocoder.bins)
    log_gain = (mel - vocoder.level) @ vocoder.from_mel
    to_db = 20 / np.log(10)
    exact = np.linspace(0, RATE / 2, MEL.n_fft // 2 + 1)
    axes.plot(exact / 1000, 20 * np.log10(magnitude), color="0.7", lw=3, label="the vowel")
    axes.plot(hz / 1000, to_db * log_gain.numpy(), color=RED, lw=1.1, label="read off its mel")
    axes.set_xlim(0, 8)
    axes.set_ylim(-65, 0)
    axes.set_xlabel("kHz")
    axes.set_ylabel("gain, dB")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("Filter")


def draw_impulse(axes: Axes, vocoder: SourceFilter, magnitude: NDArray[np.float64]) -> None:
    log_gain = (mel_of(magnitude) - vocoder.level) @ vocoder.from_mel
    size = VOCODER.n_fft
    cepstrum = torch.fft.irfft(log_gain, n=size) * vocoder.fold
    minimum = torch.fft.irfft(torch.exp(torch.fft.rfft(cepstrum)), n=size)
    zero = torch.fft.irfft(torch.exp(log_gain).to(torch.complex64), n=size)
    scale = float(minimum.abs().max())
    ms = 1000 * (np.arange(size) - size // 2) / RATE
    axes.plot(ms, np.roll(zero, size // 2) / scale + 1.3, color="0.5", lw=1, label="zero phase")
    axes.plot(ms, np.roll(minimum, size // 2) / scale, color=RED, lw=1, label="minimum phase")
    axes.axvline(0, color="0.8", lw=0.8, zorder=0)
    axes.set_xlim(-6, 8)
    axes.set_ylim(-1.1, 3.0)
    axes.set_yticks([])
    axes.set_xlabel("ms from the pulse")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.set_title("Its answer to one pulse")


def draw_output(axes: Axes, vocoder: SourceFilter) -> None:
    frames = 120
    hz = np.linspace(0, RATE / 2, MEL.n_fft // 2 + 1)
    glide = np.linspace(0.85, 1.2, frames)
    mel = torch.stack([mel_of(vowel(hz, s)) for s in glide], 1)[None]
    f0 = torch.from_numpy(150 + 60 * np.sin(np.linspace(0, 2 * np.pi, frames)))[None].float()
    voiced = (torch.arange(frames) < 85)[None]
    wave, _ = vocoder(mel, f0, voiced)
    spectra = np.abs(np.fft.rfft(wave[0].unfold(0, 1536, 256).numpy() * np.hanning(1536)))
    level = 20 * np.log10(spectra.T + 1e-6)
    top = int(5000 / (RATE / 1536))
    axes.imshow(
        level[:top],
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=level.max() - 65,
        vmax=level.max(),
        extent=(0, wave.shape[1] / RATE, 0, 5),
    )
    axes.set_xlabel("s")
    axes.set_ylabel("kHz")
    axes.set_title("Output: pitch and formants glide, whisper from 1 s")


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    vocoder = SourceFilter(AUDIO, MEL, VOCODER).eval()
    torch.nn.init.zeros_(vocoder.head.weight)  # the small random start, without its randomness
    vocoder.head.bias.view(2, 3, -1)[:, 2] = -np.log(4)  # what a vowel teaches: noise 12 dB down
    magnitude = vowel(np.linspace(0, RATE / 2, MEL.n_fft // 2 + 1))
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.2), dpi=90, layout="constrained")
    draw_excitation(axes[0, 0], vocoder)
    draw_filter(axes[0, 1], vocoder, magnitude)
    draw_impulse(axes[1, 0], vocoder, magnitude)
    draw_output(axes[1, 1], vocoder)
    save_png(figure, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
