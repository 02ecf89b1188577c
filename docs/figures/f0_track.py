"""Draws what the default f0 estimator sees in a recording, and the path it takes, live.

python docs/figures/f0_track.py RECORDING    writes f0_track.png beside this file
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0.autocorrelation import Autocorrelation, AutocorrelationAnalysis, AutocorrelationConfig
from core.f0.tracked import Candidates, TrackedStream
from core.f0.tracker import TrackerConfig

AUDIO = AudioConfig()
SECONDS = 2.2


class Recorder(AutocorrelationAnalysis):
    """Keeps the candidates it finds."""

    found: list[Candidates]

    def __call__(self, windows: NDArray[np.float64]) -> Candidates:
        candidates = super().__call__(windows)
        self.found.append(candidates)
        return candidates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    wave, rate = soundfile.read(parser.parse_args().recording, dtype="float32", always_2d=True)
    wave = soxr.resample(wave.mean(axis=1), rate, AUDIO.sample_rate)
    wave = wave[: int(SECONDS * AUDIO.sample_rate)].astype(np.float32)

    analysis = Recorder(AUDIO.sample_rate / 2, F0Config(), AutocorrelationConfig())
    analysis.found = []
    stream = TrackedStream(AUDIO, analysis, TrackerConfig())
    stream.push(wave)
    stream.flush()
    f0, voiced = Autocorrelation(AUDIO, F0Config())(wave)
    seconds = (np.arange(len(f0)) + 0.5) / AUDIO.frame_rate
    candidates = np.concatenate([c[0] for c in analysis.found])[: len(f0)]
    strength = np.concatenate([c[1] for c in analysis.found])[: len(f0)]

    figure, axes = plt.subplots(2, 1, figsize=(9, 5), height_ratios=(1, 3), sharex=True)
    figure.set_layout_engine("constrained")
    axes[0].plot(np.arange(len(wave)) / AUDIO.sample_rate, wave, lw=0.4, color="0.4")
    axes[0].set_ylabel("input")
    real = np.isfinite(strength)
    size = 45 * np.clip(strength[real], 0.02, 1) ** 2
    at = np.broadcast_to(seconds[:, None], real.shape)[real]
    axes[1].scatter(at, candidates[real], size, color="tab:blue", alpha=0.35, lw=0)
    axes[1].plot(seconds, f0, color="0.7", lw=1, label="f0, held where unvoiced")
    line = np.where(voiced, f0, np.nan)
    axes[1].plot(seconds, line, color="tab:red", lw=2, label="f0, voiced")
    axes[1].set_yscale("log")
    axes[1].set_yticks([55, 110, 220, 440, 880], ["55", "110", "220", "440", "880"])
    axes[1].set_ylabel("candidates (Hz), larger: stronger")
    axes[1].set_xlabel("s")
    axes[1].legend(loc="upper right", fontsize=8)
    figure.savefig(Path(__file__).with_name("f0_track.png"), dpi=110)


if __name__ == "__main__":
    main()
