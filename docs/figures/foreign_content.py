"""Teaches a small HuBERT-soft the units of the embedded voice, for the figure on live windows.

    python -m docs.figures.foreign_content FEATURES SPEAKER CONTENT.safetensors [--minutes 8]

The layout is that of the public one: GroupNorm over time, attention over all that it hears. So what
a window costs it is of the same kind, though not of the same size. Minutes are of the processor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from core.config import VoiceConfig
from core.content.hubert_soft import HubertSoft
from core.content.phonetic import PhoneticEncoder
from core.diff_svc.foreign import UNIT_HOP, UNIT_RATE
from core.kaiser_best import resample_kaiser_best
from core.voice import VoiceModel, find_voice
from docs.figures.foreign_voice import HELD_BACK, utterances
from offline.preprocess import Manifest, load_wave

CHANNELS, WIDTH, INNER, LAYERS, POSITION = 48, 96, 192, 3, 32
UNITS = 50, 100, 200  # of a batch, by turns
FRAMES, RATE = 1200, 1.5e-3  # of a batch; of learning


class Lesson(NamedTuple):
    """wave at 16 kHz (n * 320,), units (n, D)."""

    wave: Tensor
    units: Tensor


def lesson(wave: NDArray[np.float32], encoder: PhoneticEncoder) -> Lesson:
    """What the encoder says at the middle of each 20 ms."""
    audio = VoiceConfig().audio
    with torch.inference_mode():
        said = encoder(torch.from_numpy(wave)[None])[0].T.clone()
    heard = torch.from_numpy(resample_kaiser_best(wave, audio.sample_rate, UNIT_RATE))
    n = len(heard) // UNIT_HOP
    middles = (torch.arange(n) * UNIT_HOP + UNIT_HOP // 2) * audio.sample_rate // UNIT_RATE
    places = (middles // audio.hop_length).clamp(max=len(said) - 1)
    return Lesson(heard[: n * UNIT_HOP], said[places])


def teach(data: list[Lesson], minutes: float, say: int = 100) -> HubertSoft:
    model = HubertSoft(CHANNELS, WIDTH, INNER, LAYERS, data[0].units.shape[1], POSITION)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    generator = np.random.default_rng(0)
    started, share, step, mean = time.process_time(), 0.0, 0, 1.0
    scale = torch.cat([item.units for item in data]).var()
    while share < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * (1 - share) ** 0.5
        length = UNITS[step % len(UNITS)]
        fitting = [item for item in data if len(item.units) > length]
        waves, wanted = [], []
        for i in generator.integers(len(fitting), size=FRAMES // length):
            at = int(generator.integers(len(fitting[i].units) - length))
            waves.append(fitting[i].wave[at * UNIT_HOP : (at + length) * UNIT_HOP])
            wanted.append(fitting[i].units[at : at + length])
        with torch.autocast("cpu", torch.bfloat16):
            said = model(torch.stack(waves))
        loss = (said.float() - torch.stack(wanted)).square().mean() / scale
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        mean += 0.02 * (loss.item() - mean)
        step += 1
        share = (time.process_time() - started) / (60 * minutes)
        if step % say == 0:
            print(f"{share:5.1%}  step {step}  of the variance left {mean:.3f}", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("speaker")
    parser.add_argument("content", type=Path)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--recordings", type=int, default=300)
    given = parser.parse_args()
    torch.manual_seed(0)
    native = VoiceConfig()
    encoder = VoiceModel.load(find_voice("embedded")).analyser.encoder
    manifest = Manifest.load(given.features, native.audio, native.f0)
    known = {u.path: u for u in manifest.utterances}
    paths = utterances(given.features, given.speaker)[:-HELD_BACK][: given.recordings]
    data = [lesson(load_wave(given.features, known[path]), encoder) for path in paths]
    print(f"{len(data)} recordings, {sum(len(item.units) for item in data)} units", flush=True)
    model = teach(data, given.minutes)
    save_file({key: weight.clone() for key, weight in model.state_dict().items()}, given.content)


if __name__ == "__main__":
    main()
