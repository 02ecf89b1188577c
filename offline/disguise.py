"""Copies of a feature folder's recordings said by somebody else, for training on their units.

    python -m offline.disguise FEATURES OUT [--speakers PREFIX ...] [--share 1] [--copies 1]

WORLD takes speech apart and puts it together with another pitch, another vocal tract, another
long-term spectrum and other breath. An utterance keeps its path and its timing, so the table of
phone alignments holds for the copy too. What exists already is kept; copies go to OUT/0, OUT/1, ...
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from core.config import VoiceConfig
from core.errors import VoiceChangerError
from core.f0.world import pyworld
from offline.preprocess import Manifest, Utterance, load_wave, save_array, wave_path

Array = NDArray[np.float64]

_RATE = 16_000  # what the content encoders hear, and three times as fast as 44.1 kHz
_FRAME_MS = 5.0
_N_FFT = 1024  # CheapTrick's at 16 kHz for voices down to 47 Hz
_F0_RANGE = 60.0, 600.0
_F0_FACTORS = 0.55, 1.8
_F0_MEANS = 75.0, 330.0  # Hz, what people speak at
_FORMANTS = 0.84, 1.2
_MOST_COLOUR_DB = 15.0
_SMOOTH_HZ = 180.0  # standard deviation: colours, not formants
_DONOR_SECONDS = 10
_SAVE_EVERY = 200


@dataclass(frozen=True)
class Disguise:
    """How somebody else differs. Factors of frequency multiply; the level is in dB.

    excursion: of log f0 around its mean. low, high: of the formants around 1 and 3.5 kHz.
    colour: share of the way to the donor's long-term spectrum. breath: exponent of the
    aperiodicity, under 1 breathier, over 1 clearer.
    """

    f0: float = 1.0
    excursion: float = 1.0
    low: float = 1.0
    high: float = 1.0
    colour: float = 0.0
    breath: float = 1.0
    level_db: float = 0.0

    @staticmethod
    def draw(rng: np.random.Generator, mean_f0: float) -> Disguise:
        """Somebody at random; the higher the voice, the shorter by tendency the vocal tract."""
        lowest = float(np.clip(_F0_MEANS[0] / mean_f0, _F0_FACTORS[0], 1.0))
        highest = float(np.clip(_F0_MEANS[1] / mean_f0, 1.0, _F0_FACTORS[1]))
        octaves = rng.uniform(np.log2(lowest), np.log2(highest), 2)
        f0 = float(2.0 ** octaves[np.abs(octaves).argmax()])  # of two the one further off
        common = 0.25 * np.log(f0) + rng.normal(0.0, 0.07)
        low, high = np.clip(np.exp(common + rng.normal(0.0, 0.04, 2)), *_FORMANTS)
        return Disguise(
            f0=f0,
            excursion=float(rng.uniform(0.7, 1.3)),
            low=float(low),
            high=float(high),
            colour=float(np.sqrt(rng.uniform())),
            breath=float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))),
            level_db=float(rng.uniform(-3.0, 3.0)),
        )


def disguise(
    wave: NDArray[np.float32],
    rate: int,
    rng: np.random.Generator,
    donor_envelope: Array | None = None,
) -> NDArray[np.float32]:
    """Mono (T,) said by somebody else drawn at random: as long, and aligned.

    donor_envelope: from `mean_envelope`; without one the long-term spectrum is only warped.
    """
    narrow = _at_16k(wave, rate)
    f0, at = _pitch(narrow)
    mean_f0 = float(np.exp(np.log(f0[f0 > 0]).mean())) if (f0 > 0).any() else 150.0
    return _spoken(wave, rate, narrow, f0, at, Disguise.draw(rng, mean_f0), donor_envelope)


def spoken_as(
    wave: NDArray[np.float32], rate: int, other: Disguise, donor_envelope: Array | None = None
) -> NDArray[np.float32]:
    """Mono (T,) in this disguise: as long, and aligned."""
    narrow = _at_16k(wave, rate)
    return _spoken(wave, rate, narrow, *_pitch(narrow), other, donor_envelope)


def mean_envelope(wave: NDArray[np.float32], rate: int) -> Array | None:
    """The mean log power envelope over voiced frames, None where hardly any is voiced."""
    narrow = _at_16k(wave, rate)
    f0, at = _pitch(narrow)
    if (f0 > 0).sum() * _FRAME_MS < 500:
        return None
    return _mean(pyworld.cheaptrick(narrow, f0, at, _RATE, fft_size=_N_FFT), f0)


def disguise_features(
    features: Path,
    out: Path,
    manifest: Manifest,
    prefixes: tuple[str, ...] = ("",),
    share: float = 1.0,
    donors: Sequence[Array] = (),
    seed: int = 0,
) -> Manifest:
    """Writes disguised copies of a random share of the utterances of these speakers; no f0.

    They come in random order, and the manifest lists what is there so far.
    """
    rate = VoiceConfig().audio.sample_rate
    rng = np.random.default_rng(seed)
    own = [u for u in manifest.utterances if u.speaker.startswith(prefixes)]
    chosen = [own[i] for i in rng.permutation(len(own))[: round(share * len(own))]]
    done: list[Utterance] = []
    for utterance in tqdm(chosen, "disguised", disable=None):
        target = wave_path(out, utterance.path)
        if not target.exists():
            own_rng = np.random.default_rng([seed, zlib.crc32(utterance.path.encode())])
            donor = donors[int(own_rng.integers(len(donors)))] if donors else None
            wave = disguise(load_wave(features, utterance), rate, own_rng, donor)
            save_array(target, np.clip(wave * 32768, -32768, 32767).astype(np.int16))
        done.append(utterance)
        if len(done) % _SAVE_EVERY == 0:
            Manifest(manifest.grid, tuple(done)).save(out)
    copies = Manifest(manifest.grid, tuple(done))
    copies.save(out)
    return copies


def donor_envelopes(
    features: Path, manifest: Manifest, prefixes: tuple[str, ...], most: int = 60, seed: int = 0
) -> list[Array]:
    """The long-term spectra of some of these speakers, from ten seconds each."""
    rate = VoiceConfig().audio.sample_rate
    speakers = sorted({u.speaker for u in manifest.utterances if u.speaker.startswith(prefixes)})
    chosen = np.random.default_rng(seed).permutation(speakers)[:most]
    found = []
    for speaker in tqdm(chosen, "donors", disable=None):
        longest = max(
            (u for u in manifest.utterances if u.speaker == speaker), key=lambda u: u.samples
        )
        wave = load_wave(features, longest)[: _DONOR_SECONDS * rate]
        envelope = mean_envelope(wave, rate)
        if envelope is not None:
            found.append(envelope)
    return found


def _at_16k(wave: NDArray[np.float32], rate: int) -> Array:
    narrow: Array = soxr.resample(wave.astype(np.float64), rate, _RATE, "HQ")
    return narrow


def _pitch(narrow: Array) -> tuple[Array, Array]:
    """f0 in Hz, 0 where unvoiced, and its times in seconds."""
    low, high = _F0_RANGE
    f0, at = pyworld.dio(narrow, _RATE, f0_floor=low, f0_ceil=high, frame_period=_FRAME_MS)
    return pyworld.stonemask(narrow, f0, at, _RATE), at


def _aperiodicity(narrow: Array, f0: Array, at: Array) -> Array:
    """D4C at every other frame, the dearest step; it hears 30 ms at a time anyway. (T, bins)"""
    f0, at = np.ascontiguousarray(f0[::2]), np.ascontiguousarray(at[::2])
    coarse = pyworld.d4c(narrow, f0, at, _RATE, fft_size=_N_FFT)
    fine: Array = np.repeat(coarse, 2, axis=0)
    fine[1:-1:2] = (coarse[:-1] + coarse[1:]) / 2
    return fine


def _spoken(
    wave: NDArray[np.float32],
    rate: int,
    narrow: Array,
    f0: Array,
    at: Array,
    other: Disguise,
    donor_envelope: Array | None,
) -> NDArray[np.float32]:
    power = float(np.mean(narrow**2)) if len(narrow) else 0.0
    if power < 1e-12:
        return np.zeros_like(wave)
    envelope = pyworld.cheaptrick(narrow, f0, at, _RATE, fft_size=_N_FFT)
    aperiodicity = _aperiodicity(narrow, f0, at)[: len(f0)]
    envelope = _warped(envelope, other)
    aperiodicity = np.clip(_warped(aperiodicity, other) ** other.breath, 1e-6, 1.0)
    voiced = f0 > 0
    if donor_envelope is not None and voiced.any():
        away = other.colour * (donor_envelope - _mean(envelope, f0))
        most = _MOST_COLOUR_DB * np.log(10) / 10
        envelope = envelope * np.exp(np.clip(away - away.mean(), -most, most))
    new_f0 = np.zeros_like(f0)
    if voiced.any():
        log_f0 = np.log(f0[voiced])
        mean = log_f0.mean()
        new_f0[voiced] = np.exp(mean + np.log(other.f0) + other.excursion * (log_f0 - mean))
    said = pyworld.synthesize(
        new_f0,
        np.ascontiguousarray(envelope),
        np.ascontiguousarray(aperiodicity),
        _RATE,
        _FRAME_MS,
    )
    said *= np.sqrt(power / max(float(np.mean(said**2)), 1e-12)) * 10 ** (other.level_db / 20)
    back = soxr.resample(said, _RATE, rate, "HQ")[: len(wave)]
    back = np.pad(back, (0, len(wave) - len(back)))
    heard: NDArray[np.float32] = (back / max(1.0, float(np.abs(back).max()))).astype(np.float32)
    return heard


def _warped(spectra: Array, other: Disguise) -> Array:
    """(T, bins) with what was around 1 and 3.5 kHz moved, and the ends of the band kept."""
    hz = np.linspace(0.0, _RATE / 2, spectra.shape[1])
    knees = np.array([0.0, 1000.0, 3500.0, _RATE / 2])
    moved = knees * (1.0, other.low, other.high, 1.0)
    place = np.interp(hz, moved, knees) / hz[1]
    left = np.minimum(place.astype(int), len(hz) - 2)
    part = place - left
    log = np.log(spectra + 1e-16)
    warped: Array = np.exp(log[:, left] * (1 - part) + log[:, left + 1] * part)
    return warped


def _mean(envelope: Array, f0: Array) -> Array:
    """Mean log power over voiced frames, smooth over frequency. (T, bins) -> (bins,)"""
    mean = np.log(envelope[f0 > 0] + 1e-12).mean(axis=0)
    bin_hz = _RATE / _N_FFT
    smooth: Array = gaussian_filter1d(mean, _SMOOTH_HZ / bin_hz, mode="nearest")
    return smooth


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--speakers", nargs="+", default=[""], metavar="PREFIX")
    parser.add_argument("--donors", nargs="+", default=["ls_", "emodb_", "ar_"], metavar="PREFIX")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = VoiceConfig()
    manifest = Manifest.load(args.features, config.audio, config.f0)
    donors = donor_envelopes(args.features, manifest, tuple(args.donors), seed=args.seed)
    if not donors:
        raise VoiceChangerError(
            f"no speaker of {args.features} is called {', '.join(args.donors)}...; "
            "name others with --donors"
        )
    for copy in range(args.copies):
        out = args.out if args.copies == 1 else args.out / str(copy)
        copies = disguise_features(
            args.features,
            out,
            manifest,
            tuple(args.speakers),
            args.share,
            donors,
            args.seed + copy,
        )
        minutes = sum(u.samples for u in copies.utterances) / config.audio.sample_rate / 60
        print(f"{len(copies.utterances)} utterances, {minutes:.0f} minutes -> {out}")


if __name__ == "__main__":
    main()
