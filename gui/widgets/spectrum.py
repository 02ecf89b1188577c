"""Scrolling spectrograms with the pitch drawn over them."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtGui import QColor

from core.config import AudioConfig, F0Config
from core.f0 import F0_ESTIMATORS
from gui.i18n import bind
from gui.style import colours

N_FFT, HOP = 2048, 512
BANDS, COLUMNS = 96, 345  # 4 s at 44.1 kHz
LOWEST_HZ, HIGHEST_HZ = 60.0, 12_000.0
FLOOR_DB, CEILING_DB = -85.0, -15.0


class Scroll:
    """The picture of the last seconds, (COLUMNS, BANDS) from 0 to 1, and f0 in Hz, (COLUMNS,)."""

    def __init__(self, sample_rate: int) -> None:
        self.picture = np.zeros((COLUMNS, BANDS), np.float32)
        self.f0 = np.full(COLUMNS, np.nan, np.float32)
        self._rate = sample_rate
        self._window = np.hanning(N_FFT).astype(np.float32)
        self._rest = np.zeros(N_FFT - HOP, np.float32)
        edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * N_FFT / sample_rate
        self._bins = np.clip(np.round(edges[:-1]).astype(int), 1, N_FFT // 2)
        audio = AudioConfig(sample_rate, HOP)
        self._pitch = F0_ESTIMATORS["autocorrelation"](audio, F0Config()).stream()

    def push(self, wave: NDArray[np.float32]) -> None:
        """The next samples (T,); whole columns are drawn, the rest waits."""
        self._rest = np.concatenate([self._rest, wave])
        count = max(0, (len(self._rest) - N_FFT) // HOP + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(self._rest, N_FFT)[
                : count * HOP : HOP
            ]
            spectra = np.abs(np.fft.rfft(frames * self._window)) * (2 / self._window.sum())
            bands = np.maximum.reduceat(spectra, self._bins, axis=1)
            db = 20 * np.log10(bands + 1e-9)
            new = np.clip((db - FLOOR_DB) / (CEILING_DB - FLOOR_DB), 0, 1)
            self.picture = np.concatenate([self.picture, new.astype(np.float32)])[-COLUMNS:]
            self._rest = self._rest[count * HOP :]
        f0, voiced = self._pitch.push(wave)
        if len(f0):
            heard = np.where(voiced, f0, np.nan).astype(np.float32)
            self.f0 = np.concatenate([self.f0, heard])[-COLUMNS:]


def warm() -> None:
    """What the first sound would load, half a second of it; off the GUI thread."""
    scroll = Scroll(AudioConfig().sample_rate)
    scroll.push(np.zeros(2 * N_FFT, np.float32))


class Spectrogram(pg.PlotWidget):  # type: ignore[misc]
    """One of them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        bind(self.setAccessibleName, name)
        self._scroll: Scroll | None = None
        self._image = pg.ImageItem()
        self._line = pg.PlotDataItem(connect="finite")
        self.addItem(self._image)
        self.addItem(self._line)
        plot = self.getPlotItem()
        plot.hideAxis("bottom")
        plot.hideAxis("left")
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(False, False)
        plot.setContentsMargins(0, 0, 0, 0)
        view = plot.getViewBox()
        view.setDefaultPadding(0)
        self.setXRange(0, COLUMNS, padding=0)
        self.setYRange(0, BANDS, padding=0)
        self.setMinimumHeight(56)
        self.setFrameShape(self.Shape.NoFrame)
        self.dress()
        self._image.setImage(np.zeros((COLUMNS, BANDS), np.float32), levels=(0, 1))

    def dress(self) -> None:
        """In the colours of the theme."""
        now = colours()
        steps = [QColor(now.well), QColor(now.accent), QColor("#f4b860"), QColor("#fff4dc")]
        if now.window < "#8":
            stops = [0.0, 0.55, 0.85, 1.0]
        else:
            steps = [QColor(now.well), QColor("#b9b7f3"), QColor(now.accent), QColor("#25235f")]
            stops = [0.0, 0.4, 0.75, 1.0]
        self.setBackground(now.well)
        self._image.setColorMap(pg.ColorMap(stops, steps))
        self._line.setPen(pg.mkPen(now.fair if now.window > "#8" else "#ffffff", width=2))

    def push(self, wave: NDArray[np.float32], sample_rate: int) -> None:
        """The next samples; drawn by `draw`."""
        if self._scroll is None:
            self._scroll = Scroll(sample_rate)
        self._scroll.push(wave)

    def clear_sound(self) -> None:
        """Begins anew with the next sound."""
        self._scroll = None

    def draw(self) -> None:
        """Once for all that was pushed."""
        if self._scroll is None:
            return
        self._image.setImage(self._scroll.picture, autoLevels=False)
        span = np.log(HIGHEST_HZ / LOWEST_HZ)
        height = BANDS * np.log(self._scroll.f0 / LOWEST_HZ) / span
        self._line.setData(np.arange(COLUMNS), height)
