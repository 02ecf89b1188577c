"""Seconds a stage for a whole file through a full-size diff-svc voice, end to end.

    python -m docs.figures.foreign_file [--seconds 10] [--threads 2] [--precision auto] [--repeat 3]
        [--steps 20] [--vocoder embedded]

Random weights: neither time nor memory depends on them. Core seconds are the processor's own, of
all its threads: a machine at work elsewhere stretches those of the clock. Of a long file resident
memory is told on the way.
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

from core.audio import AudioWriter, load_mono
from core.diff_svc.convert import ConvertParams
from core.diff_svc.voice import DiffSvcVoice
from core.precision import AUTO, PRECISIONS
from core.voice import VOICES_FOLDER
from docs.figures.foreign_live import full_size, lowered
from offline.convert import stream_file
from offline.convert_foreign import wide_converter

TOLD_EVERY = 300.0  # seconds of sound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    parser.add_argument("--steps", type=int, help="evaluations of the network")
    parser.add_argument("--vocoder", choices=("nsf-hifigan", "embedded"), default="nsf-hifigan")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    voice = lowered(full_size(given.vocoder), given.precision)
    stride = None if given.steps is None else round(voice.config.k_step / given.steps)
    rate = voice.config.mel.sample_rate
    sound, _ = load_mono(VOICES_FOLDER / "demo.flac", rate)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.wav"
        with AudioWriter(source, rate) as writer:
            for left in range(round(given.seconds * rate), 0, -len(sound)):
                writer.write(sound[:left])
        for _ in range(given.repeat):
            convert(voice, source, given.seconds, ConvertParams(speedup=stride))


def convert(voice: DiffSvcVoice, source: Path, seconds: float, params: ConvertParams) -> None:
    """Once; its figures on a line."""
    converter = wide_converter(voice, params, seconds, time.process_time)
    spent: Counter[str] = Counter()
    push = converter._push

    def counted(block: NDArray[np.float32]) -> NDArray[np.float32]:
        made = push(block)
        spent.update(converter.stage_seconds)
        converter.stage_seconds = {}
        return made

    converter._push = counted  # type: ignore[method-assign]
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        if share * seconds >= told + TOLD_EVERY:
            told = share * seconds
            print(f"{told:.0f} s  resident {resident():.0f} MiB  peak {peak():.0f}", flush=True)

    clock, work = time.perf_counter(), time.process_time()
    stream_file(converter, source, source.with_name("out.wav"), progress=tell)
    clock, work = time.perf_counter() - clock, time.process_time() - work
    stages = "".join(f"  {stage} {value:.2f}" for stage, value in spent.items())
    print(f"clock {clock:.2f} s  cores {work:.2f} s{stages}  peak {peak():.0f} MiB", flush=True)


def peak() -> float:
    """MiB this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def resident() -> float:
    """MiB it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
