"""Draws docs/figures/samplers.png: what each sampler makes of a few denoiser calls.

The data is a mixture of Gaussians in one dimension, whose best denoiser is known in closed form.
Run from the repository root: python -m docs.figures.samplers
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from core.diffusion.samplers import SAMPLERS, evaluations
from core.diffusion.schedules import karras_sigmas

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

MEANS = torch.tensor([-1.3, -0.2, 1.2], dtype=torch.float64)
WEIGHTS = torch.tensor([0.35, 0.25, 0.4], dtype=torch.float64)
DEVIATION = 0.25
SIGMA_MIN, SIGMA_MAX = 0.02, 20.0
SPREAD = 1.11  # deviation of the mixture: sigma_data
COLOURS = {"ddim": "0.2", "euler": "#3b7dd8", "heun": "#e08a1e", "dpmpp_2m": "#c0392b"}
LABELS = {"ddim": "DDIM", "euler": "Euler", "heun": "Heun", "dpmpp_2m": "DPM-Solver++ 2M"}


def denoise(x: Tensor, sigma: float) -> Tensor:
    """E[x0 | x]: each component's guess, weighted by how likely that component made x."""
    variance = DEVIATION**2 + sigma**2
    distance = x[..., None] - MEANS
    likely = torch.softmax(WEIGHTS.log() - distance**2 / (2 * variance), -1)
    return (likely * (MEANS + DEVIATION**2 / variance * distance)).sum(-1)


def path(name: str, x: Tensor, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise levels and x at each of them, (steps,) and (steps, n), down to sigma_min."""
    sigmas = karras_sigmas(steps, SIGMA_MIN, SIGMA_MAX)[:-1]
    points = [x]
    for i in range(2, len(sigmas) + 1):
        points.append(SAMPLERS[name](denoise, x, sigmas[:i]))
    return np.array(sigmas), torch.stack(points).numpy()


def scaled(sigmas: np.ndarray, points: np.ndarray) -> np.ndarray:
    """c_in x: what the network is shown."""
    return points / np.sqrt(sigmas[:, None] ** 2 + SPREAD**2)


def draw_paths(axes: Axes) -> None:
    x = SIGMA_MAX * torch.linspace(-1.7, 1.7, 13, dtype=torch.float64)
    sigmas, exact = path("heun", x, 120)
    axes.plot(sigmas, scaled(sigmas, exact), color="0.7", lw=1.2, zorder=1)
    for name, marker in (("euler", "o"), ("dpmpp_2m", "s")):
        sigmas, points = path(name, x[1::3], 6)
        lines = axes.plot(
            sigmas, scaled(sigmas, points), marker=marker, ms=4, lw=1, color=COLOURS[name]
        )
        lines[0].set_label(f"{LABELS[name]}, 6 steps")
    axes.plot([], [], color="0.7", label="exact")
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("noise level sigma (time runs to the right)")
    axes.set_ylabel("c_in x")
    axes.set_ylim(-2.3, 2.0)
    axes.set_title("From noise to data along the ODE")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center")


def draw_errors(axes: Axes) -> None:
    x = SIGMA_MAX * torch.randn(
        4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    truth = SAMPLERS["heun"](denoise, x, karras_sigmas(4000, 1e-3, SIGMA_MAX))
    for name in LABELS:
        calls, errors = [], []
        for steps in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
            result = SAMPLERS[name](denoise, x, karras_sigmas(steps, SIGMA_MIN, SIGMA_MAX))
            calls.append(evaluations(name, steps))
            errors.append(float((result - truth).abs().mean()))
        # DDIM lies on Euler: crosses over dots show both.
        marker, line, above = ("x", "none", 5) if name == "ddim" else ("o", "-", 2)
        axes.plot(
            calls,
            errors,
            label=LABELS[name],
            color=COLOURS[name],
            marker=marker,
            ls=line,
            ms=4 if line == "-" else 8,
            lw=1.4,
            zorder=above,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("denoiser calls")
    axes.set_ylabel("mean distance to the exact solution")
    axes.set_title("Error against cost")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    draw_paths(left)
    draw_errors(right)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
