"""Draws docs/figures/content.png: what the phonetic encoder hears of a frame, and its disguises.

The recording is the packaged one, the disguises are those of the training; no weights are needed.
Run from the repository root: python -m docs.figures.content
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from core.audio import load_mono
from core.config import AudioConfig, ContentConfig
from core.content.phonetic import PhoneticEncoder
from core.mel import frame_wave, mel_filters
from docs.figures.png import save_png
from offline.augment import SpectralAugment

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

DEMO = Path(__file__).parents[2] / "core" / "assets" / "demo.flac"
AUDIO, CONFIG = AudioConfig(), ContentConfig()
FRAME_MS = 1000 / AUDIO.frame_rate
START, FRAMES = 60, 190  # the excerpt
SEED = 3


def draw_reach(axes: Axes) -> None:
    """The inputs of each layer that reach the units of frame 0, from the top down."""
    layers = [(f"dilation {d}", d) for d in reversed(CONFIG.dilations)] + [("entry", 1)]
    reached = {CONFIG.lookahead_frames}  # the network speaks late: this is the delay
    rows = ["units"]
    axes.plot([f * FRAME_MS for f in reached], [0], "o", color="#c0392b", ms=5)
    for row, (name, dilation) in enumerate(layers, start=1):
        reached = {f - k * dilation for f in reached for k in range(CONFIG.kernel)}
        frames = np.array(sorted(reached))
        axes.plot(frames * FRAME_MS, np.full(len(frames), row), "o", color="#3b7dd8", ms=2.2)
        rows.append(name)
    overhang = (CONFIG.n_fft - AUDIO.hop_length) / 2 / AUDIO.hop_length
    left, right = min(reached) - overhang, CONFIG.lookahead_frames + 1 + overhang
    bottom = len(rows)
    axes.barh(bottom, (right - left) * FRAME_MS, left=left * FRAME_MS, color="0.75", height=0.7)
    rows.append("samples")
    axes.axvspan(0, FRAME_MS, color="#e08a1e", alpha=0.35, lw=0)
    axes.axvspan(FRAME_MS, right * FRAME_MS, color="#c0392b", alpha=0.10, lw=0)
    ahead = (right - 1) * FRAME_MS
    axes.text(right * FRAME_MS + 6, 1.5, f"frame 0 waits\n{ahead:.1f} ms", fontsize=8, va="center")
    axes.set_xlim((left - 2) * FRAME_MS, 195)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("ms from the start of frame 0")
    axes.set_title(
        f"What the units of one frame hear: {-min(reached)} frames back, "
        f"{CONFIG.lookahead_frames} ahead, and half a window's overhang"
    )


def disguises(encoder: PhoneticEncoder) -> list[tuple[str, Tensor]]:
    """Title and bands (frames, n_bands) of the excerpt."""
    wave, _ = load_mono(DEMO, AUDIO.sample_rate)
    excerpt = torch.from_numpy(wave)[None, START * AUDIO.hop_length :]
    excerpt = excerpt[:, : FRAMES * AUDIO.hop_length]
    power = encoder.power(frame_wave(excerpt, CONFIG.n_fft, AUDIO.hop_length))
    warped = torch.from_numpy(
        mel_filters(
            AUDIO.sample_rate, CONFIG.n_fft, CONFIG.n_bands, CONFIG.f_min, CONFIG.f_max, 1.2
        )
    )
    augment = SpectralAugment(AUDIO, CONFIG, [])
    generator = torch.Generator().manual_seed(SEED)
    heard = augment.power(power.clone(), generator)
    drawn = augment.mask(encoder.bands(heard, augment.filters(1, generator)), generator)
    return [
        ("As recorded", encoder.bands(power)[0]),
        ("As from a vocal tract 1.2 times as long", encoder.bands(power, warped)[0]),
        ("One draw of everything", drawn[0]),
    ]


@torch.inference_mode()
def main() -> None:
    encoder = PhoneticEncoder(AUDIO, CONFIG)
    figure = plt.figure(figsize=(10, 6.6), dpi=90, layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1.15, 1])
    draw_reach(figure.add_subplot(grid[0, :]))
    for column, (title, bands) in enumerate(disguises(encoder)):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(
            bands.T.numpy(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-2.5,
            vmax=2.5,
            extent=(0, FRAMES / AUDIO.frame_rate, 0, CONFIG.n_bands),
        )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("s")
        axes.set_ylabel("band" if column == 0 else "")
    save_png(figure, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
