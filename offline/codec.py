"""Copies of a feature folder's recordings as a speech codec leaves them, for content training.

    python -m offline.codec FEATURES OUT [--share 0.35] [--kbps 12 16 24] [--speakers PREFIX ...]

An utterance keeps its path and its timing, so the table of phone alignments holds for the copy too.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from core.config import VoiceConfig
from core.errors import ConfigError
from offline.preprocess import Manifest, Utterance, load_wave, wave_path

_OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)
_MOST_KBPS, _LEAST_KBPS = 256, 6  # libsndfile spreads its compression level between these


def coded(wave: NDArray[np.float32], rate: int, kbps: float = 16) -> NDArray[np.float32]:
    """Mono (T,) through Opus at about this bit rate and back: as long, and aligned."""
    if not _LEAST_KBPS <= kbps <= _MOST_KBPS:
        raise ConfigError(f"Opus codes {_LEAST_KBPS} to {_MOST_KBPS} kbit/s, not {kbps}")
    codec_rate = next((r for r in _OPUS_RATES if r >= rate), _OPUS_RATES[-1])
    level = (_MOST_KBPS - kbps) / (_MOST_KBPS - _LEAST_KBPS)
    packets = io.BytesIO()
    soundfile.write(
        packets,
        soxr.resample(wave, rate, codec_rate, "HQ"),
        codec_rate,
        format="OGG",
        subtype="OPUS",
        compression_level=level,
    )
    packets.seek(0)
    heard, heard_rate = soundfile.read(packets, dtype="float32")
    back = soxr.resample(heard, heard_rate, rate, "HQ")[: len(wave)]
    padded: NDArray[np.float32] = np.pad(back, (0, len(wave) - len(back)))
    return padded


def code_features(
    features: Path,
    out: Path,
    manifest: Manifest,
    share: float,
    kbps: list[float],
    prefixes: tuple[str, ...] = ("",),
    seed: int = 0,
) -> Manifest:
    """Writes coded copies of a random share of the utterances of these speakers; no f0.

    Each copy is coded at its recording's own rate, at one of the bit rates.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.random(len(manifest.utterances)) < share
    chosen: list[Utterance] = [
        u
        for u, taken in zip(manifest.utterances, drawn, strict=True)
        if taken and u.speaker.startswith(prefixes)
    ]
    for utterance in tqdm(chosen, "coded", disable=None):
        target = wave_path(out, utterance.path)
        bit_rate = float(rng.choice(kbps))
        if target.exists():
            continue
        recorded = next((r for r in _OPUS_RATES if r >= utterance.rate), _OPUS_RATES[-1])
        rate = VoiceConfig().audio.sample_rate
        plain = soxr.resample(load_wave(features, utterance), rate, recorded, "HQ")
        wave = soxr.resample(coded(plain, recorded, bit_rate), recorded, rate, "HQ")
        wave = np.pad(wave, (0, max(utterance.samples - len(wave), 0)))[: utterance.samples]
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, np.clip(wave * 32768, -32768, 32767).astype(np.int16))
    copies = Manifest(manifest.grid, tuple(chosen))
    copies.save(out)
    return copies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.35)
    parser.add_argument("--kbps", type=float, nargs="+", default=[12.0, 16.0, 24.0])
    parser.add_argument("--speakers", nargs="+", default=[""], metavar="PREFIX")
    args = parser.parse_args()
    config = VoiceConfig()
    manifest = Manifest.load(args.features, config.audio, config.f0)
    copies = code_features(
        args.features, args.out, manifest, args.share, args.kbps, tuple(args.speakers)
    )
    minutes = sum(u.samples for u in copies.utterances) / config.audio.sample_rate / 60
    print(f"{len(copies.utterances)} utterances, {minutes:.0f} minutes -> {args.out}")


if __name__ == "__main__":
    main()
