"""When a known sequence of phones was spoken, from how likely each phone is in each frame.

    python -m offline.forced_alignment DATA FEATURES VOICE OUT.tsv

The Dutch and German recordings whose text is known, aligned by an encoder that knows English phones
only: a phone of theirs is as likely as the nearest English ones. Phones of a text: eSpeak NG.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from core.config import F0Config
from offline.alignment import PHONES
from offline.preprocess import Manifest, load_wave
from offline.recipe import phonetic_encoder
from offline.synthetic import INVENTORY, phones_of

_SECONDS_PER_STEP = 0.01
_TRANSCRIPTS = {"targets/nathalie": "nl", "targets/flemishguy": "nl"}
_HELD_OUT = frozenset({"emodb_08", "emodb_15"})
_NEAREST = {
    "i": "IY", "ɪ": "IH", "y": "UW IY IH", "u": "UW", "ʊ": "UH", "ɯ": "UW", "ɨ": "IH",
    "e": "EY IH", "ɛ": "EH", "ø": "ER UH", "œ": "ER AH EH", "ə": "AH IH", "ɚ": "ER", "o": "OW",
    "ɔ": "AO OW", "ʌ": "AH", "æ": "AE", "a": "AA AE AH", "ɑ": "AA AO", "ɤ": "AH", "ɑ̃": "AA AO",
    "ɛ̃": "EH AE", "ɔ̃": "AO OW", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "eɪ": "EY", "oʊ": "OW",
    "œy": "OY AY", "p": "P", "t": "T", "k": "K", "pʰ": "P", "tʰ": "T", "kʰ": "K", "b": "B",
    "d": "D", "ɡ": "G", "ʔ": "SIL T", "q": "K", "ts": "T S", "tsʰ": "T S", "tɕ": "CH", "tɕʰ": "CH",
    "dʑ": "JH", "tʃ": "CH", "dʒ": "JH", "tʂ": "CH", "tʂʰ": "CH", "f": "F", "v": "V", "s": "S",
    "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ɕ": "SH", "ʂ": "SH", "ʐ": "ZH", "ç": "SH HH", "x": "HH K",
    "ɣ": "HH G", "ħ": "HH", "ʕ": "AA", "h": "HH", "θ": "TH", "ð": "DH", "β": "V B", "ʁ": "R HH",
    "m": "M", "n": "N", "ɲ": "N", "ŋ": "NG", "l": "L", "r": "R", "ɾ": "R D", "ɹ": "R", "j": "Y",
    "w": "W", "ʋ": "V W", "SIL": "SIL",
}  # fmt: skip
_LEAST_LIKELY = 0.05  # share of the recordings, by score, that are left out: text and sound differ


@dataclass(frozen=True)
class Sentence:
    """path: of the recording, relative to the data folder."""

    path: str
    language: str
    text: str


def sentences(data: Path) -> list[Sentence]:
    """The Dutch and German recordings whose text is known; held-out speakers are left out."""
    found: list[Sentence] = []
    for folder, language in _TRANSCRIPTS.items():
        for row in _rows(data / folder / "transcripts.tsv"):
            found.append(Sentence(f"{folder}/{row['file']}", language, row["text"]))
    for row in _rows(data / "many_speakers" / "transcripts.tsv"):
        german = row["speaker"] == "kerstin" or row["speaker"].startswith("emodb_")
        if german and row["kind"] == "utterance" and row["speaker"] not in _HELD_OUT:
            found.append(Sentence(f"many_speakers/{row['file']}", "de", row["text"]))
    return [sentence for sentence in found if sentence.text and (data / sentence.path).is_file()]


def align(
    log_posteriors: NDArray[np.floating],
    words: Sequence[Sequence[str]],
    seconds_per_frame: float = _SECONDS_PER_STEP,
    least_frames: int = 2,
) -> tuple[str, float]:
    """The likeliest `PHONE:start:length ...` in steps of 10 ms, and its mean log posterior a frame.

    log_posteriors: (frames, INVENTORY). words: phones of each; SIL may stand around any of them.
    least_frames: a phone's; shorter for all where the recording would be too short.
    An alignment that cannot be has no phones and a score of minus infinity.
    """
    least = min(least_frames, len(log_posteriors) // max(1, sum(map(len, words))))
    if least < 1 or not any(words):
        return "", -np.inf
    phones, optional = ["SIL"], [True]
    for word in words:
        phones += [*word, "SIL"]
        optional += [*[False] * len(word), True]
    path = _viterbi(log_posteriors, [INVENTORY.index(p) for p in phones], optional, least)
    classes = np.array([INVENTORY.index(p) for p in phones])[path]
    score = float(log_posteriors[np.arange(len(path)), classes].mean())
    steps = round(len(path) * seconds_per_frame / _SECONDS_PER_STEP)
    frame = ((np.arange(steps) + 0.5) * _SECONDS_PER_STEP / seconds_per_frame).astype(np.int64)
    frame = np.minimum(frame, len(path) - 1)
    items: list[str] = []  # phone by phone: one said twice is not one said once for longer
    for position in np.unique(path[frame]):
        held = np.flatnonzero(path[frame] == position)
        items.append(f"{phones[position]}:{held[0]}:{len(held)}")
    return " ".join(items), score


def _viterbi(
    scores: NDArray[np.floating], classes: Sequence[int], optional: Sequence[bool], least: int
) -> NDArray[np.int64]:
    """The position in `classes` of each frame. Each is held for `least` frames or skipped."""
    count, length = len(classes), len(scores)
    states = count * least
    of_state = np.repeat(np.arange(count), least)
    told = scores[:, np.asarray(classes)[of_state]]
    entry = np.arange(states) % least == 0  # the first state of each position
    leave = np.arange(states) % least == least - 1  # the last, the only one that goes on by itself
    over = np.zeros(states, dtype=bool)  # may be entered past an optional position before it
    over[2 * least :] = np.repeat(optional, least)[least:-least] & entry[2 * least :]
    skip = least + 1
    best = np.full(states, -np.inf)
    best[0] = told[0, 0]
    if optional[0] and count > 1:
        best[least] = told[0, least]
    back = np.zeros((length, states), dtype=np.int64)
    index = np.arange(states)
    for t in range(1, length):
        choices = np.full((3, states), -np.inf)
        choices[0, leave] = best[leave]
        choices[1, 1:] = best[:-1]
        choices[2, skip:] = np.where(over[skip:], best[:-skip], -np.inf)
        chosen = choices.argmax(0)
        best = choices[chosen, index] + told[t]
        back[t] = index - np.array([0, 1, skip])[chosen]
    ends = [states - 1] + ([states - 1 - least] if optional[-1] and count > 1 else [])
    state = max(ends, key=lambda end: float(best[end]))
    path = np.empty(length, dtype=np.int64)
    for t in reversed(range(length)):
        path[t] = state
        state = int(back[t, state])
    return of_state[path]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def nearest_phones(log_posteriors: NDArray[np.floating]) -> NDArray[np.floating]:
    """(frames, PHONES) -> (frames, INVENTORY): each phone as likely as the nearest of the first."""
    columns = [
        np.logaddexp.reduce(log_posteriors[:, [PHONES.index(n) for n in _NEAREST[p].split()]], 1)
        for p in INVENTORY
    ]
    return np.stack(columns, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("voice", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    encoder = phonetic_encoder(args.voice)
    audio = encoder.audio
    manifest = Manifest.load(args.features, audio, F0Config())
    known = {utterance.path: utterance for utterance in manifest.utterances}
    rows: list[tuple[float, str, str]] = []
    for sentence in tqdm(sentences(args.data), "aligned", disable=None):
        if sentence.path not in known:
            continue
        with torch.inference_mode():
            units = encoder(torch.from_numpy(load_wave(args.features, known[sentence.path]))[None])
            scores = torch.log_softmax(encoder.phones(units[0].T), -1).numpy()
        words = phones_of(sentence.text, sentence.language)
        seconds = audio.hop_length / audio.sample_rate
        phones, score = align(nearest_phones(scores), words, seconds)
        rows.append((score, sentence.path, phones))
    rows.sort()
    kept = sorted(rows[int(len(rows) * _LEAST_LIKELY) :], key=lambda row: row[1])
    with args.out.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        table.writerow(["file", "score", "phones"])
        for score, path, phones in kept:
            if phones:
                table.writerow([path, f"{score:.2f}", phones])


if __name__ == "__main__":
    main()
