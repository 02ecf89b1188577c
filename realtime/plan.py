"""The plan of a session: what a processor is, and every length between it and a device.

The latency, in time: | block | processor | resampling | slack: device block + cushion | device |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, gcd
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError
from core.resampler import Resampler
from realtime.backend import AudioBackend
from realtime.stats import Latency


class BlockProcessor(Protocol):
    """What turns sound into sound, block by block. An attribute `params`, if any, is set live."""

    sample_rate: int  # Hz
    block: int  # samples per push
    latency: int  # samples the output lags the input

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(block,) -> (block,), always."""

    def reset(self) -> None:
        """Forgets all sound heard; the next push is the first."""


@dataclass(frozen=True)
class SessionPlan:
    """Every length of a session, in device samples, computed once."""

    block: int  # one processor block, rounded up
    prefill: int  # silence ring_out starts with
    latency: int  # input to output, exactly
    late_limit: int  # lateness at which input blocks are dropped
    phase: int  # of the outgoing resampler, so that `latency` is whole
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
    rate, device_block = backend.sample_rate, backend.block
    back = Resampler(processor.sample_rate, rate, "live")
    there = Resampler(rate, processor.sample_rate, "live")
    up, down = back.up, back.down  # device samples = processor samples * up / down
    block = -(-processor.block * up // down)
    cushion = block if slack_seconds is None else ceil(slack_seconds * rate)
    # The last sample of a block is played when the block is complete, back from the processor.
    phase = processor.latency * up % down
    if up == down:
        waiting = block - gcd(block, device_block)
    else:
        delays = there.delay * down + back.delay * up + phase
        waiting = ((processor.block - 1) * up + delays) // down
    prefill = waiting + device_block + cushion
    lag = processor.latency * up // down
    latency = prefill + lag
    resampling = there.delay + back.delay * up / down
    ms = 1e3 / rate
    parts = Latency(
        block_ms=1e3 * processor.block / processor.sample_rate,
        processor_ms=1e3 * processor.latency / processor.sample_rate,
        resampling_ms=resampling * ms,
    )
    parts = replace(parts, slack_ms=latency * ms - parts.total_ms)
    return SessionPlan(block, prefill, latency, block + device_block, phase, parts)
