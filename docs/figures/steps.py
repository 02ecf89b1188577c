"""Draws docs/figures/steps.png and writes steps.tsv: what more sampler steps change.

    python -m docs.figures.steps DATA [--voice V] [--speaker S]

Some held-out recordings are converted with 1 to 32 steps and with 200, the reference, from the same
noise. The distance is the mean over frames of speech and mel bands, in dB. `spread` is the distance
of two references from different noise: what the model leaves to chance.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from core.config import VoiceParams
from core.diffusion.denoiser import StreamingDenoise
from core.diffusion.noise import NoiseTape
from core.diffusion.samplers import get_sampler
from core.diffusion.schedules import karras_sigmas
from core.features import Conditions
from core.resampler import resample
from core.voice import VoiceModel, find_voice
from docs.figures.embedded_voice import Recording, chosen

mpl.use("Agg")
import matplotlib.pyplot as plt

STEPS = (1, 2, 4, 8, 16, 32)
REFERENCE = 200
SAMPLERS = ("euler", "dpmpp_2m")
RECORDINGS = 6
LONGEST = 5  # seconds of each
DB_PER_NEPER = 20 / np.log(10)


def conditions(voice: VoiceModel, recording: Recording, speaker: int) -> Conditions:
    """What a conversion of the start of a recording tells the denoiser."""
    rate = voice.config.audio.sample_rate
    wave = resample(*recording.load(), rate)
    analysed = voice.analyser(wave[: LONGEST * rate])
    median = float(np.median(analysed.f0[analysed.voiced]))
    target = voice.config.speakers[speaker]
    weights = torch.eye(len(voice.config.speakers))[None, speaker, :, None]
    weights = weights.expand(-1, -1, analysed.frames)
    params = VoiceParams()
    units = voice.encoder.clear(analysed.units, params.clarity)
    return Conditions(
        voice.bank(units, weights, params.retrieval * target.retrieval_share),
        analysed.f0 * (target.f0_median / median),
        analysed.voiced,
        analysed.loudness,
        weights,
    )


def mel(voice: VoiceModel, told: Conditions, sampler: str, steps: int, seed: int = 0) -> Tensor:
    """Log mel (M, frames) of `steps` steps."""
    levels = voice.config.denoiser
    sigmas = karras_sigmas(steps, levels.sigma_min, levels.sigma_max, levels.rho)
    denoise = StreamingDenoise(voice.denoiser).begin(told)
    noise = NoiseTape(seed, voice.config.mel.n_mels).frames(0, told.frames)
    x = get_sampler(sampler)(denoise, denoise.start(noise, sigmas[0]), sigmas)
    made: Tensor = voice.denoiser.denormalise(x)[0]
    return made


def distance(a: Tensor, b: Tensor, told: Conditions) -> float:
    """Mean absolute distance in dB over frames within 40 dB of the loudest."""
    loud = told.loudness[0] > told.loudness.max() - 40
    return float((a - b).abs()[:, loud].mean()) * DB_PER_NEPER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--voice", default="embedded")
    parser.add_argument("--speaker", default="kathleen")
    args = parser.parse_args()
    voice = VoiceModel.load(find_voice(args.voice))
    speaker = voice.config.speaker_index(args.speaker)
    recordings = chosen(args.data)[: 2 * RECORDINGS : 2]
    table: dict[tuple[str, int], list[float]] = {}
    spread = []
    with torch.inference_mode():
        for recording in recordings:
            told = conditions(voice, recording, speaker)
            reference = mel(voice, told, "euler", REFERENCE)
            spread.append(distance(reference, mel(voice, told, "euler", REFERENCE, 1), told))
            for sampler in SAMPLERS:
                for steps in STEPS:
                    made = mel(voice, told, sampler, steps)
                    table.setdefault((sampler, steps), []).append(distance(made, reference, told))
    here = Path(__file__)
    with here.with_suffix(".tsv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(["steps", *(f"{sampler}_db" for sampler in SAMPLERS), "spread_db"])
        for steps in STEPS:
            means = [f"{np.mean(table[sampler, steps]):.2f}" for sampler in SAMPLERS]
            writer.writerow([steps, *means, f"{np.mean(spread):.2f}"])
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for sampler in SAMPLERS:
        axes.plot(STEPS, [np.mean(table[sampler, n]) for n in STEPS], marker="o", label=sampler)
    axes.axhline(np.mean(spread), color="0.6", ls="--", label="reference, other noise")
    axes.set_xscale("log", base=2)
    axes.set_xticks(STEPS, [str(n) for n in STEPS])
    axes.set_xlabel("sampler steps")
    axes.set_ylabel(f"mel distance to {REFERENCE} steps, dB")
    axes.set_ylim(0)
    axes.legend(frameon=False)
    figure.savefig(here.with_suffix(".png"), dpi=130)
    print(here.with_suffix(".tsv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
