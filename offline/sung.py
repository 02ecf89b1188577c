"""Copies of a speaker's recordings sung higher, as recordings of their own to train on.

    python -m offline.sung FEATURES OUT --speakers NAME ... [--share 0.15]

Nobody in the data sings. WORLD keeps each recording's vocal tract and timing and gives it another
pitch: up to 900 Hz, flatter than speech, with vibrato. OUT is a feature folder with waves and f0.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from core.config import VoiceConfig
from core.f0 import f0_estimator
from core.f0.world import pyworld
from offline.preprocess import Manifest, f0_path, load_wave, save_array, wave_path

Array = NDArray[np.float64]

_FRAME_MS = 5.0
_SPEECH_HZ = 60.0, 600.0
_TOP_HZ = 850.0  # of a recording's mean: its vibrato reaches 900
_LEAST_RAISE = 1.2
_EXCURSION = 0.15, 0.8  # of speech's own, in log f0
_VIBRATO_HZ, _VIBRATO_CENTS = (5.0, 6.5), 60.0


def sung(
    wave: NDArray[np.float32], rate: int, rng: np.random.Generator
) -> NDArray[np.float32] | None:
    """Mono (T,) at a higher pitch: as long, and aligned; None where nothing is voiced."""
    whole = wave.astype(np.float64)
    low, high = _SPEECH_HZ
    f0, at = pyworld.dio(whole, rate, f0_floor=low, f0_ceil=high, frame_period=_FRAME_MS)
    f0 = pyworld.stonemask(whole, f0, at, rate)
    voiced = f0 > 0
    if voiced.sum() < 20:
        return None
    envelope = pyworld.cheaptrick(whole, f0, at, rate)
    aperiodicity = pyworld.d4c(whole, f0, at, rate)
    melody = np.zeros_like(f0)
    melody[voiced] = _melody(f0[voiced], at[voiced], rng)
    said = pyworld.synthesize(melody, envelope, aperiodicity, rate, _FRAME_MS)[: len(wave)]
    said = np.pad(said, (0, len(wave) - len(said)))
    said *= np.sqrt(np.mean(whole**2) / max(float(np.mean(said**2)), 1e-12))
    heard: NDArray[np.float32] = (said / max(1.0, float(np.abs(said).max()))).astype(np.float32)
    return heard


def sung_features(
    features: Path,
    out: Path,
    manifest: Manifest,
    speakers: Sequence[str],
    share: float,
    seed: int = 0,
) -> Manifest:
    """Writes sung copies of a random share of these speakers' recordings; what exists is kept."""
    config = VoiceConfig()
    estimate = f0_estimator(config.audio, config.f0)
    own = [u for u in manifest.utterances if u.speaker in speakers]
    order = np.random.default_rng(seed).permutation(len(own))[: round(share * len(own))]
    done = []
    for utterance in tqdm([own[i] for i in order], "sung", disable=None):
        target, pitch = wave_path(out, utterance.path), f0_path(out, utterance.path)
        if not pitch.exists():
            rng = np.random.default_rng([seed, zlib.crc32(utterance.path.encode())])
            wave = sung(load_wave(features, utterance), config.audio.sample_rate, rng)
            if wave is None:
                continue
            f0, voiced = estimate(wave)
            save_array(target, np.clip(wave * 32768, -32768, 32767).astype(np.int16))
            save_array(pitch, np.stack([f0, voiced.astype(np.float32)]).astype(np.float32))
        done.append(utterance)
    copies = Manifest(manifest.grid, tuple(done))
    copies.save(out)
    return copies


def _melody(f0: Array, at: Array, rng: np.random.Generator) -> Array:
    """Voiced f0 (n,) in Hz at times in seconds -> the same words' melody."""
    log_f0 = np.log(f0)
    mean = log_f0.mean()
    lowest = min(mean + np.log(_LEAST_RAISE), np.log(_TOP_HZ) - 0.1)
    centre = rng.uniform(lowest, np.log(_TOP_HZ))
    depth = rng.uniform(0.0, _VIBRATO_CENTS) / 1200 * np.log(2)
    vibrato = depth * np.sin(2 * np.pi * rng.uniform(*_VIBRATO_HZ) * at)
    melody: Array = np.exp(centre + rng.uniform(*_EXCURSION) * (log_f0 - mean) + vibrato)
    return melody


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = VoiceConfig()
    manifest = Manifest.load(args.features, config.audio, config.f0)
    copies = sung_features(args.features, args.out, manifest, args.speakers, args.share, args.seed)
    minutes = sum(u.samples for u in copies.utterances) / config.audio.sample_rate / 60
    print(f"{len(copies.utterances)} utterances, {minutes:.0f} minutes -> {args.out}")


if __name__ == "__main__":
    main()
