"""Seconds a stage for a whole file through a full-size diff-svc voice, end to end.

    python -m docs.figures.foreign_file [--seconds 10] [--threads 2] [--precision auto] [--repeat 3]

Random weights: the time does not depend on them. Core seconds are the processor's own, of all its
threads: a machine at work elsewhere stretches those of the clock.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import load_mono, save_audio
from core.diff_svc.convert import ConvertParams
from core.precision import AUTO, PRECISIONS
from core.voice import VOICES_FOLDER
from docs.figures.foreign_live import full_size, lowered
from offline.convert import stream_file
from offline.convert_foreign import wide_converter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    voice = lowered(full_size("nsf-hifigan"), given.precision)
    rate = voice.config.mel.sample_rate
    sound, _ = load_mono(VOICES_FOLDER / "demo.flac", rate)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.wav"
        save_audio(source, np.resize(sound, round(given.seconds * rate)), rate)
        for _ in range(given.repeat):
            convert(voice, source, given.seconds)


def convert(voice: object, source: Path, seconds: float) -> None:
    """Once; its figures on a line."""
    converter = wide_converter(voice, ConvertParams(), seconds, time.process_time)  # type: ignore[arg-type]
    spent: Counter[str] = Counter()
    push = converter._push

    def counted(block: NDArray[np.float32]) -> NDArray[np.float32]:
        made = push(block)
        spent.update(converter.stage_seconds)
        converter.stage_seconds = {}
        return made

    converter._push = counted  # type: ignore[method-assign]
    clock, work = time.perf_counter(), time.process_time()
    stream_file(converter, source, source.with_name("out.wav"))
    clock, work = time.perf_counter() - clock, time.process_time() - work
    stages = "".join(f"  {stage} {value:.2f}" for stage, value in spent.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"clock {clock:.2f} s  cores {work:.2f} s{stages}  peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
