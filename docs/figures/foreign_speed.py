"""Seconds a stage for ten seconds of a full-size diff-svc voice, beside what its arithmetic needs.

    python docs/figures/foreign_speed.py [--seconds 10] [--threads 2] [--repeat 3]

Random weights: the time does not depend on them. Processor seconds are printed beside those of the
clock, as a machine at work elsewhere stretches the latter. The floor is the stage's multiplications
and additions at the rate that a large matrix product reaches here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from core.content.hubert_soft import HubertSoft
from core.diffusion.diffnet import DiffNet, DiffNetSize
from core.int8 import quantise, snr_db
from core.vocoder.nsf_generator import GeneratorConfig
from core.vocoder.nsf_hifigan import NsfHifiGan

RATE, HOP = 44_100, 512
HUBERT_GFLOP, DIFFNET_GFLOP, VOCODER_GFLOP = 13.9, 4.78 - 0.68, 55.9  # a second of audio
ORIGINAL = {"HuBERT-soft": 1.23, "one evaluation of DiffNet": 0.346, "NSF-HiFiGAN": 5.79}
"""Seconds of the original for ten seconds of audio, on two cores, from its own measurements."""

VOCODER = GeneratorConfig(
    RATE, 128, 512, (8, 8, 2, 2, 2), (16, 16, 4, 4, 4), "1", (3, 7, 11), ((1, 3, 5),) * 3
)


def seconds(run: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Of the clock and of the processors, the run with the fewest of the latter."""
    run()
    measured = []
    for _ in range(repeat):
        clock, work = time.perf_counter(), time.process_time()
        run()
        measured.append((time.process_time() - work, time.perf_counter() - clock))
    work, clock = min(measured)
    return clock, work


def matrix_rate(repeat: int) -> float:
    """GFLOP a second of the processor in a large matrix product in fp32, one thread's worth."""
    a, b = torch.randn(1536, 1536), torch.randn(1536, 1536)
    _, work = seconds(lambda: a @ b, repeat)
    return 2 * 1536**3 / work / 1e9


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)

    frames = int(given.seconds * RATE) // HOP
    wave = 0.1 * torch.randn(1, int(given.seconds * 16_000))
    hubert = HubertSoft(512, 768, 3072, 12, 256, 128).eval()
    small = quantise(hubert)
    net = DiffNet(DiffNetSize(128, 256, 384, 20, 4)).eval()
    x, step = torch.randn(1, 128, frames), torch.tensor([500.0])
    prepared = net.condition(torch.randn(1, 256, frames))
    vocoder = NsfHifiGan(VOCODER).eval()
    mel, f0 = torch.randn(1, 128, frames) - 3, torch.full((1, frames), 220.0)
    half = NsfHifiGan(VOCODER).eval()
    half.load_state_dict(vocoder.state_dict())
    half.generator.bfloat16()
    excitation, _ = half.excite(f0)
    assert excitation is not None

    def in_half() -> torch.Tensor:
        made: torch.Tensor = half.generator(mel.bfloat16(), excitation.bfloat16())
        return made

    stages: dict[str, tuple[Callable[[], object], float]] = {
        "HuBERT-soft": (lambda: hubert(wave), HUBERT_GFLOP),
        "HuBERT-soft, int8": (lambda: small(wave), HUBERT_GFLOP),
        "one evaluation of DiffNet": (lambda: net(x, step, prepared), DIFFNET_GFLOP),
        "NSF-HiFiGAN": (lambda: vocoder(mel, f0), VOCODER_GFLOP),
        "NSF-HiFiGAN, bf16": (in_half, VOCODER_GFLOP),
    }
    rate = matrix_rate(given.repeat)
    print(f"{given.seconds:g} s of audio, {given.threads} threads, {rate:.0f} GFLOP/s a core")
    print(f"{'stage':<28}{'clock s':>9}{'cores s':>9}{'floor s':>9}{'original':>10}")
    for name, (run, gflop) in stages.items():
        clock, work = seconds(run, given.repeat)
        floor = gflop * given.seconds / rate
        original = ORIGINAL.get(name)
        beside = "" if original is None else f"{2 * original * given.seconds / 10:.2f}"
        print(f"{name:<28}{clock:>9.2f}{work:>9.2f}{floor:>9.2f}{beside:>10}", flush=True)
    print("floor and original are core seconds, as is cores s")
    print(f"int8 HuBERT-soft: {snr_db(hubert(wave), small(wave)):.1f} dB from fp32")
    print(f"bf16 NSF-HiFiGAN: {snr_db(vocoder(mel, f0), in_half().float()):.1f} dB from fp32")


if __name__ == "__main__":
    main()
