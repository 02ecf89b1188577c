"""Draws docs/figures/NAME.png and writes NAME.tsv: what the judges say along one setting.

    python -m docs.figures.judged NAME "what x is" 1=OUT_A/out.json 2=OUT_B/out.json ...

Each file is what `vc_score.py --json` wrote of one folder of `embedded_voice`.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

FIGURES = ("sim_target", "sim_source", "won", "wer", "phone_dist", "mos", "hush_db", "f0_corr")
PANELS = (("sim_target", "sim_source"), ("wer", "phone_dist"), ("mos",))


def figures(path: Path) -> dict[str, float]:
    """The averages of one judged folder; won: share of pairs; wer and mos: less the source's."""
    judged = json.loads(path.read_text(encoding="utf-8"))
    mean, rows = judged["mean"], judged["rows"]
    won = float(np.mean([row["sim_target"] > row["sim_source"] for row in rows]))
    wer = mean.get("wer_converted", np.nan) - mean.get("wer_source", np.nan)
    return mean | {"won": won, "wer": wer, "mos": mean["mos_converted"] - mean["mos_source"]}


def main() -> None:
    name, label, *points = sys.argv[1:]
    xs = [float(point.partition("=")[0]) for point in points]
    table = [figures(Path(point.partition("=")[2])) for point in points]
    here = Path(__file__).parent / name
    with here.with_suffix(".tsv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow([label, *FIGURES])
        for x, row in zip(xs, table, strict=True):
            writer.writerow([f"{x:g}", *(f"{row.get(key, np.nan):.3f}" for key in FIGURES)])
    figure, panels = plt.subplots(1, len(PANELS), figsize=(10, 3.2), layout="constrained")
    for axes, keys in zip(panels, PANELS, strict=True):
        for key in keys:
            axes.plot(xs, [row[key] for row in table], marker="o", label=key)
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    figure.savefig(here.with_suffix(".png"), dpi=120)
    print(here.with_suffix(".tsv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
