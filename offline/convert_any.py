"""Files through a voice of any kind, with what the live knobs say."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from core.config import StreamConfig, VoiceParams
from core.diff_svc.convert import ConvertParams
from core.diff_svc.converter import LiveVoices
from core.diff_svc.foreign import read_foreign_config
from core.diff_svc.wish import load_foreign
from core.precision import AUTO
from core.voice import NATIVE, VoiceModel, kind_of, read_metadata
from offline.convert import Converted, Progress, convert_file
from offline.convert_foreign import convert_foreign_file
from offline.import_voice import FileConverter


def file_converter(path: Path, params: VoiceParams) -> FileConverter:
    """Loads the voice, unless it is the one loaded last."""
    kind, written = kind_of(read_metadata(path)), path.stat().st_mtime_ns
    if kind == NATIVE:
        voice = _own(path, written)

        def convert(source: Path, target: Path, progress: Progress) -> Converted:
            return convert_file(voice, source, target, params, StreamConfig(), False, progress)

        return convert
    foreign = _foreign(path, kind, written)
    told = ConvertParams(
        semitones=params.pitch_shift or 0.0,
        gate_db=params.gate_db,
        gain_db=params.gain_db,
        speaker=int(np.argmax(params.speakers)) + 1,
    )

    def convert_imported(source: Path, target: Path, progress: Progress) -> Converted:
        return convert_foreign_file(foreign, source, target, told, progress)

    return convert_imported


@lru_cache(maxsize=1)
def _own(path: Path, written: int) -> VoiceModel:
    return VoiceModel.load(path)


@lru_cache(maxsize=1)
def _foreign(path: Path, kind: str, written: int) -> LiveVoices:
    exact = read_foreign_config(path).exact  # as the original, to the last digit
    return load_foreign(path, kind, "fp32" if exact else AUTO)
