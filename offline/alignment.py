"""Phone alignments: `file, score, PHONE:start:length ...` in frames of 10 ms, onto the mel grid."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig
from core.errors import VoiceChangerError
from offline.synthetic import INVENTORY

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
INVENTORIES: dict[str, list[str]] = {"arpabet": PHONES, "ipa": INVENTORY}
IGNORED = -1
_SECONDS_PER_STEP = 0.01


def load_alignments(
    path: Path, audio: AudioConfig, least_score: float = -17.0
) -> tuple[str, dict[str, NDArray[np.int64]]]:
    """The inventory a table's phones are of, and by file name the phone index of every mel frame
    (IGNORED past the last phone).

    Recordings whose mean acoustic score is under `least_score` are left out.
    """
    if not path.is_file():
        raise VoiceChangerError(f"no alignments at {path}; expected a table: file, score, phones")
    with path.open(newline="", encoding="utf-8") as handle:
        table = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = {
        row["file"]: [item.split(":") for item in row["phones"].split()]
        for row in table
        if float(row["score"]) >= least_score
    }
    inventory = _inventory(path, {phone for fields in rows.values() for phone, _, _ in fields})
    index = {phone: i for i, phone in enumerate(INVENTORIES[inventory])}
    labels: dict[str, NDArray[np.int64]] = {}
    for file, fields in rows.items():
        end = max(int(start) + int(length) for _, start, length in fields)
        steps = np.full(end, IGNORED, dtype=np.int64)
        for phone, start, length in fields:
            steps[int(start) : int(start) + int(length)] = index[phone]
        seconds = end * _SECONDS_PER_STEP
        frames = int(seconds * audio.sample_rate) // audio.hop_length
        centres = (np.arange(frames) + 0.5) * audio.hop_length / audio.sample_rate
        labels[file] = steps[(centres / _SECONDS_PER_STEP).astype(np.int64)]
    return inventory, labels


def _inventory(path: Path, phones: set[str]) -> str:
    for name, known in INVENTORIES.items():
        if phones <= set(known):
            return name
    strange = " ".join(sorted(phones - set().union(*INVENTORIES.values()))[:5])
    raise VoiceChangerError(f"{path}: phones of no known inventory, such as {strange}")
