"""Draws docs/figures/nsf_source.png: the excitation of NSF-HiFiGAN, whole and in blocks.

A real run of the source with mixing weights 1 / h. Run: python -m docs.figures.nsf_source
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from core.vocoder.nsf_source import HarmonicSource, plain_sine

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

RATE, HOP, FRAMES = 44_100, 512, 24
CUT = 11  # frame at which the second block begins


def glide() -> Tensor:
    """f0 in Hz (1, FRAMES): rising, with a gap."""
    f0 = torch.linspace(120, 260, FRAMES)[None].clone()
    f0[:, 5:8] = 0.0
    return f0


def source() -> HarmonicSource:
    made = HarmonicSource(RATE, HOP, 9)
    torch.nn.init.zeros_(made.l_linear.bias)
    made.l_linear.weight.copy_(1 / torch.arange(1, 10)[None])
    return made


def milliseconds(samples: int, first: int = 0) -> np.ndarray:
    return (first + np.arange(samples)) * 1000 / RATE


def draw_wave(axes: Axes, nine: Tensor, f0: Tensor) -> None:
    axes.plot(milliseconds(FRAMES * HOP), nine, color="#3b7dd8", lw=0.5)
    axes.set_ylim(-0.45, 0.45)
    axes.set_ylabel("excitation")
    axes.set_xlabel("ms")
    axes.set_title("Nine sines and noise: soft where voiced, noise in the gap")
    pitch = axes.twinx()
    pitch.step(milliseconds(FRAMES) * HOP, f0.clamp(min=1), where="post", color="#c0392b", lw=1.2)
    pitch.set_ylabel("f0, Hz", color="#c0392b")
    pitch.set_ylim(0, 300)


def draw_seam(axes: Axes, f0: Tensor, made: HarmonicSource) -> None:
    whole, _ = made(f0)
    _, phase = made(f0[:, :CUT])
    carried, _ = made(f0[:, CUT:], phase=phase)
    fresh, _ = made(f0[:, CUT:])
    first, width = CUT * HOP, 700
    around = milliseconds(2 * width, first - width)
    axes.plot(around, whole[0, 0, first - width : first + width], color="0.75", lw=4, label="whole")
    axes.plot(around[width:], carried[0, 0, :width], color="#2a8f5a", lw=1.3, label="carried")
    axes.plot(around[width:], fresh[0, 0, :width], color="#c0392b", lw=1, label="phase from zero")
    axes.set_ylim(-0.3, 0.2)
    axes.axvline(around[width], color="0.4", lw=0.8, ls=":")
    axes.set_xlabel("ms")
    axes.set_title("Where a second block begins")
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    error = float((carried[0, 0] - whole[0, 0, first:]).abs().max())
    print(f"carried against whole: {error:.1e}; from zero: ", end="")
    print(f"{float((fresh[0, 0] - whole[0, 0, first:]).abs().max()):.2f}")


def draw_spectra(axes: Axes, nine: Tensor, one: Tensor) -> None:
    part = slice(14 * HOP, 20 * HOP)
    for wave, rate, label, colour in (
        (nine[part], RATE, "nine sines", "#3b7dd8"),
        (one[14 * 64 : 20 * 64], RATE / 8, "mini-NSF: one", "#e08a1e"),
    ):
        window = np.hanning(len(wave))
        power = np.abs(np.fft.rfft(wave.numpy() * window, 16 * len(wave))) / window.sum() * 2
        axis = np.fft.rfftfreq(16 * len(wave), 1 / rate)
        axes.plot(axis, 20 * np.log10(power + 1e-6), color=colour, lw=1, label=label)
    axes.set_xlim(0, 2750)
    axes.set_ylim(-80, 5)
    axes.set_xlabel("Hz")
    axes.set_ylabel("dB")
    axes.set_title("What the generator is given to shape")
    axes.legend(frameon=False, fontsize=8)


@torch.no_grad()
def main() -> None:
    f0, made = glide(), source()
    noise = torch.randn(1, FRAMES * HOP, 9, generator=torch.Generator().manual_seed(0))
    nine = made(f0, noise=noise)[0][0, 0]
    one = plain_sine(f0, RATE / 8, 64)[0][0, 0]
    figure = plt.figure(figsize=(10, 6.6), layout="constrained")
    grid = figure.add_gridspec(2, 2)
    draw_wave(figure.add_subplot(grid[0, :]), nine, f0[0])
    draw_seam(figure.add_subplot(grid[1, 0]), f0, made)
    draw_spectra(figure.add_subplot(grid[1, 1]), nine, one)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
