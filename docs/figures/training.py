"""Draws docs/figures/training.png and writes training.tsv: the curves of the trainings, from logs.

    python -m docs.figures.training content=LOG denoiser=LOG polish=LOG ...

A log is what `moksori recipe train` prints. Only its checks and every n-th line are kept in the
table.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent / "training"
MOST_POINTS = 60  # of a curve
FIGURE = re.compile(r"(\S[^\d]*?(?: [\d.]+)?) (-?[\d.]+(?:e-?\d+)?)(?:  |$)")

Curve = list[tuple[float, float]]


def read(path: Path) -> dict[str, Curve]:
    """Figure -> (minutes, value); what is checked on held-back data is called `check ...`."""
    curves: dict[str, Curve] = {}
    minutes = 0.0
    for line in path.read_text(encoding="utf-8").splitlines():
        step = re.match(r"step \d+  ([\d.]+) min  rate \S+  (.*)", line)
        check = re.match(r"check  (.*)", line)
        if step is None and check is None:
            continue
        if step is not None:
            minutes = float(step[1])
        text = step[2] if step is not None else check[1] if check is not None else ""
        for name, value in re.findall(
            r"(\S[^\d]*?(?: [\d.]+)?) (-?[\d.]+(?:e-?\d+)?)(?:  |$)", text
        ):
            key = name if step is not None else f"check {name}"
            curves.setdefault(key, []).append((minutes, float(value)))
    return curves


def thinned(curve: Curve) -> Curve:
    """At most so many points, each the mean of its neighbours."""
    size = -(-len(curve) // MOST_POINTS)
    groups = [curve[i : i + size] for i in range(0, len(curve), size)]
    return [(g[-1][0], sum(value for _, value in g) / len(g)) for g in groups]


def main() -> None:
    runs = {}
    for point in sys.argv[1:]:
        name, _, log = point.partition("=")
        runs[name] = {key: thinned(curve) for key, curve in read(Path(log)).items()}
    with HERE.with_suffix(".tsv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(("run", "figure", "minutes", "value"))
        for name, curves in runs.items():
            for key, curve in curves.items():
                writer.writerows((name, key, f"{x:.1f}", f"{y:.4g}") for x, y in curve)
    columns = 3
    rows = -(-len(runs) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(11, 3.0 * rows), layout="constrained", squeeze=False
    )
    for axes in panels.flat[len(runs) :]:
        axes.axis("off")
    for axes, (name, curves) in zip(panels.flat, runs.items(), strict=False):
        for key, curve in curves.items():
            dashed = "--" if key.startswith("check") else "-"
            axes.plot(*zip(*curve, strict=True), dashed, label=key, linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("minutes")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=6, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.2))
    figure.savefig(HERE.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
