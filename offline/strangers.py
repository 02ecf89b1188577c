"""The strangers whose words a voice of one's own is practised on: six seconds of each, in one file.

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
_COMPRESSION = 0.9  # of libsndfile's scale from 256 to 6 kbit/s: about 32
_SPEAKERS = """
    ls_26 ls_27 ls_103 ls_1040 ls_1069 ls_1088 ls_1098 ls_1116 ls_118 ls_1183 ls_1235 ls_1246
    ls_125 ls_1263 ls_1334 ls_1355 ls_1447 ls_1455 kathleen nathalie flemishguy kerstin
    emodb_03 emodb_09 emodb_10 emodb_13 ar_01 ar_07
"""


def strangers(data: Path, audio: AudioConfig) -> NDArray[np.float32]:
    """(T,) everyone's seconds one after the other, all of one level."""
    names = _SPEAKERS.split()
    judged = sorted(set(names) & set(held_out()))
    if judged:
        raise VoiceChangerError(f"voices are judged on {', '.join(judged)}: choose others")
    size = round(SECONDS * audio.sample_rate)
    return np.concatenate([_levelled(_said(data, name, size, audio), audio) for name in names])


def _said(data: Path, name: str, size: int, audio: AudioConfig) -> NDArray[np.float32]:
    """The speaker's first recording that is long enough, else all before it joined."""
    folder = next((path for path in sorted(data.rglob(name)) if path.is_dir()), None)
    if folder is None:
        raise VoiceChangerError(f"no folder {name} in {data}")
    joined = np.zeros(0, np.float32)
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and len(joined) < size:
            wave, _ = load_mono(path, audio.sample_rate)
            joined = wave if len(wave) >= size else np.concatenate([joined, wave])
    return np.pad(joined[:size], (0, max(size - len(joined), 0)))


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
