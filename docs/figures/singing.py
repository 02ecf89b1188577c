"""Singing made from held-out speech: is its pitch heard right, and does it survive conversion?

    python -m docs.figures.singing sing DATA OUT       # songs, and what each f0 estimator hears
    python -m docs.figures.singing convert OUT [--voice V] [--speaker S] [--shift N] [--lookahead N]
    JUDGE/bin/python -m docs.figures.singing judge OUT     # Praat's ear on the converted songs

A song is a held-out recording whose voiced stretches WORLD draws out into notes of a major scale,
with portamento (0.1 s) and vibrato (5.5 Hz, +-60 cents). So the pitch asked for is known. WORLD's
resynthesis of stretched speech is rougher than a singer; its pitch is exact.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from docs.figures.f0_table import praat

AUDIO = AudioConfig()
RATE, HOP = AUDIO.sample_rate, AUDIO.hop_length
SINGERS = {
    "man": ("ls_481", "ls_1034", "ls_8629", "emodb_15"),
    "woman": ("ls_1363", "ls_4214", "ls_7511", "emodb_08"),
}
RANGES = {"man": ((110, 220), (220, 440)), "woman": ((220, 440), (440, 900))}  # Hz
FRAME = 0.005  # seconds of a WORLD frame
NOTE, CONSONANT = 0.45, 0.15  # seconds: of a note, and the longest pause
SONG = 12.0
MAJOR = (0, 2, 4, 5, 7, 9, 11)
BINS = (110, 220, 440, 660, 900)  # Hz, of the figures

Array = NDArray[np.float64]


class Score(NamedTuple):
    """Over frames that sing: octave and gross (both of those heard as voiced) count errors of an
    octave and those over 5 semitones; cents is the median error of the rest; corr that of log f0.
    """

    frames: int
    missed: float
    octave: float
    gross: float
    cents: float
    corr: float


def melody(notes: int, low: float, high: float, rng: np.random.Generator) -> Array:
    """Hz of the notes: up and down the scale, a leap now and then."""
    steps = 12 * np.log2(high / low)
    scale = [12 * o + s for o in range(4) for s in MAJOR if 12 * o + s <= steps]
    at, direction, chosen = 0, 1, []
    for i in range(notes):
        chosen.append(scale[at])
        if not 0 <= at + direction < len(scale):
            direction = -direction
        at += direction
        if i % 5 == 4:
            at = int(rng.integers(len(scale)))
    return low * 2 ** (np.array(chosen) / 12)


def sing(wave: Array, rate: int, low: float, high: float, seed: int) -> tuple[Array, Array, Array]:
    """Speech (T,) -> the song (T',), and times and Hz of its pitch, 0 where it does not sing."""
    from core.f0.world import pyworld

    rng = np.random.default_rng(seed)
    f0, times = pyworld.harvest(wave, rate, f0_floor=60.0, f0_ceil=400.0, frame_period=1e3 * FRAME)
    envelope = pyworld.cheaptrick(wave, f0, times, rate)
    aperiodicity = pyworld.d4c(wave, f0, times, rate, threshold=0.0)  # as voiced as f0 says
    weight = np.sqrt(envelope.sum(1))
    bounds = np.flatnonzero(np.diff(f0 > 0)) + 1
    frames: list[Array] = []  # which frame of the speech is heard
    notes: list[Array] = []  # which note is sung, -1 for none
    count = 0
    for part in np.split(np.arange(len(f0)), bounds):
        if f0[part[0]] > 0 and len(part) * FRAME > 0.06:
            sung = max(round(len(part) * FRAME / 0.2), 1)
            length = round(sung * NOTE / FRAME)
            # vowels are drawn out, consonants are not: time goes by loudness
            passed = np.cumsum(weight[part]) / weight[part].sum()
            frames.append(np.interp(np.linspace(passed[0], 1, length), passed, part))
            notes.append(count + np.arange(length) * sung // length)
            count += sung
        else:
            length = min(len(part), round(CONSONANT / FRAME))
            frames.append(np.linspace(part[0], part[-1], length))
            notes.append(np.full(length, -1))
    note = np.concatenate(notes).astype(int)[: round(SONG / FRAME)]
    frame = np.concatenate(frames)[: len(note)].round().astype(int)
    hz = melody(count, low, high, rng)
    held = np.maximum.accumulate(np.where(note >= 0, np.arange(len(note)), 0))
    log_f0 = np.log2(hz[np.maximum(note[held], 0)])
    glide = np.hanning(round(0.1 / FRAME) + 2)
    padded = np.pad(log_f0, len(glide) // 2, mode="edge")
    log_f0 = np.convolve(padded, glide / glide.sum(), "valid")[: len(note)]
    start = np.flatnonzero(np.diff(note, prepend=-2))
    age = (
        np.arange(len(note)) - start[np.cumsum(np.isin(np.arange(len(note)), start)) - 1]
    ) * FRAME
    depth = 0.05 * np.clip((age - 0.12) / 0.1, 0, 1)  # octaves
    log_f0 += depth * np.sin(2 * np.pi * 5.5 * age)
    contour = np.where(note >= 0, 2**log_f0, 0.0)
    song = pyworld.synthesize(
        contour,
        envelope[frame],
        np.where(note[:, None] >= 0, aperiodicity[frame], 1.0),
        rate,
        1e3 * FRAME,
    )
    return song * (0.05 / np.sqrt(np.mean(song**2))), np.arange(len(note)) * FRAME, contour


def on_frames(times: Array, hz: Array, frames: int) -> Array:
    """A contour on our frames, 0 within half a frame of where it starts or stops to sing."""
    centres = (np.arange(frames) + 0.5) * HOP / RATE
    log_hz = np.interp(centres, times[hz > 0], np.log2(hz[hz > 0]))
    certain = np.interp(centres, times, (hz > 0).astype(float)) > 0.999
    return np.where(certain, 2**log_hz, 0.0)


def score(f0: Array, truth: Array) -> Score:
    """f0 and truth (frames,), 0 where unvoiced."""
    sung = truth > 0
    both = sung & (f0 > 0)
    if not both.any():
        return Score(int(sung.sum()), 1.0, 0.0, 0.0, 0.0, 0.0)
    error = 12 * np.log2(f0[both] / truth[both])
    near = np.abs(error) < 5
    octave = (np.abs(np.abs(error) - 12) < 2) | (np.abs(np.abs(error) - 24) < 2)
    logs = np.log(f0[both][near]), np.log(truth[both][near])
    return Score(
        int(sung.sum()),
        float(1 - both.sum() / sung.sum()),
        float(octave.mean()),
        float(1 - near.mean()),
        float(100 * np.median(np.abs(error[near]))),
        float(np.corrcoef(*logs)[0, 1]),
    )


def report(name: str, tracks: list[tuple[Array, Array]]) -> None:
    """Prints the scores of (f0, truth) tracks by the range the truth lies in."""
    f0, truth = (np.concatenate(part) for part in zip(*tracks, strict=True))
    for low, high in [*pairwise(BINS), (0, 2000)]:
        s = score(f0, np.where((truth >= low) & (truth < high), truth, 0.0))
        where = f"{low}-{high} Hz" if low else "all"
        print(
            f"{name:16} {where:>10} {s.frames:6d} frames  missed {s.missed:.3f}  octave "
            f"{s.octave:.3f}  gross {s.gross:.3f}  {s.cents:5.1f} cents  corr {s.corr:.3f}"
        )


def heard(estimator: str, wave: NDArray[np.float32], lookahead: int | None) -> Array:
    """What one of our estimators hears, 0 where unvoiced."""
    from core.f0 import f0_estimator

    f0, voiced = f0_estimator(AUDIO, F0Config(estimator, lookahead_frames=lookahead))(wave)
    return np.where(voiced, f0, 0.0).astype(np.float64)


def load(path: Path) -> NDArray[np.float32]:
    wave, rate = soundfile.read(path, dtype="float32")
    return np.asarray(soxr.resample(wave, rate, RATE), np.float32)


def make_songs(data: Path, out: Path, estimators: list[str], lookahead: int | None = None) -> None:
    """Writes OUT/source/*.wav, OUT/truth/*.npy (times, Hz) and prints what is heard."""
    from docs.figures.embedded_voice import chosen

    for folder in ("source", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    tracks: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
    recordings = {r.speaker: r for r in reversed(chosen(data))}
    for sex, speakers in SINGERS.items():
        for number, speaker in enumerate(speakers):
            speech, rate = recordings[speaker].load()
            for low, high in RANGES[sex]:
                song, times, hz = sing(speech.astype(np.float64), rate, low, high, number)
                stem = f"{speaker}_{low}"
                soundfile.write(out / "source" / f"{stem}.wav", song, rate)
                np.save(out / "truth" / f"{stem}.npy", np.stack([times, hz]))
                wave = load(out / "source" / f"{stem}.wav")
                truth = on_frames(times, hz, AUDIO.frames(len(wave)))
                for estimator in estimators:
                    tracks[estimator].append((heard(estimator, wave, lookahead), truth))
    for estimator in estimators:
        report(estimator, tracks[estimator])


def convert(out: Path, args: argparse.Namespace) -> None:
    """Writes OUT/converted and OUT/pairs.tsv."""
    from core.config import StreamConfig, VoiceParams
    from core.voice import VoiceModel, find_voice
    from docs.figures.embedded_voice import convert_live

    voice = VoiceModel.load(find_voice(args.voice))
    speakers = voice.config.mix(args.speaker or voice.config.speakers[0].name)
    params = VoiceParams(pitch_shift=args.shift, speakers=speakers)
    (out / "converted").mkdir(exist_ok=True)
    lines = ["source\tconverted\ttext\tshift"]
    for source in sorted((out / "source").glob("*.wav")):
        stream = StreamConfig(lookahead_frames=args.lookahead)
        convert_live(voice, source, out / "converted" / source.name, params, stream)
        lines.append(f"source/{source.name}\tconverted/{source.name}\t\t{args.shift}")
    (out / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def judge(out: Path) -> None:
    """Prints what Praat hears in songs and conversions, against the pitch asked for."""
    tracks: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
    with (out / "pairs.tsv").open(newline="", encoding="utf-8") as handle:
        pairs = list(csv.DictReader(handle, delimiter="\t"))
    for pair in pairs:
        times, hz = np.load(out / "truth" / f"{Path(pair['source']).stem}.npy")
        for column in ("source", "converted"):
            wave = load(out / pair[column])
            f0 = praat(wave)
            if f0 is None:
                raise SystemExit("run this with the judges' python, which has praat-parselmouth")
            shift = float(pair["shift"]) if column == "converted" else 0.0
            truth = on_frames(times, hz, len(f0))
            tracks[column].append((aligned(f0, truth, shift), truth))
    for column, found in tracks.items():
        report(f"Praat, {column}", found)


def aligned(f0: Array, truth: Array, shift: float, limit: int = 43) -> Array:
    """f0 earlier by the delay at which most frames are right, and without the shift (semitones)."""
    plain = f0 / 2 ** (shift / 12)
    candidates = [np.append(plain[lag:], np.zeros(lag)) for lag in range(limit)]

    def right(track: Array) -> int:
        both = (track > 0) & (truth > 0)
        return int((np.abs(np.log2(track[both] / truth[both])) < 0.04).sum())

    return max(candidates, key=right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    songs = commands.add_parser("sing")
    songs.add_argument("data", type=Path)
    songs.add_argument("out", type=Path)
    songs.add_argument("--estimators", nargs="+", default=["autocorrelation"])
    songs.add_argument("--lookahead", type=int, metavar="FRAMES", help="of the estimators")
    conversion = commands.add_parser("convert")
    conversion.add_argument("out", type=Path)
    conversion.add_argument("--voice", default="embedded")
    conversion.add_argument("--speaker", help="or a mix, a:0.6,b:0.4")
    conversion.add_argument("--shift", type=float, default=0.0, help="semitones")
    conversion.add_argument("--lookahead", type=int, metavar="FRAMES")
    commands.add_parser("judge").add_argument("out", type=Path)
    args = parser.parse_args()
    if args.command == "sing":
        make_songs(args.data, args.out, args.estimators, args.lookahead)
    elif args.command == "convert":
        convert(args.out, args)
    else:
        judge(args.out)


if __name__ == "__main__":
    main()
