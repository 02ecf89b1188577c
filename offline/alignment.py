"""Phone alignments: `file, score, PHONE:start:length ...` in frames of 10 ms, onto the mel grid."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig
from core.errors import VoiceChangerError

PHONES = [
    "SIL",
    "AA",
    "AE",
    "AH",
    "AO",
    "AW",
    "AY",
    "B",
    "CH",
    "D",
    "DH",
    "EH",
    "ER",
    "EY",
    "F",
    "G",
    "HH",
    "IH",
    "IY",
    "JH",
    "K",
    "L",
    "M",
    "N",
    "NG",
    "OW",
    "OY",
    "P",
    "R",
    "S",
    "SH",
    "T",
    "TH",
    "UH",
    "UW",
    "V",
    "W",
    "Y",
    "Z",
    "ZH",
]
IGNORED = -1
_SECONDS_PER_STEP = 0.01


def load_alignments(
    path: Path, audio: AudioConfig, least_score: float = -17.0
) -> dict[str, NDArray[np.int64]]:
    """Phone index of every mel frame (IGNORED past the last phone), by file name.

    Recordings whose mean acoustic score is under `least_score` are left out.
    """
    if not path.is_file():
        raise VoiceChangerError(f"no alignments at {path}; expected a table: file, score, phones")
    index = {phone: i for i, phone in enumerate(PHONES)}
    labels: dict[str, NDArray[np.int64]] = {}
    with path.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
            if float(row["score"]) < least_score:
                continue
            fields = [item.split(":") for item in row["phones"].split()]
            end = max(int(start) + int(length) for _, start, length in fields)
            steps = np.full(end, IGNORED, dtype=np.int64)
            for phone, start, length in fields:
                steps[int(start) : int(start) + int(length)] = index[phone]
            seconds = end * _SECONDS_PER_STEP
            frames = int(seconds * audio.sample_rate) // audio.hop_length
            centres = (np.arange(frames) + 0.5) * audio.hop_length / audio.sample_rate
            labels[row["file"]] = steps[(centres / _SECONDS_PER_STEP).astype(np.int64)]
    return labels
