"""Draws docs/figures/foreign_default.png: which sampler a diff-svc voice needs, and how many calls.

    python -m docs.figures.foreign_default FEATURES SPEAKER VOICE.safetensors

VOICE: what `docs.figures.foreign_voice` trained on that speaker; the recordings it held back are
told to it. Distance: of the mel to that of DDIM over all 1000 steps from the same noise, the mean
over frames and bins, in dB. All with the clean mel clamped to the range of the training, as the
original's DDPM does. `fitted` is fitted on two recordings that the voice learned from. Writes
foreign_default.tsv, too.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from core.config import VoiceConfig
from core.diff_svc.convert import Keyed
from core.diff_svc.voice import DiffSvcVoice
from core.diffusion.discrete import DiscreteSchedule
from core.diffusion.fitted import CALLS as FITTED_CALLS
from core.diffusion.fitted import fit, sample_fitted, small_steps
from core.diffusion.fitted import levels as fitted_levels
from core.diffusion.fitted_steps import FittedSteps
from core.diffusion.original import bind
from core.diffusion.samplers import SAMPLERS, Sampler, sample_unipc
from core.diffusion.schedules import karras_sigmas, leap_sigmas, log_uniform_sigmas
from core.voice import VoiceModel, find_voice
from docs.figures.foreign_voice import HELD_BACK, utterances
from offline.preprocess import Manifest, load_f0, load_wave

mpl.use("Agg")
import matplotlib.pyplot as plt

RECORDINGS, FRAMES = 2, 160
CALLS = (5, 6, 8, 10, 12, 16, 20, 24)
WAYS: dict[str, Sampler] = {
    **{name: SAMPLERS[name] for name in ("ddim", "dpmpp_2m", "unipc", "plms")},
    "unipc, order 3": partial(sample_unipc, order=3),
}


def told(
    folder: Path, speaker: str, voice: DiffSvcVoice, which: slice = slice(-RECORDINGS, None)
) -> list[Tensor]:
    """The conditions (1, H, FRAMES) of recordings, by default of those that were held back."""
    native = VoiceConfig()
    encoder = VoiceModel.load(find_voice("embedded")).analyser.encoder
    manifest = Manifest.load(folder, native.audio, native.f0)
    known = {u.path: u for u in manifest.utterances}
    made = []
    for path in utterances(folder, speaker)[which]:
        wave = load_wave(folder, known[path])[: FRAMES * native.audio.hop_length]
        f0, voiced = (part[:FRAMES] for part in load_f0(folder, known[path]))
        tensor = torch.from_numpy(wave)[None]
        heard = voice.hear(tensor, encoder(tensor).transpose(1, 2), np.where(voiced, f0, 0.0))
        made.append(voice.conditioned(heard)[0])
    return made


def spacings(schedule: DiscreteSchedule) -> dict[str, Callable[[int], tuple[float, ...]]]:
    low, high = schedule.sigma(0), schedule.sigma(schedule.timesteps - 1)
    return {
        "even in step": schedule.uniform_sigmas,
        "even in log sigma": lambda steps: log_uniform_sigmas(steps, low, high),
        "leap": lambda steps: leap_sigmas(steps, low, high),
        "Karras, rho 7": lambda steps: karras_sigmas(steps, low, high),
    }


def fitted_steps(voice: DiffSvcVoice, cond: Tensor) -> list[FittedSteps]:
    """One for each of FITTED_CALLS, fitted to the voice told cond (B, H, T)."""
    schedule = voice.diffusion.levels
    low, top = schedule.sigma(0), schedule.sigma(schedule.timesteps - 1)
    network = schedule.denoise(bind(voice.diffusion, cond), clamp=1.0)
    noise = torch.cat([Keyed(voice, 1 + i, 0).start(cond.shape[2]) for i in range(len(cond))])
    start, fine = noise / schedule.alpha(top), schedule.uniform_sigmas(schedule.timesteps)
    made = []
    for calls in FITTED_CALLS:
        sigmas = fitted_levels(calls, low, top)
        path = small_steps(network, start, fine, sigmas[1:])
        made.append(fit(network, start, sigmas, path))
    return made


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("speaker")
    parser.add_argument("voice", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    voice = DiffSvcVoice.load(given.voice)
    diffusion = voice.diffusion
    schedule = DiscreteSchedule(diffusion.alphas_cumprod.double().numpy())
    top = schedule.sigma(schedule.timesteps - 1)
    distances: dict[tuple[str, str, int], list[float]] = {}
    learned = told(given.features, given.speaker, voice, slice(-HELD_BACK - 2, -HELD_BACK))
    fitted = fitted_steps(voice, torch.cat(learned))
    for cond in told(given.features, given.speaker, voice):
        noise, predict = Keyed(voice, 0, 0).start(FRAMES), bind(diffusion, cond)
        start, network = noise / schedule.alpha(top), schedule.denoise(predict, clamp=1.0)
        every = schedule.uniform_sigmas(schedule.timesteps)
        wanted = diffusion.denormalise(SAMPLERS["ddim"](network, start, every))

        def note(
            sampler: str, spacing: str, calls: int, x: Tensor, wanted: Tensor = wanted
        ) -> None:
            apart = 20 * float((diffusion.denormalise(x) - wanted).abs().mean())
            distances.setdefault((sampler, spacing, calls), []).append(apart)
            print(f"{sampler:<10}{spacing:<20}{calls:>4}{apart:>8.3f} dB", flush=True)

        for speedup in (10, 20, 50, 100):
            steps = schedule.timesteps // speedup
            levels = [schedule.sigma(speedup * i) for i in reversed(range(steps))]
            x = SAMPLERS["plms"](network, noise / schedule.alpha(levels[0]), (*levels, 0.0))
            note("original", "every n-th", steps + 1, x)
        for steps in fitted:
            note("fitted", "leap", steps.calls, sample_fitted(network, start, steps))
        for spacing, levels in spacings(schedule).items():
            for name, way in WAYS.items():
                for steps in CALLS:
                    calls = steps + (name == "plms")
                    if calls <= max(CALLS):
                        x = way(network, start, levels(steps))
                        note(name, spacing, calls, x)
    means = {key: float(np.mean(values)) for key, values in distances.items()}
    with Path(__file__).with_suffix(".tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("sampler", "spacing", "evaluations", "dB"))
        writer.writerows((*key, f"{mean:.3f}") for key, mean in means.items())
    draw(means)


def draw(means: dict[tuple[str, str, int], float]) -> None:
    panels = sorted({spacing for _, spacing, _ in means} - {"every n-th"})
    figure, axes = plt.subplots(1, 4, figsize=(15, 4), sharey=True, layout="constrained")
    best = means["original", "every n-th", 101]
    for panel, spacing in zip(axes, panels, strict=True):
        for name in ("original", *WAYS, *(("fitted",) if spacing == "leap" else ())):
            own = "every n-th" if name == "original" else spacing
            line = sorted(
                (calls, m) for (s, sp, calls), m in means.items() if (s, sp) == (name, own)
            )
            panel.plot(*zip(*line, strict=True), "o-", ms=3.5, lw=1.3, label=name)
        panel.axhline(1.01 * best, color="0.5", lw=0.8, ls="--")
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_title(spacing)
        panel.set_xlabel("evaluations of the network")
        panel.grid(alpha=0.25)
    axes[0].set_ylabel("dB to DDIM over 1000 steps")
    axes[-1].legend(frameon=False, fontsize=8)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
