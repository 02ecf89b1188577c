"""Trains a small voice by the recipe of diff-svc, for the figures on samplers and on live windows.

    python -m docs.figures.foreign_voice FEATURES SPEAKER VOICE.safetensors [--minutes 15]

As the original: a non-causal DiffNet of 20 layers, three times as wide as the mel, 1000 linear
betas, the mean squared error of the noise at a random step, AdamW. A quarter of the bins, and with
the units of the embedded voice as content.
FEATURES: a folder that `moksori preprocess` wrote. Minutes are of the processor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from core.config import VoiceConfig
from core.content.phonetic import PhoneticEncoder
from core.diff_svc.alignment import align
from core.diff_svc.condition import Condition
from core.diff_svc.config import ForeignConfig, MelFormat, PitchFormat
from core.diff_svc.foreign import save_foreign
from core.diff_svc.mel import MelFrontEnd
from core.diff_svc.pitch import log_pitch
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.diffusion.gaussian import GaussianDiffusion, schedule_betas, schedule_buffers
from core.precision import faster_on
from core.voice import VoiceModel, find_voice
from offline.preprocess import Manifest, load_f0, load_wave

BINS, CHANNELS = 32, 96  # the ratio is the original's: through fewer channels no noise fits
LAYERS, CYCLE, TIMESTEPS = 20, 4, 1000
CROP, BATCH, RATE = 64, 12, 1e-3
FORM = MelFormat(n_mels=BINS)
HELD_BACK = 12  # recordings, the last ones
PITCH = PitchFormat(use_uv=False)


class Example(NamedTuple):
    """units (D, T), log2 f0 and unvoiced (T,), mel (M, T) in log10."""

    units: Tensor
    log2: Tensor
    unvoiced: Tensor
    mel: Tensor


class Teller(nn.Module):
    """The condition's tables and the diffusion, trained together."""

    def __init__(self, units: int, low: Tensor, high: Tensor) -> None:
        super().__init__()
        net = DiffNet(DiffNetSize(len(low), units, CHANNELS, LAYERS, CYCLE))
        for part in net.modules():
            if isinstance(part, nn.Conv1d):
                nn.init.kaiming_normal_(part.weight)
        nn.init.zeros_(net.output_projection.weight)
        self.diffusion = GaussianDiffusion(net, TIMESTEPS, len(low))
        betas = schedule_buffers(schedule_betas("linear", TIMESTEPS, 0.02))
        for name, values in {**betas, "spec_min": low, "spec_max": high}.items():
            self.diffusion.get_buffer(name).copy_(values)
        self.condition = Condition(PITCH, units**-0.5 * torch.randn(300, units))

    def loss(self, batch: list[Example]) -> Tensor:
        units, log2, unvoiced, mel = (torch.stack(part) for part in zip(*batch, strict=True))
        places = align(CROP, CROP).expand(len(batch), -1)
        cond, _ = self.condition(units.transpose(1, 2), places, log2, unvoiced)
        step = torch.randint(0, TIMESTEPS, (len(batch),))
        return self.diffusion.loss(mel, cond, step, torch.randn_like(mel))


def utterances(folder: Path, speaker: str) -> list[str]:
    """Of one speaker, in order."""
    native = VoiceConfig()
    manifest = Manifest.load(folder, native.audio, native.f0)
    return sorted(u.path for u in manifest.utterances if u.speaker == speaker)


def examples(folder: Path, speaker: str, encoder: PhoneticEncoder, limit: int) -> list[Example]:
    native = VoiceConfig()
    wanted = {u.path: u for u in Manifest.load(folder, native.audio, native.f0).utterances}
    front_end, hop = MelFrontEnd(FORM), native.audio.hop_length
    found = []
    for path in utterances(folder, speaker)[:-HELD_BACK][:limit]:
        wave = load_wave(folder, wanted[path])
        wave = wave[: len(wave) // hop * hop]
        frames = len(wave) // hop
        if frames <= CROP:
            continue
        f0, voiced = (part[:frames] for part in load_f0(folder, wanted[path]))
        pitch = log_pitch(np.where(voiced, f0, 0.0).astype(np.float64))
        tensor = torch.from_numpy(wave)[None]
        with torch.inference_mode():
            parts = encoder(tensor)[0], front_end(tensor)[0]
        track = torch.from_numpy(pitch.log2), torch.from_numpy(pitch.unvoiced)
        found.append(Example(parts[0].clone(), *track, parts[1].clone()))
    return found


def crop(example: Example, generator: np.random.Generator) -> Example:
    at = int(generator.integers(example.mel.shape[1] - CROP))
    return Example(*(part[..., at : at + CROP] for part in example))


def train(data: list[Example], minutes: float, say: int = 100) -> Teller:
    """Falling rate over the processor minutes."""
    mels = torch.cat([example.mel for example in data], 1)
    model = Teller(len(data[0].units), mels.amin(1), mels.amax(1))
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.0)
    generator, half = np.random.default_rng(0), bool(faster_on(torch.device("cpu")))
    lengths = np.array([example.mel.shape[1] for example in data], float)
    started, share, step, mean = time.process_time(), 0.0, 0, 1.0
    while share < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100) * (1 - share) ** 0.5
        chosen = generator.choice(len(data), BATCH, p=lengths / lengths.sum())
        batch = [crop(data[i], generator) for i in chosen]
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model.loss(batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        mean += 0.02 * (loss.item() - mean)
        step += 1
        share = (time.process_time() - started) / (60 * minutes)
        if step % say == 0:
            print(f"{share:5.1%}  step {step}  loss {mean:.4f}", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("speaker")
    parser.add_argument("voice", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--recordings", type=int, default=400)
    given = parser.parse_args()
    torch.manual_seed(0)
    encoder = VoiceModel.load(find_voice("embedded")).analyser.encoder
    data = examples(given.features, given.speaker, encoder, given.recordings)
    print(f"{len(data)} recordings, {sum(e.mel.shape[1] for e in data)} frames", flush=True)
    model = train(data, given.minutes)
    config = ForeignConfig(given.speaker, mel=FORM, pitch=PITCH, mel_min=-5.0, units=encoder.dim)
    save_foreign(given.voice, config, model.state_dict())


if __name__ == "__main__":
    main()
