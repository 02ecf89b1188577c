"""What can lie between a speaker and the converter: rooms, noise, levels, narrow bands, codecs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from core.audio import load_mono
from core.errors import VoiceChangerError
from core.resampler import Wave, resample
from offline.codec import coded

_FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Condition:
    """room: number of the impulse response. noise: "white" or a recording of DATA/noise, snr_db
    below the speech. level_db: of the speech, in dBFS. band: sample rate of the way in between, Hz.
    opus: kbit/s. None is left out; they happen in this order, the level before band and codec.
    """

    room: int | None = None
    noise: str | None = None
    snr_db: float = 10.0
    level_db: float | None = None
    band: int | None = None
    opus: float | None = None

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """The options that `of` reads."""
        group = parser.add_argument_group("what the converter hears; the judges get it clean")
        group.add_argument(
            "--room", type=int, metavar="N", help="impulse response of DATA/noise/rir"
        )
        group.add_argument("--noise", metavar="KIND", help="white, or a recording of DATA/noise")
        group.add_argument("--snr", type=float, default=10.0, metavar="DB", help="of the noise")
        group.add_argument("--level", type=float, metavar="DBFS", help="of the speech")
        group.add_argument(
            "--band", type=int, metavar="HZ", help="sample rate of the way in between"
        )
        group.add_argument("--opus", type=float, metavar="KBPS")

    @staticmethod
    def of(args: argparse.Namespace) -> Condition:
        """The condition the options ask for."""
        return Condition(args.room, args.noise, args.snr, args.level, args.band, args.opus)

    def apply(self, wave: Wave, rate: int, data: Path, seed: int = 0) -> Wave:
        """Clean mono (T,) -> what is heard of it, as long and in time."""
        heard = wave.astype(np.float64)
        speech = active_level(wave, rate)
        if self.room is not None:
            response, _ = load_mono(data / "noise" / "rir" / f"room_{self.room:02d}.flac", rate)
            direct = int(np.abs(response).argmax())
            heard = fftconvolve(heard, response[direct:])[: len(wave)]
            heard *= speech / active_level(heard.astype(np.float32), rate)
        if self.noise is not None:
            noise = _noise(self.noise, len(wave), rate, data, seed)
            level = float(np.sqrt(np.mean(noise.astype(np.float64) ** 2)))
            heard += noise * (speech / level * 10 ** (-self.snr_db / 20))
        if self.level_db is not None:
            heard *= 10 ** (self.level_db / 20) / speech
        result = np.clip(heard, -1, 1).astype(np.float32)
        if self.band is not None:
            narrow = resample(result, rate, self.band)
            result = resample(narrow, self.band, rate)[: len(wave)]
            result = np.pad(result, (0, len(wave) - len(result)))
        return result if self.opus is None else coded(result, rate, self.opus)


def active_level(wave: Wave, rate: int) -> float:
    """Root mean square of the frames that are no pause: less than 15 dB under the mean."""
    frame = int(_FRAME_SECONDS * rate)
    whole = wave[: len(wave) // frame * frame].astype(np.float64).reshape(-1, frame)
    power = np.mean(whole**2, axis=1)
    return float(np.sqrt(power[power > power.mean() / 30].mean()))


def _noise(kind: str, samples: int, rate: int, data: Path, seed: int) -> Wave:
    rng = np.random.default_rng(seed)
    if kind == "white":
        return rng.standard_normal(samples).astype(np.float32)
    path = data / "noise" / f"{kind}.flac"
    if not path.is_file():
        known = ", ".join(["white", *sorted(p.stem for p in path.parent.glob("*.flac"))])
        raise VoiceChangerError(f'no noise "{kind}"; there are {known}')
    noise, _ = load_mono(path, rate)
    start = int(rng.integers(max(len(noise) - samples, 0) + 1))
    return np.resize(noise[start:], samples)
