"""Draws how a diff-svc voice hears the packaged recording: its alignment and its pitch.

python -m docs.figures.diff_svc    writes diff_svc_alignment.png and diff_svc_pitch.png
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.diff_svc.alignment import align
from core.diff_svc.config import MelFormat, PitchFormat
from core.diff_svc.convert import UNIT_RATE, prepare
from core.diff_svc.mel import MelFrontEnd
from core.diff_svc.pitch import coarse_pitch, log_pitch
from core.f0.praat import PraatConfig, praat_f0
from core.voice import VOICES_FOLDER
from docs.figures.png import save_png

FORM, PITCH = MelFormat(), PitchFormat()
UNIT_HOP = 320
START, SECONDS = 0.5, 2.5


def draw_alignment(wave: NDArray[np.float32], units: int) -> None:
    """The mel with the unit of each frame, and how far that unit lies from the frame."""
    mel = MelFrontEnd(FORM)(torch.from_numpy(wave)[None])[0].numpy()
    frames = mel.shape[1]
    mel2ph = align(frames, units).numpy()
    seconds = (np.arange(frames) + 0.5) / FORM.frame_rate
    unit_seconds = (mel2ph - 0.5) * UNIT_HOP / UNIT_RATE
    figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), height_ratios=(2, 1), layout="constrained")
    shown = slice(60, 86)
    edges = np.append(
        seconds[shown] - 0.5 / FORM.frame_rate, seconds[shown][-1] + 0.5 / FORM.frame_rate
    )
    axes[0].pcolormesh(edges, np.arange(FORM.n_mels + 1), mel[:, shown], cmap="magma")
    for at, unit in zip(seconds[shown], mel2ph[shown], strict=True):
        axes[0].text(at, 120, str(unit), color="white", ha="center", va="top", fontsize=7)
    for change in np.flatnonzero(np.diff(mel2ph[shown])) + 1:
        axes[0].axvline(edges[change], color="white", lw=0.7)
    axes[0].set_ylabel("mel bin; above: unit of the frame")
    axes[1].plot(seconds, 1000 * (unit_seconds - seconds), lw=0.8)
    axes[1].axhline(0, color="0.6", lw=0.6)
    axes[1].set_ylabel("unit's centre less\nframe's (ms)")
    axes[1].set_xlabel("s")
    save_png(figure, Path(__file__).with_name("diff_svc_alignment.png"))


def draw_pitch(wave: NDArray[np.float32]) -> None:
    """f0 as Praat finds it, as it is interpolated, and the rows of the pitch table it becomes."""
    frames = FORM.frames(len(wave))
    config = PraatConfig(PITCH.f0_min, PITCH.f0_max)
    f0 = praat_f0(wave, FORM.sample_rate, FORM.hop_length, frames, config)
    log = log_pitch(f0)
    hz = 2.0**log.log2
    rows = coarse_pitch(torch.from_numpy(hz), PITCH.bins, PITCH.f0_min, PITCH.f0_max).numpy()
    seconds = (np.arange(frames) + 0.5) / FORM.frame_rate
    figure, axes = plt.subplots(
        2, 1, figsize=(9, 4.2), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    axes[0].plot(seconds, hz, color="0.6", lw=1, label="interpolated in log2 (use_uv: false)")
    axes[0].plot(seconds, np.where(f0 > 0, f0, np.nan), color="tab:red", lw=2, label="f0, voiced")
    axes[0].set_ylabel("Hz")
    axes[0].legend(loc="upper right", fontsize=8)
    axes[1].step(seconds, rows, where="mid", lw=1)
    axes[1].set_ylabel("row of the\npitch table")
    axes[1].set_xlabel("s")
    axes[1].set_xlim(0, SECONDS)
    save_png(figure, Path(__file__).with_name("diff_svc_pitch.png"))


def main() -> None:
    wave, rate = load_mono(VOICES_FOLDER / "demo.flac")
    part = wave[round(START * rate) : round((START + SECONDS) * rate)]
    sound = prepare(part[None], rate, FORM.sample_rate, left_only=False)
    draw_alignment(sound.wave, len(sound.wave16) // UNIT_HOP)
    draw_pitch(sound.wave)


if __name__ == "__main__":
    main()
