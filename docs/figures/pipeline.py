"""Draws the pipeline of the README: one core, two drivers.

python -m docs.figures.pipeline
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

CORE, DRIVER, SOUND = "#dce9f5", "#f6e3cf", "#e3efdc"


def box(ax: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    ax.add_patch(
        plt.Rectangle((x, y), width, 1.0, facecolor=colour, edgecolor="#333333", linewidth=1.2)
    )
    ax.text(x + width / 2, y + 0.5, text, ha="center", va="center", fontsize=9)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "lw": 1.2, "color": "#333333"})


def main() -> None:
    figure, ax = plt.subplots(figsize=(11, 4.2))
    box(ax, 0.0, 2.0, 1.3, "wave\n44.1 kHz", SOUND)
    box(ax, 2.2, 3.2, 2.6, "content: what is said\n64 units, causal network", CORE)
    box(ax, 2.2, 2.0, 2.6, "f0 and voicing\nautocorrelation, tracked", CORE)
    box(ax, 2.2, 0.8, 2.6, "loudness", CORE)
    box(ax, 5.7, 2.0, 2.3, "diffusion\nprior + causal WaveNet", CORE)
    box(ax, 8.9, 2.0, 2.0, "source-filter\nvocoder", CORE)
    box(ax, 11.8, 2.0, 1.3, "wave\nof the target", SOUND)
    box(
        ax,
        2.2,
        -0.9,
        4.4,
        "realtime: microphone, rings, worker, speaker\none block of 35 ms at a time",
        DRIVER,
    )
    box(
        ax,
        7.4,
        -0.9,
        4.4,
        "offline: files, folders, training\nthe same code in long blocks",
        DRIVER,
    )
    for y in (3.7, 2.5, 1.3):
        arrow(ax, (1.3, 2.5), (2.2, y))
        arrow(ax, (4.8, y), (5.7, 2.5))
    arrow(ax, (8.0, 2.5), (8.9, 2.5))
    arrow(ax, (10.9, 2.5), (11.8, 2.5))
    ax.text(5.25, 4.45, "conditions, one set a frame of 11.6 ms", ha="center", fontsize=9)
    ax.text(8.45, 3.2, "mel", ha="center", fontsize=9)
    ax.text(
        6.6,
        0.35,
        "every part carries its state: blocks join without a seam",
        ha="center",
        fontsize=9,
    )
    ax.set_xlim(-0.2, 13.3)
    ax.set_ylim(-1.2, 4.8)
    ax.axis("off")
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
