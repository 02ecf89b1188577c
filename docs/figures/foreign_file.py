"""Seconds a stage for a whole file through a full-size diff-svc voice, end to end.

    python -m docs.figures.foreign_file [--seconds 10] [--threads 2] [--precision auto] [--repeat 3]
        [--steps 20] [--vocoder embedded] [--original]

Random weights: neither time nor memory depends on them. Core seconds are the processor's own, of
all its threads: a machine at work elsewhere stretches those of the clock. Of a long file resident
memory is told on the way. --original: between the conversions, what the same sound takes as the
original goes about it, from one run of each part: encoder, 101 calls of the network as plain
convolutions with the condition projected in each, vocoder in one piece.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import AudioWriter, load_mono
from core.content.hubert_soft import SAMPLE_RATE as UNIT_RATE
from core.diff_svc.convert import ConvertParams
from core.diff_svc.voice import DiffSvcVoice
from core.precision import AUTO, PRECISIONS
from core.vocoder.nsf_hifigan import NsfHifiGan
from core.voice import VOICES_FOLDER
from docs.figures.foreign_live import full_size, lowered
from offline.convert import stream_file
from offline.convert_foreign import wide_converter

TOLD_EVERY = 300.0  # seconds of sound
ORIGINAL_CALLS = 101


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    parser.add_argument("--steps", type=int, help="evaluations of the network")
    parser.add_argument("--vocoder", choices=("nsf-hifigan", "embedded"), default="nsf-hifigan")
    parser.add_argument("--original", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    voice = lowered(full_size(given.vocoder), given.precision)
    stride = None if given.steps is None else round(voice.config.k_step / given.steps)
    rate = voice.config.mel.sample_rate
    plain = full_size("nsf-hifigan") if given.original else None
    sound, _ = load_mono(VOICES_FOLDER / "demo.flac", rate)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.wav"
        with AudioWriter(source, rate) as writer:
            for left in range(round(given.seconds * rate), 0, -len(sound)):
                writer.write(sound[:left])
        for _ in range(given.repeat):
            convert(voice, source, given.seconds, ConvertParams(speedup=stride))
            if plain is not None:
                original(plain, given.seconds)


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
    del converter._push  # type: ignore[method-assign]  # else the two keep each other


@torch.inference_mode()
def original(voice: DiffSvcVoice, seconds: float) -> None:
    """The clock's seconds of its parts, and of them all at its default speed-up of 10."""
    form, net, vocoder = voice.config.mel, voice.diffusion.denoise_fn, voice.vocoder
    assert isinstance(vocoder, NsfHifiGan)
    frames = round(seconds * form.frame_rate)
    cond, mel = torch.randn(1, net.size.condition, frames), torch.randn(1, form.n_mels, frames)
    wave, step = torch.randn(1, round(seconds * UNIT_RATE)), torch.tensor([500.0])
    parts: list[Callable[[], object]] = [
        lambda: voice.units(wave),
        lambda: net(mel, step, net.condition(cond)),
        lambda: vocoder(mel, torch.full((1, frames), 200.0)),
    ]
    spent = []
    for part in parts:
        started = time.perf_counter()
        part()
        spent.append(time.perf_counter() - started)
    units, call, said = spent
    whole = units + ORIGINAL_CALLS * call + said
    print(f"original {whole:.1f} s: {units:.2f} + {ORIGINAL_CALLS} x {call:.3f} + {said:.2f}")


def peak() -> float:
    """MiB this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def resident() -> float:
    """MiB it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
