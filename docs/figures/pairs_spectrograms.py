"""Draws source and conversion of ten pairs beside each other, as log-mel spectrograms.

    python -m docs.figures.pairs_spectrograms OUT [--name pairs] [--count 10] [--seconds 5]

OUT is a folder that docs.figures.embedded_voice wrote. Writes NAME_1.png, NAME_2.png ... beside
this file, five pairs each. The conversion is drawn without its delay.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import AudioConfig, MelConfig
from core.mel import LogMel, hz_to_mel
from core.resampler import Wave
from docs.figures.png import save_png

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

AUDIO, MEL = AudioConfig(), MelConfig()
ROWS = 5  # of a picture
MOST_BYTES = 300_000
TICKS = (200, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz
LONGEST_DELAY = 0.6  # seconds


def bands(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hz -> mel band, counted from 0."""
    low, high = hz_to_mel(np.array([MEL.f_min, MEL.f_max], dtype=np.float64))
    return (hz_to_mel(hz) - low) / (high - low) * (MEL.n_mels + 1) - 1


def without_delay(converted: Wave, source: Wave) -> Wave:
    """Starts where the envelopes fit best."""
    hop = AUDIO.hop_length // 4
    length = min(len(source), len(converted)) // hop * hop
    a, b = (
        np.log(np.sqrt((w[:length].reshape(-1, hop) ** 2).mean(1)) + 1e-3)
        for w in (source, converted)
    )
    lags = range(int(LONGEST_DELAY * AUDIO.sample_rate / hop))
    fits = [np.corrcoef(a[: len(a) - lag], b[lag:])[0, 1] for lag in lags]
    return converted[int(np.argmax(fits)) * hop :]


def draw(axes: Axes, wave: Wave, title: str) -> None:
    with torch.inference_mode():
        mel = LogMel(AUDIO, MEL)(torch.from_numpy(wave)[None])[0].numpy()
    seconds = len(wave) / AUDIO.sample_rate
    top = float(np.quantile(mel, 0.985))
    axes.imshow(
        mel,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, -0.5, MEL.n_mels - 0.5),
        vmin=top - 7.5,  # nepers: 65 dB
        vmax=top,
        cmap="magma",
        interpolation="nearest",
    )
    axes.set_yticks(bands(np.array(TICKS, dtype=np.float64)), [f"{hz / 1000:g}" for hz in TICKS])
    axes.tick_params(labelsize=6)
    axes.set_title(title, fontsize=7, pad=2)


def spread(pairs: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    """One pair a speaker before a second of any, evenly from the list."""
    seen: dict[str, int] = {}
    ranked = []
    for index, pair in enumerate(pairs):
        # the speaker is what stands before the file's own name: ls_481_..., ja_f_tofugu_...
        parts = Path(pair["source"]).stem.split("_")
        speaker = "_".join(parts[: 3 if parts[0] in ("ja", "zh") else 2])
        seen[speaker] = seen.get(speaker, 0) + 1
        ranked.append((seen[speaker], index))
    first = [index for rank, index in ranked if rank == 1]
    if len(first) > count:
        first = [first[i * (len(first) - 1) // (count - 1)] for i in range(count)]
    others = [index for _, index in sorted(ranked) if index not in first]
    return [pairs[i] for i in sorted((first + others)[:count])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="pairs")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    with (args.out / "pairs.tsv").open(newline="", encoding="utf-8") as handle:
        table = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = spread(table, args.count)
    for number, first in enumerate(range(0, len(pairs), ROWS), start=1):
        group = pairs[first : first + ROWS]
        figure, grid = plt.subplots(
            len(group), 2, figsize=(9, 1.55 * len(group)), squeeze=False, layout="constrained"
        )
        for row, pair in zip(grid, group, strict=True):
            source, _ = load_mono(args.out / pair["source"], AUDIO.sample_rate)
            converted, _ = load_mono(args.out / pair["converted"], AUDIO.sample_rate)
            samples = int(args.seconds * AUDIO.sample_rate)
            converted = without_delay(converted, source)
            shift = f", {float(pair['shift']):+g} semitones" if pair["shift"] else ""
            draw(row[0], source[:samples], f"source: {Path(pair['source']).stem}")
            draw(row[1], converted[:samples], f"converted{shift}")
            row[0].set_ylabel("kHz", fontsize=7)
            row[1].set_yticklabels([])
        for axes in grid[-1]:
            axes.set_xlabel("seconds", fontsize=7)
        path = Path(__file__).with_name(f"{args.name}_{number}.png")
        for dpi in (110, 95, 80, 65):
            figure.set_dpi(dpi)
            save_png(figure, path)
            if path.stat().st_size <= MOST_BYTES:
                break
        print(path.name, path.stat().st_size, "bytes")
        plt.close(figure)


if __name__ == "__main__":
    main()
