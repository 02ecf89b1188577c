"""Core seconds a second of sound, by stage, of a full-size diff-svc voice live, over the block.

    python -m docs.figures.foreign_live [--blocks 0.25 0.5 1 2] [--steps 5 10] [--vocoder embedded]

Random weights: the time does not depend on them. One thread, and the processor's clock rather than
the wall's, so that a machine at work elsewhere says the same: on two cores sound keeps up where the
sum stays below two.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch

from core.audio import load_mono
from core.content.hubert_soft import HubertSoft
from core.content.precision import content_in_precision
from core.diff_svc.config import ForeignConfig
from core.diff_svc.converter import ForeignConverter
from core.diff_svc.foreign import EmbeddedVocoder
from core.diff_svc.live import live_stream
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.gaussian import GaussianDiffusion, schedule_betas, schedule_buffers
from core.diffusion.precision import in_precision
from core.precision import AUTO, PRECISIONS
from core.vocoder.nsf_hifigan import NsfHifiGan
from core.voice import VOICES_FOLDER
from docs.figures.foreign_speed import VOCODER

PUSHES = 3
CORES = 2


def full_size(vocoder: str) -> DiffSvcVoice:
    """The sizes of the public voices: HuBERT-soft, 20 layers of 384 channels, NSF-HiFiGAN."""
    torch.manual_seed(0)
    diffusion = GaussianDiffusion(DiffNet(DiffNetSize(128, 256, 384, 20, 4)), 1000, 1)
    for name, values in schedule_buffers(schedule_betas("linear", 1000, 0.02)).items():
        diffusion.get_buffer(name).copy_(values)
    diffusion.spec_min.fill_(-5.0)
    weights = {f"diffusion.{key}": value for key, value in diffusion.state_dict().items()}
    weights["condition.pitch_embed.weight"] = torch.randn(300, 256)
    voice = DiffSvcVoice(ForeignConfig(), weights)
    voice.config = replace(voice.config, content="hubert-soft")
    voice.content = HubertSoft(512, 768, 3072, 12, 256, 128).eval()
    voice.vocoder = EmbeddedVocoder() if vocoder == "embedded" else NsfHifiGan(VOCODER).eval()
    return voice


def lowered(voice: DiffSvcVoice, precision: str) -> DiffSvcVoice:
    """As an imported voice is loaded, see `core/diff_svc/wish.py`."""
    assert voice.content is not None
    voice.content = content_in_precision(voice.content, precision)
    voice.diffusion.denoise_fn = in_precision(voice.diffusion.denoise_fn, precision)
    return voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=float, nargs="+", default=[0.25, 0.5, 1.0, 2.0])
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--vocoder", choices=("nsf-hifigan", "embedded"), default="nsf-hifigan")
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    given = parser.parse_args()
    torch.set_num_threads(1)
    voice = lowered(full_size(given.vocoder), given.precision)
    form = voice.config.mel
    sound, _ = load_mono(VOICES_FOLDER / "demo.flac", form.sample_rate)
    print(" block steps   content  denoiser   vocoder  of two cores")
    for steps in given.steps:
        for seconds in given.blocks:
            frames = round(seconds * form.frame_rate)
            stream = replace(live_stream(form), block_frames=frames, steps=steps)
            converter = ForeignConverter(voice, stream, clock=time.process_time)
            spent = defaultdict(list)
            past = -(-converter.plan.window // converter.block)  # until the window is full
            for i in range(past + PUSHES):
                at = np.arange(i * converter.block, (i + 1) * converter.block) % len(sound)
                converter.push(sound[at])
                if i >= past:
                    for stage, value in converter.stage_seconds.items():
                        spent[stage].append(value * form.sample_rate / converter.block)
            costs = [float(np.median(spent[s])) for s in ("content", "denoiser", "vocoder")]
            cells = "".join(f"{cost:>10.2f}" for cost in costs)
            print(f"{seconds:>6.2f} {steps:>5}{cells} {sum(costs) / CORES:>13.2f}", flush=True)


if __name__ == "__main__":
    main()
