"""Measures every f0 estimator, whole and live, on our recordings, clean and in noise.

    python docs/figures/f0_table.py DATA_FOLDER

Prints the table and writes f0_table.tsv and f0_table.png beside this file. DATA_FOLDER holds
many_speakers, targets, test_only and noise.

Reference, on the clean recording: Praat's autocorrelation in two passes (the judge of the project;
needs praat-parselmouth), Harvest and pYIN. f0 is judged where at least two of the three are voiced
and within 20 % of each other, against the first of (Praat, Harvest, pYIN) that agrees with another.
Voicing is judged in every frame, against Praat (without it: voiced where Harvest and pYIN both
are). Harvest and pYIN are so judged partly by themselves, which flatters them.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.f0 import F0_ESTIMATORS, F0Estimator

AUDIO = AudioConfig()
RATE, HOP = AUDIO.sample_rate, AUDIO.hop_length
SECONDS = 3.5  # of each recording
SNRS = (None, 10, 0)
WHOLE_ONLY = ("harvest", "pyin")  # live they cost more than real time
HASTY = [("autocorrelation", "live", 2)]  # the frames of lookahead that --low-latency leaves
PARTS = {  # how many recordings of which part
    "many_speakers/ls_*": 11,
    "many_speakers/emodb_*": 5,
    "many_speakers/kerstin": 2,
    "many_speakers/ar_*": 3,
    "targets/kathleen": 2,
    "targets/flemishguy": 2,
    "test_only/*": 3,
}

Wave = NDArray[np.float32]
Track = tuple[NDArray[np.float32], NDArray[np.bool_]]


class Item(NamedTuple):
    """A recording, its noise and what the references say: f0 (0 where they disagree) and voiced."""

    clean: Wave
    noise: Wave
    f0: NDArray[np.float64]
    voiced: NDArray[np.bool_]


def load(path: Path) -> Wave:
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(wave.mean(axis=1), rate, RATE), np.float32)


def recordings(data: Path) -> list[Path]:
    """Every second file of a part is ours; the others served to tune the thresholds."""
    chosen = []
    for pattern, count in PARTS.items():
        files = sorted(p for d in data.glob(pattern) for p in d.glob("*.opus"))[::2]
        chosen += [files[i * len(files) // count] for i in range(count)]
    return chosen


def praat(wave: Wave) -> NDArray[np.float64] | None:
    """f0 on our frames, 0 where unvoiced; None without parselmouth."""
    try:
        import parselmouth
    except ImportError:
        return None
    sound = parselmouth.Sound(soxr.resample(wave, RATE, 16_000).astype(np.float64), 16_000)
    floor, ceiling = 55.0, 1100.0
    for _ in range(2):
        pitch = sound.to_pitch_ac(
            time_step=0.01,
            pitch_floor=floor,
            pitch_ceiling=ceiling,
            octave_cost=0.02,
            octave_jump_cost=0.5,
        )
        f0 = pitch.selected_array["frequency"]
        if (f0 > 0).sum() < 20:
            break
        low, high = np.quantile(f0[f0 > 0], [0.25, 0.75])
        floor, ceiling = max(55.0, 0.6 * low), min(1100.0, 2.5 * high)
    centres = (np.arange(AUDIO.frames(len(wave))) * HOP + HOP / 2) / RATE
    index = np.rint((centres - pitch.xs()[0]) / 0.01).astype(int)
    inside = (index >= 0) & (index < len(f0))
    return np.where(inside, f0[np.clip(index, 0, len(f0) - 1)], 0.0)


def reference(wave: Wave) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    tracks = []
    judge = praat(wave)
    if judge is not None:
        tracks.append(judge)
    for name in ("harvest", "pyin"):
        f0, voiced = F0_ESTIMATORS[name](AUDIO, F0Config())(wave)
        tracks.append(np.where(voiced, f0, 0.0))
    agreed = np.zeros(len(tracks[0]))
    for a, track in reversed(list(enumerate(tracks))):
        for b, other in enumerate(tracks):
            if a != b:
                near = (track > 0) & (other > 0) & (np.abs(track - other) < 0.2 * other)
                agreed = np.where(near, track, agreed)
    return agreed, judge > 0 if judge is not None else (tracks[0] > 0) & (tracks[1] > 0)


def mix(item: Item, snr: int | None) -> Wave:
    if snr is None:
        return item.clean
    gain = np.sqrt(np.mean(item.clean**2) / np.mean(item.noise**2) / 10 ** (snr / 10))
    return np.asarray(item.clean + gain * item.noise, np.float32)


def live(estimator: F0Estimator, wave: Wave) -> Track:
    stream = estimator.stream(block_frames=4, context_frames=24)
    tracks = [stream.push(wave[at : at + 4 * HOP]) for at in range(0, len(wave), 4 * HOP)]
    tracks.append(stream.flush())
    return np.concatenate([f0 for f0, _ in tracks]), np.concatenate([v for _, v in tracks])


def glide_error(estimator: F0Estimator, form: str) -> float:
    """Share of frames of a tone from 100 to 900 Hz in 2 s that are > 20 % off or unvoiced."""
    truth = np.geomspace(100.0, 900.0, 2 * RATE)
    phase = 2 * np.pi * np.cumsum(truth) / RATE
    wave = sum(np.where(k * truth < 8000, np.sin(k * phase) / k, 0.0) for k in range(1, 13))
    wave = np.asarray(0.3 * wave, np.float32)
    f0, voiced = live(estimator, wave) if form == "live" else estimator(wave)
    centres = np.arange(6, len(f0) - 6) * HOP + HOP // 2
    bad = (np.abs(f0[6:-6] / truth[centres] - 1) > 0.2) | ~voiced[6:-6]
    return float(bad.mean())


def measure(estimator: F0Estimator, form: str, items: list[Item]) -> dict[str, float]:
    row: dict[str, float] = {}
    elapsed = audio = 0.0
    for snr in SNRS:
        gross = cents = pitched = wrong = frames = 0
        for item in items:
            wave = mix(item, snr)
            start = time.perf_counter()
            f0, voiced = live(estimator, wave) if form == "live" else estimator(wave)
            elapsed += time.perf_counter() - start
            audio += len(wave) / RATE
            judged = (item.f0 > 0) & voiced
            ratio = f0[judged] / item.f0[judged]
            gross += int((np.abs(ratio - 1) > 0.2).sum())
            cents += int((np.abs(1200 * np.log2(ratio)) > 50).sum())
            pitched += int(judged.sum())
            wrong += int((voiced != item.voiced).sum())
            frames += len(voiced)
        where = "clean" if snr is None else f"{snr}dB"
        row[f"gross_{where}"] = 100 * gross / max(pitched, 1)
        row[f"cents50_{where}"] = 100 * cents / max(pitched, 1)
        row[f"voicing_{where}"] = 100 * wrong / frames
    row["ms_per_s"] = 1000 * elapsed / audio
    row["glide"] = 100 * glide_error(estimator, form)
    return row


def plot(rows: list[dict[str, str]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    labels = [f"{r['estimator']}, {r['form']} {r['lookahead_ms'].rstrip('-')}" for r in rows]
    places = np.arange(len(rows))
    kinds = (("gross", "f0 more than 20 % off (% of frames)"), ("voicing", "voicing error (%)"))
    for axis, (kind, title) in zip(axes, kinds, strict=False):
        for i, where in enumerate(("clean", "10dB", "0dB")):
            values = [float(r[f"{kind}_{where}"]) for r in rows]
            axis.barh(places + 0.27 * (i - 1), values, 0.27, label=where)
        axis.set_title(title, fontsize=10)
        axis.legend(fontsize=8)
    axes[2].barh(places, [float(r["ms_per_s"]) for r in rows], color="0.5")
    axes[2].set_xscale("log")
    axes[2].set_title("ms per second of audio", fontsize=10)
    for axis in axes:
        axis.set_yticks(places, labels if axis is axes[0] else [])
        axis.invert_yaxis()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    noises = [load(path) for path in sorted((data / "noise").glob("*.flac"))]
    items = []
    for i, path in enumerate(recordings(data)):
        clean = load(path)[: int(SECONDS * RATE)]
        noise = np.resize(noises[i % len(noises)], len(clean) * 2)[len(clean) :]
        items.append(Item(clean, noise, *reference(clean)))
    rows = []
    forms = [(name, form, None) for name in F0_ESTIMATORS for form in ("live", "whole")]
    forms = [f for f in forms if f[0] not in WHOLE_ONLY or f[1] == "whole"]
    for name, form, frames in [*forms[:1], *HASTY, *forms[1:]]:
        estimator = F0_ESTIMATORS[name](AUDIO, F0Config(lookahead_frames=frames))
        ahead = 1000 * estimator.stream().lookahead / RATE
        row = {"estimator": name, "form": form}
        row["lookahead_ms"] = f"{ahead:.1f}" if form == "live" else "-"
        row |= {k: f"{v:.2f}" for k, v in measure(estimator, form, items).items()}
        rows.append(row)
        print("\t".join(row if len(rows) == 1 else []), end="\n" if len(rows) == 1 else "")
        print("\t".join(row.values()), flush=True)
    here = Path(__file__).parent
    with (here / "f0_table.tsv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, here / "f0_table.png")


if __name__ == "__main__":
    main()
