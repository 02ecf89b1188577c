"""Draws docs/figures/foreign_samplers.png: samplers and spacings over a schedule of 1000 steps.

The network is the best predictor of noise for a mixture of Gaussians, known in closed form, asked
at broken steps as a diff-svc network is. Run: python -m docs.figures.foreign_samplers
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor

from core.diffusion.discrete import DiscreteSchedule
from core.diffusion.samplers import SAMPLERS, evaluations
from core.diffusion.schedules import (
    alphas_cumprod,
    karras_sigmas,
    linear_betas,
    log_uniform_sigmas,
)
from docs.figures.samplers import DEVIATION, MEANS, WEIGHTS, denoise

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

SCHEDULE = DiscreteSchedule(alphas_cumprod(linear_betas(1000)))
LOW, HIGH = SCHEDULE.sigma(0), SCHEDULE.sigma(999)
SPACINGS: dict[str, Callable[[int], tuple[float, ...]]] = {
    "even in step": SCHEDULE.uniform_sigmas,
    "even in log sigma": lambda steps: log_uniform_sigmas(steps, LOW, HIGH),
    "Karras, rho 7": lambda steps: karras_sigmas(steps, LOW, HIGH),
}
LINES = {
    "ddim": ("DDIM", "0.2"),
    "plms": ("PLMS", "#3b7dd8"),
    "heun": ("Heun", "#e08a1e"),
    "dpmpp_2m": ("DPM-Solver++ 2M", "#c0392b"),
    "unipc": ("UniPC", "#2a8f5a"),
}
STEPS = (3, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 100)


def predict(z: Tensor, step: float) -> Tensor:
    """The noise to expect in z at that step."""
    sigma = SCHEDULE.sigma(step)
    x = z / SCHEDULE.alpha(sigma)
    return (x - denoise(x, sigma)) / sigma


def draw_levels(axes: Axes) -> None:
    for row, (name, levels) in enumerate(SPACINGS.items()):
        sigmas = levels(10)[:-1]
        axes.plot(sigmas, [row] * len(sigmas), "o", color="#3b7dd8", ms=6)
        steps = [round(SCHEDULE.step(sigma)) for sigma in sigmas]
        text = ", ".join(str(step) for step in steps)
        axes.text(HIGH, row + 0.16, f"{name}: steps {text}", fontsize=8)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_ylim(-0.4, 2.6)
    axes.set_yticks([])
    axes.set_xlabel("noise level sigma (time runs to the right)")
    axes.set_title("Ten levels of a schedule of 1000 steps")


def draw_errors(axes: Axes, spacing: str, x: Tensor, truth: Tensor) -> None:
    network = SCHEDULE.denoise(predict)
    for name, (label, colour) in LINES.items():
        calls, errors = [], []
        for steps in STEPS:
            made = SAMPLERS[name](network, x, SPACINGS[spacing](steps))
            calls.append(evaluations(name, steps))
            errors.append(float((made - truth).abs().mean()))
        axes.plot(calls, errors, "o-", ms=3.5, lw=1.3, color=colour, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(5e-4, 3)
    axes.set_title(spacing)
    axes.set_xlabel("evaluations of the network")
    axes.grid(alpha=0.25)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    chosen = torch.multinomial(WEIGHTS, 4000, replacement=True, generator=generator)
    noise = torch.randn(2, 4000, dtype=torch.float64, generator=generator)
    x = MEANS[chosen] + DEVIATION * noise[0] + HIGH * noise[1]
    fine = log_uniform_sigmas(3000, LOW / 10, HIGH)
    truth = SAMPLERS["heun"](denoise, x, fine)
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.6), layout="constrained")
    draw_levels(axes[0, 0])
    for panel, spacing in zip((axes[0, 1], axes[1, 0], axes[1, 1]), SPACINGS, strict=True):
        draw_errors(panel, spacing, x, truth)
        panel.set_ylabel("mean distance to the exact solution")
    axes[0, 1].legend(frameon=False, fontsize=8)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)
    network = SCHEDULE.denoise(predict)
    for spacing, levels in SPACINGS.items():
        for name in LINES:
            near = float((SAMPLERS[name](network, x, levels(10)) - truth).abs().mean())
            print(f"{spacing:<20}{name:<10}10 steps: {near:.3f}")


if __name__ == "__main__":
    main()
