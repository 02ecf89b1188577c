"""A tiny corpus of synthetic speech, made anew for a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tests.toy import TOY, speechlike

SPEAKERS = ("low", "high")


def make_corpus(folder: Path, seconds: float = 0.9, each: int = 2, rate: int = 44_100) -> Path:
    """`each` recordings of both of the toy voice's speakers, one subfolder a speaker."""
    for s, speaker in enumerate(SPEAKERS):
        (folder / speaker).mkdir(parents=True)
        for i in range(each):
            wave = speechlike(round(seconds * rate), seed=10 * s + i, sample_rate=rate)
            soundfile.write(folder / speaker / f"{i}.wav", wave, rate)
    return folder


def make_alignments(folder: Path, corpus: Path) -> Path:
    """A table in which every recording is a row of phones of 100 ms."""
    path = folder / "phones.tsv"
    lines = ["file\tscore\tphones"]
    names = ("SIL", "AA", "S", "IY", "M")
    for audio in sorted(corpus.rglob("*.wav")):
        steps = soundfile.info(audio).frames // 4410
        phones = " ".join(f"{names[k % len(names)]}:{10 * k}:10" for k in range(steps))
        lines.append(f"{audio.relative_to(corpus).as_posix()}\t-1.0\t{phones}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_noise(folder: Path) -> Path:
    """One noise recording, shorter than a crop."""
    folder.mkdir()
    noise = 0.1 * np.random.default_rng(0).standard_normal(9000)
    soundfile.write(folder / "hiss.flac", noise, TOY.audio.sample_rate)
    return folder
