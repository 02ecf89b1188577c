"""Draws how the automatic pitch shift settles, and measures it.

    python -m docs.figures.auto_shift DATA

DATA is the folder of speech. Writes auto_shift.png beside
this file and prints a table, against the shift that the median of the whole recording asks for.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import AudioConfig, F0Config
from core.f0 import f0_estimator
from core.shift import AutoShift
from docs.figures.png import save_png

RECORDINGS = {
    "English, man (ls_26)": "ls_26",
    "English, man (ls_8770)": "ls_8770",
    "English, woman (ls_198)": "ls_198",
    "English, woman (ls_7178)": "ls_7178",
    "Arabic, woman, words (ar_04)": "ar_04",
    "German, man, acted moods (emodb_15)": "emodb_15",
}
SECONDS = 20
JOINT_SECONDS = 0.5  # of silence where short recordings are joined
TARGET = 156.5  # Hz
NEAR = 0.5  # semitones
PHRASE_GAP = 13  # frames without voice that end a phrase, 150 ms
KNOWN_SECONDS = 3.0  # of voice, after which a speaker counts as known

Track = NDArray[np.float64]
AUDIO = AudioConfig()


def speech(folder: Path) -> NDArray[np.float32]:
    """A speaker's recordings in turn, SECONDS of them."""
    joint = np.zeros(int(JOINT_SECONDS * AUDIO.sample_rate), np.float32)
    parts: list[NDArray[np.float32]] = []
    for path in sorted(folder.iterdir()):
        parts += [load_mono(path, AUDIO.sample_rate)[0], joint]
        if sum(map(len, parts)) > SECONDS * AUDIO.sample_rate:
            break
    return np.concatenate(parts)[: SECONDS * AUDIO.sample_rate]


def fastest(shift: Track, voiced: NDArray[np.bool_], frames: NDArray[np.bool_]) -> float:
    """Largest change over one second, or the whole phrase where it is shorter, in semitones."""
    second, largest = round(AUDIO.frame_rate), 0.0
    spoken = np.flatnonzero(voiced)
    ends = np.flatnonzero(np.diff(spoken) > PHRASE_GAP)
    for first, last in pairwise([-1, *ends, len(spoken) - 1]):
        phrase = np.arange(spoken[first + 1], spoken[last] + 1)
        phrase = phrase[frames[phrase]]
        for start in range(len(phrase)):
            part = shift[phrase[start : start + second]]
            largest = max(largest, float(np.ptp(part)))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data / "many_speakers"
    estimator = f0_estimator(AUDIO, F0Config())
    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplots(3, 2, sharex=True).ravel()
    print("recording\tmedian Hz\tfirst near\tnear for good\toff after 3 s\tfirst 3 s\tlater")
    for axes, (name, folder) in zip(panels, RECORDINGS.items(), strict=True):
        f0, voiced = estimator(speech(data / folder))
        median = float(np.median(f0[voiced]))
        auto = AutoShift([TARGET], AUDIO.frame_rate)
        one = torch.ones(1, 1, len(f0))
        shift = auto(torch.from_numpy(f0)[None], torch.from_numpy(voiced)[None], one)[0].numpy()
        wanted = 12 * np.log2(TARGET / median)
        off = np.abs(shift - wanted)
        seconds = np.arange(len(f0)) / AUDIO.frame_rate
        begins = seconds[np.argmax(voiced)]
        known = np.cumsum(voiced) / AUDIO.frame_rate > KNOWN_SECONDS
        near = seconds[np.argmax(voiced & (off < NEAR))] - begins
        good = seconds[np.flatnonzero(voiced & (off >= NEAR))[-1]] - begins
        early, late = (fastest(shift, voiced, frames) for frames in (~known, known))
        figures = (median, near, good, np.mean(off[voiced & known]), early, late)
        print(name, *(f"{value:.2f}" for value in figures), sep="\t")
        axes.plot(seconds, 12 * np.log2(TARGET / f0), ".", ms=1, color="0.75")
        axes.axhline(wanted, color="tab:blue", lw=1, label="median of the whole")
        line = np.where(voiced, shift, np.nan)
        axes.plot(seconds, shift, color="tab:red", lw=0.7, alpha=0.5)
        axes.plot(seconds, line, color="tab:red", lw=2, label="automatic shift, where voiced")
        axes.set_ylim(wanted - 8, wanted + 8)
        axes.set_title(name, fontsize=9)
    for axes in panels[::2]:
        axes.set_ylabel("semitones")
    for axes in panels[-2:]:
        axes.set_xlabel("s")
    panels[0].legend(loc="lower right", fontsize=7)
    save_png(figure, Path(__file__).with_name("auto_shift.png"))


if __name__ == "__main__":
    main()
