"""Spectrograms as PNG, without a plotting library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# dark to light over blue, red and yellow: a few colours, the rest in between
_COLOURS = np.array(
    [[4, 4, 18], [40, 20, 95], [125, 35, 125], [215, 65, 90], [250, 150, 70], [250, 250, 190]]
)


def spectrogram(
    mel: NDArray[np.float32], low: float = -9.0, high: float = 1.5, scale: int = 2
) -> Pixels:
    """Log mel (M, T) -> RGB (scale * M, scale * T, 3), low pitches at the bottom."""
    share = np.clip((mel[::-1].astype(np.float64) - low) / (high - low), 0, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    rgb = np.stack([np.interp(share, stops, _COLOURS[:, c]) for c in range(3)], -1)
    image: Pixels = rgb.round().astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    return image


def draw_line(image: Pixels, rows: NDArray[np.float32], colour: tuple[int, int, int]) -> None:
    """Draws one row a column, from the bottom, (columns,); nan draws nothing."""
    height, width, _ = image.shape
    for column, row in enumerate(rows[:width]):
        if np.isfinite(row):
            at = height - 1 - round(float(row))
            image[max(at - 1, 0) : max(at + 1, 0), column] = colour


def png(image: Pixels) -> bytes:
    """RGB (H, W, 3) as a PNG file."""
    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def save_png(path: Path, image: Pixels) -> None:
    """Writes an image."""
    path.write_bytes(png(image))
