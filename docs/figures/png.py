"""Small pictures: what the figures that hold spectrograms are saved with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


def save_png(figure: Figure, path: Path) -> None:
    """As a PNG of 64 colours: spectrograms are noise to its compression."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    Image.fromarray(pixels).quantize(64).save(path, optimize=True)
