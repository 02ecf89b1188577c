"""The strangers whose words a voice of one's own is practised on: six seconds a name, in one file.

    python -m offline.strangers DATA OUT.ogg

None is a speaker that voices are judged on (`held_out.txt`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import AudioConfig, F0Config
from core.errors import VoiceChangerError
from core.f0 import f0_estimator
from core.features import loudness
from core.level import speech_level
from offline.preprocess import SUFFIXES, held_out

SECONDS = 6.0
LEVEL_DB = -24.0
_RATE = 24_000  # that Opus knows
_COMPRESSION = 0.93  # of libsndfile's scale from 256 to 6 kbit/s: about 24
SPEAKERS = """
    ls_26 ls_27 ls_40 ls_60 ls_103 ls_118 ls_125 ls_150 ls_163 ls_198 ls_226 ls_307 ls_412
    ls_696 ls_839 ls_1040 ls_1069 ls_1088 ls_1098 ls_1116 ls_1183 ls_1235 ls_1246 ls_1263
    ls_1334 ls_1355 ls_1447 ls_1455 ls_1553 ls_1737 ls_1926 ls_2007 ls_2159 ls_2391 ls_2436
    ls_2691 ls_2836 ls_2893 ls_2989 ls_3235 ls_3240 ls_3436 ls_3526 ls_3723 ls_3982 ls_4051
    ls_4267 ls_4362 ls_4481 ls_4788 ls_4830 ls_5049 ls_5163 ls_5456 ls_5514 ls_5678 ls_5789
    ls_6081 ls_6147 ls_6385 ls_6454 ls_6563 ls_6925 ls_7226 ls_7302 ls_7447 ls_7780 ls_7800
    ls_8088 ls_8098 ls_8238 ls_8580 ls_8770 kathleen kathleen nathalie nathalie nathalie
    flemishguy flemishguy flemishguy kerstin kerstin kerstin kerstin emodb_03 emodb_09
    emodb_10 emodb_13 emodb_12 ar_01 ar_03 ar_06 ar_07 ar_08 ar_09 ar_10 ar_11
"""


def strangers(data: Path, audio: AudioConfig) -> NDArray[np.float32]:
    """(T,) everyone's seconds one after the other, all of one level; who is named again goes on."""
    names = SPEAKERS.split()
    judged = sorted(set(names) & set(held_out()))
    if judged:
        raise VoiceChangerError(f"voices are judged on {', '.join(judged)}: choose others")
    size = round(SECONDS * audio.sample_rate)
    parts = []
    for i, name in enumerate(names):
        said = _said(data, name, names[:i].count(name), size, audio)
        parts.append(_levelled(said, audio))
    return np.concatenate(parts)


def _said(data: Path, name: str, part: int, size: int, audio: AudioConfig) -> NDArray[np.float32]:
    """`size` samples of the speaker's recordings one after the other, the next ones for each part.

    Silence where there are no more.
    """
    folder = next((path for path in sorted(data.rglob(name)) if path.is_dir()), None)
    if folder is None:
        raise VoiceChangerError(f"no folder {name} in {data}")
    joined, until = np.zeros(0, np.float32), (part + 1) * size
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and len(joined) < until:
            joined = np.concatenate([joined, load_mono(path, audio.sample_rate)[0]])
    said = joined[until - size : until]
    return np.pad(said, (0, size - len(said)))


def _levelled(wave: NDArray[np.float32], audio: AudioConfig) -> NDArray[np.float32]:
    _, voiced = f0_estimator(audio, F0Config())(wave)
    level = loudness(torch.from_numpy(wave)[None], audio.hop_length)[0]
    speech = speech_level(level, torch.from_numpy(voiced))
    if speech is None:
        raise VoiceChangerError("nobody is heard to speak")
    gained: NDArray[np.float32] = np.clip(wave * 10 ** ((LEVEL_DB - speech) / 20), -1, 1)
    return gained.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    audio = AudioConfig()
    wave = soxr.resample(strangers(args.data, audio), audio.sample_rate, _RATE, "HQ")
    soundfile.write(
        args.out, wave, _RATE, format="OGG", subtype="OPUS", compression_level=_COMPRESSION
    )
    print(f"{args.out}: {len(wave) / _RATE:.0f} s")


if __name__ == "__main__":
    main()
