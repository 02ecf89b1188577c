"""Milliseconds a push of a full-size diff-svc voice on a card, by stage, and how near it says it.

    python -m docs.figures.foreign_card [--frames 8 22] [--steps 10] [--pushes 400] [--paced]

Random weights: the time does not depend on them. What is pushed comes back in main memory, so
nothing is left to wait for. Each block without recordings (`core/diffusion/replay.py`) and with
them. Last, in dB, how near the card's wave is to the processor's in fp32, with the
same noise, and one with recordings to one without.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.audio import load_mono
from core.content.precision import HalfEncoder, content_in_precision
from core.diff_svc.converter import ForeignConverter
from core.diff_svc.live import live_stream
from core.diff_svc.place import Elsewhere, find_device, place
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.precision import in_precision
from core.int8 import snr_db
from core.precision import AUTO, PRECISIONS
from core.voice import VOICES_FOLDER
from docs.figures.foreign_live import full_size
from realtime.priority import calm_collector

Wave = NDArray[np.float32]

STAGES = ("content", "denoiser", "vocoder")
SETTLED = 12  # pushes after a window is full, in which the last shapes are recorded


def placed(device: torch.device, precision: str) -> DiffSvcVoice:
    """As an imported voice is loaded, see `core/diff_svc/wish.py`."""
    voice = full_size("nsf-hifigan")
    assert voice.content is not None
    voice.diffusion.to(device)
    voice.diffusion.denoise_fn = in_precision(voice.diffusion.denoise_fn, precision)
    voice.content = content_in_precision(voice.content.to(device), precision)
    place(voice, device)
    return voice


def chosen(voice: DiffSvcVoice) -> str:
    """The precisions of content and denoiser."""
    content = voice.content.inner if isinstance(voice.content, Elsewhere) else voice.content
    half = content.precision if isinstance(content, HalfEncoder) else torch.float32
    layer = voice.diffusion.denoise_fn.get_submodule("residual_layers.0.dilated_conv")
    return f"content {half}, denoiser {next(layer.parameters()).dtype}".replace("torch.", "")


def converter(voice: DiffSvcVoice, frames: int, steps: int, recorded: bool) -> ForeignConverter:
    """A new one, of which nothing is recorded yet. recorded: whether anything will be."""
    stream = replace(live_stream(voice.config.mel), block_frames=frames, steps=steps)
    with nullcontext() if recorded else patch("core.diffusion.replay.record_cuda", refuse):
        if isinstance(voice.content, Elsewhere):
            voice.content = Elsewhere(voice.content.inner, voice.content.device)
        return ForeignConverter(voice, stream)


def refuse(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Records nothing."""
    raise RuntimeError("recordings are left out here")


def blocks(sound: Wave, length: int) -> Iterator[Wave]:
    """Endless speech."""
    for start in count(0, length):
        yield sound[np.arange(start, start + length) % len(sound)]


def timed(
    made: ForeignConverter, sound: Wave, pushes: int, paced: bool = False
) -> NDArray[np.float64]:
    """Milliseconds of each push and of its stages, (pushes, 4), once the window is full.

    paced: a block comes when a microphone would have it, not when the last is done.
    """
    speech = blocks(sound, made.block)
    for _ in range(-(-made.plan.window // made.block) + SETTLED):
        made.push(next(speech))
    calm_collector()
    spent, start = [], time.perf_counter()
    for number in range(pushes):
        block, due = next(speech), start + number * made.block / made.sample_rate
        if paced:
            time.sleep(max(due - time.perf_counter(), 0.0))
        began = time.perf_counter()
        made.push(block)
        stages = (made.stage_seconds[stage] for stage in STAGES)
        spent.append([time.perf_counter() - began, *stages])
    gc.unfreeze()
    return 1000 * np.array(spent)


def said(made: ForeignConverter, sound: Wave, seconds: float) -> Tensor:
    """What comes of so much speech, its latency taken off."""
    speech = blocks(sound, made.block)
    pushes = -(-round(seconds * made.sample_rate + made.latency) // made.block)
    wave = np.concatenate([made.push(next(speech)) for _ in range(pushes)])
    return torch.from_numpy(wave[made.latency :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 22], help="a block")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pushes", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=3.0, help="compared; 0: nothing is")
    parser.add_argument("--recorded", choices=("no", "yes"), nargs="+", default=["no", "yes"])
    parser.add_argument("--paced", action="store_true", help="in real time, as it is live")
    parser.add_argument("--compute", default=AUTO)
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = find_device(given.compute)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    voice = placed(device, given.precision)
    sound, rate = load_mono(VOICES_FOLDER / "demo.flac", voice.config.mel.sample_rate)
    print(f"{device.type} {card}, torch {torch.__version__}: {chosen(voice)}, {given.steps} calls")
    print(
        f"{'block ms':>8}  recorded"
        + "".join(f"{s:>12} p50     p99" for s in (*STAGES, "push"))
        + "     max"
    )
    ways = [word == "yes" for word in given.recorded]
    for frames in given.frames:
        for recorded in ways:
            made = converter(voice, frames, given.steps, recorded)
            spent = timed(made, sound, given.pushes, given.paced)
            p50, p99 = np.percentile(spent, 50, 0), np.percentile(spent, 99, 0)
            cells = "".join(f"{p50[i]:>16.2f}{p99[i]:>8.2f}" for i in (1, 2, 3, 0))
            length, word = 1000 * made.block / rate, "yes" if recorded else "no"
            print(f"{length:>8.1f}{word:>10}{cells}{spent[:, 0].max():>8.2f}", flush=True)
    if not given.seconds:
        return
    heard = [
        said(converter(voice, given.frames[0], given.steps, way), sound, given.seconds)
        for way in ways
    ]
    torch.set_num_threads(os.cpu_count() or 1)
    plain = converter(placed(torch.device("cpu"), "fp32"), given.frames[0], given.steps, False)
    wanted = said(plain, sound, given.seconds)
    for way, wave in zip(ways, heard, strict=True):
        beside = f"{'with' if way else 'without'} recordings, from the processor in fp32"
        print(f"{snr_db(wanted, wave):6.1f} dB {beside}")
    if len(heard) > 1:
        print(f"{snr_db(heard[0], heard[1]):6.1f} dB from without recordings to with them")


if __name__ == "__main__":
    main()
