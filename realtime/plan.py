"""The plan of a session: what a processor is, and every length between it and a device.

The latency, in time: | block | processor | resampling | slack: device block + cushion | device |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, gcd
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError
from core.resampler import Resampler
from realtime.backend import AudioBackend
from realtime.clock import Stretcher
from realtime.stats import Latency

FADE_SECONDS = 0.005  # from sound to silence, and between any two sounds that do not join


class BlockProcessor(Protocol):
    """What turns sound into sound, block by block.

    Attributes it may have: `params` is set live. `steps`, how thoroughly it works (1 or more), is
    lowered where the machine is too slow and given back later.
    """

    sample_rate: int  # Hz
    block: int  # samples per push
    latency: int  # samples the output lags the input

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(block,) -> (block,), always."""

    def reset(self) -> None:
        """Forgets all sound heard; the next push is the first."""


@dataclass(frozen=True)
class SessionPlan:
    """Every length of a session, in samples of the output device, computed once."""

    block: int  # one processor block, rounded up
    prefill: int  # silence the output's ring starts with
    latency: int  # input to output, exactly where both rates are the same, else rounded
    late_limit: int  # lateness at which blocks are dropped
    phase: int  # of the outgoing resampler, so that `latency` is whole
    fade: int
    parts: Latency  # the declared parts, without the device's own

    def declared(self, device_seconds: float) -> Latency:
        """The declared parts, with the device's own latency as far as it is known."""
        return replace(self.parts, device_ms=1e3 * device_seconds)


def plan_session(
    processor: BlockProcessor, backend: AudioBackend, slack_seconds: float | None = None
) -> SessionPlan:
    """slack_seconds: the output cushion for compute and jitter; None is one block."""
    if processor.block < 1:
        raise ConfigError(f"a processor's block must be at least 1 sample, got {processor.block}")
    if slack_seconds is not None and slack_seconds < 0:
        raise ConfigError(f"slack_seconds must not be negative, got {slack_seconds}")
    rate, own_rate = backend.sample_rate, processor.sample_rate
    back = Resampler(own_rate, rate, "live")
    there = Resampler(backend.input_rate, own_rate, "live")
    scale = Fraction(back.up, back.down)  # device samples = processor samples * scale
    incoming = Fraction(rate, backend.input_rate)
    block = ceil(processor.block * scale)
    device_block = ceil(backend.input_block * incoming)
    cushion = block if slack_seconds is None else ceil(slack_seconds * rate)
    # The last sample of a block is played when the block is complete, back from the processor.
    phase = processor.latency * back.up % back.down
    stretching = 0 if backend.one_clock else Stretcher.DELAY
    resampling = there.delay * incoming + back.delay * scale + stretching
    if backend.input_rate == own_rate == rate:
        waiting = block - gcd(block, device_block) + stretching
    else:
        shift = Fraction(phase, back.down)
        waiting = floor((processor.block - 1) * scale + resampling + shift)
    prefill = waiting + device_block + cushion
    latency = prefill + floor(processor.latency * scale)
    ms = 1e3 / rate
    parts = Latency(
        block_ms=1e3 * processor.block / own_rate,
        processor_ms=1e3 * processor.latency / own_rate,
        resampling_ms=float(resampling) * ms,
    )
    parts = replace(parts, slack_ms=latency * ms - parts.total_ms)
    late_limit = block if backend.one_clock else block + device_block  # the jitter of two streams
    fade = max(1, round(FADE_SECONDS * rate))
    return SessionPlan(block, prefill, latency, late_limit, phase, fade, parts)
