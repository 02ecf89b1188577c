"""Draws docs/figures/streaming.png: blocks against time, and what the latency is made of.

Every length comes from the embedded voice's StreamPlan and the session's plan; no weights needed.
Run from the repository root: python -m docs.figures.streaming
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from core.config import StreamConfig, VoiceConfig
from core.pipeline import plan_for
from core.streaming.plan import StreamPlan
from core.voice import VoiceModel
from realtime.loopback import LoopbackBackend
from realtime.plan import plan_session

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

BLOCKS = 5
DEVICE_RATE, DEVICE_BLOCK = 48_000, 480  # 10 ms, as PortAudioBackend asks for
COLOURS = ["#3b7dd8", "#e08a1e", "#2e9e6b", "#8e5bb5", "#c0392b"]


@dataclass(frozen=True)
class Processor:
    """What plan_session asks of a processor."""

    sample_rate: int
    block: int
    latency: int


def draw_blocks(axes: Axes, plan: StreamPlan) -> None:
    """Three rows: what comes in, which frames each push commits, what is played."""
    frame_ms = plan.milliseconds(plan.audio.hop_length)
    block_ms, wait_ms = plan.milliseconds(plan.block), plan.milliseconds(plan.algorithmic_latency)
    committed = 0
    for k in range(BLOCKS):
        colour, end = COLOURS[k], (k + 1) * block_ms
        axes.barh(0, block_ms, left=k * block_ms, color=colour, height=0.55, ec="white")
        axes.text((k + 0.5) * block_ms, 0, f"block {k}", ha="center", va="center", color="w")
        ready = max((k + 1) * plan.block_frames - plan.lookahead_frames, 0)
        for f in range(committed, ready):
            axes.barh(1, frame_ms, left=f * frame_ms, color=colour, height=0.55, ec="white")
            axes.text((f + 0.5) * frame_ms, 1, str(f), ha="center", va="center", fontsize=7)
        axes.plot([end, end], [-0.28, 2.28], color=colour, lw=1, ls=":", zorder=0)
        axes.barh(2, block_ms, left=wait_ms + k * block_ms, color=colour, height=0.55, ec="white")
        axes.text(
            wait_ms + (k + 0.5) * block_ms, 2, f"block {k}", ha="center", va="center", color="w"
        )
        committed = ready
    axes.annotate("", (wait_ms, 1.62), (0, 1.62), arrowprops={"arrowstyle": "<->", "lw": 1.2})
    axes.text(wait_ms * 0.65, 1.6, f"{wait_ms:.1f} ms", ha="center", va="bottom", fontsize=9)
    axes.set_xlim(0, wait_ms + BLOCKS * block_ms)
    axes.set_yticks(
        [0, 1, 2], ["input", "frames, in the colour of\nthe push that commits them", "output"]
    )
    axes.invert_yaxis()
    axes.set_xlabel("ms")
    axes.set_title("Each frame is committed once, by the push that brings its lookahead")


def draw_parts(axes: Axes, plan: StreamPlan) -> None:
    """The session's latency at another device rate, part by part."""
    processor = Processor(plan.audio.sample_rate, plan.block, plan.latency)
    backend = LoopbackBackend(np.zeros(1, np.float32), sample_rate=DEVICE_RATE, block=DEVICE_BLOCK)
    session = plan_session(processor, backend)
    parts = [
        ("block", session.parts.block_ms),
        (f"lookahead\n{plan.lookahead_frames} frames", plan.milliseconds(plan.lookahead)),
        ("vocoder", plan.milliseconds(plan.vocoder_latency)),
        ("resampling", session.parts.resampling_ms),
        ("slack: cushion\nand device block", session.parts.slack_ms),
    ]
    left = 0.0
    for i, (name, ms) in enumerate(parts):
        axes.barh(0, ms, left=left, color=COLOURS[i], height=0.5, ec="white")
        if ms > 20:
            axes.text(left + ms / 2, 0, f"{name}\n{ms:.1f}", ha="center", va="center", color="w")
        else:
            x = left + ms / 2 + (5 if name == "resampling" else -5)
            axes.annotate(
                f"{name} {ms:.1f}",
                (left + ms / 2, 0.25),
                (x, 0.52),
                ha="left" if name == "resampling" else "right",
                va="center",
                arrowprops={"arrowstyle": "-", "lw": 0.8},
            )
        left += ms
    declared = plan.milliseconds(plan.algorithmic_latency)
    for start, stop, text in (
        (0.0, declared, f"the voice's own, declared: {declared:.1f} ms"),
        (declared, left, f"session, {DEVICE_RATE // 1000} kHz device: {left:.1f} ms in all"),
    ):
        axes.annotate("", (stop, -0.38), (start, -0.38), arrowprops={"arrowstyle": "<->"})
        axes.text((start + stop) / 2, -0.43, text, ha="center", va="bottom", fontsize=9)
    axes.set_ylim(0.7, -0.75)
    axes.set_yticks([])
    axes.set_xlim(0, left)
    axes.set_xlabel("ms")


def main() -> None:
    plan = plan_for(VoiceModel(VoiceConfig()), StreamConfig())
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(10, 5.6), layout="constrained", height_ratios=[1.25, 1]
    )
    draw_blocks(upper, plan)
    draw_parts(lower, plan)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
