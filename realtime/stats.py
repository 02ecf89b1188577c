"""What a session tells about itself: frozen snapshots, published once per block."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -120.0


class SessionState(str, Enum):
    """IDLE -> STARTING -> RUNNING -> STOPPING -> IDLE; FAILED from anywhere, until `start`.

    RUNNING -> LOST -> RUNNING where a device goes and comes back.
    """

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    LOST = "lost"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Latency:
    """Where the declared latency comes from; everything in milliseconds, input to output.

    device: what the sound card adds. block: filling one block. processor: its own declared latency.
    resampling: both resamplers. slack: the output cushion, which pays for compute and jitter.
    """

    device_ms: float = 0.0
    block_ms: float = 0.0
    processor_ms: float = 0.0
    resampling_ms: float = 0.0
    slack_ms: float = 0.0

    @property
    def algorithmic_ms(self) -> float:
        """Block and processor: what would remain on an infinitely fast machine and device."""
        return self.block_ms + self.processor_ms

    @property
    def total_ms(self) -> float:
        """What a listener waits."""
        parts = self.block_ms + self.processor_ms + self.resampling_ms + self.slack_ms
        return self.device_ms + parts


@dataclass(frozen=True)
class LiveStats:
    """A session at one moment. Samples are at the device's rate, levels in dBFS, times in ms.

    xruns: dropouts, each a stretch of silence because no block was ready. silent_samples: their
    length. device_xruns: callbacks in which the device itself reported an overflow or underflow.
    dropped_samples: sound thrown away, so that latency does not creep after a stall.
    late_samples, late_ms: how far the output lags beyond the declared latency now; negative: ahead
    of it, because the input lost samples, so that less cushion is left.
    bad_blocks: blocks replaced by silence because the processor gave NaN or infinite samples.
    p50_ms, p95_ms, p99_ms: compute per block over the last 512 blocks; max_ms: since the start.
    rtf: the mean compute over the length of a block.
    effort: steps the processor may take now, 0 while it is left out, the machine being too slow;
    bypassed_blocks: how many blocks that was.
    drift_ppm: how much slower the input's clock is than the output's, in 1e-6, as far as known.
    reopened: how often a lost device came back.
    """

    state: SessionState = SessionState.IDLE
    blocks: int = 0
    xruns: int = 0
    silent_samples: int = 0
    device_xruns: int = 0
    dropped_samples: int = 0
    late_samples: int = 0
    late_ms: float = 0.0
    bad_blocks: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    rtf: float = 0.0
    input_db: float = SILENCE_DB
    output_db: float = SILENCE_DB
    effort: int = 1
    bypassed_blocks: int = 0
    drift_ppm: float = 0.0
    reopened: int = 0
    latency: Latency = field(default_factory=Latency)

    def after(self, past: LiveStats) -> LiveStats:
        """This run's snapshot with the counts of one before it, whose device was lost."""
        counts = {name: getattr(self, name) + getattr(past, name) for name in _COUNTS}
        return replace(self, max_ms=max(self.max_ms, past.max_ms), **counts)


_COUNTS = (
    "blocks",
    "xruns",
    "silent_samples",
    "device_xruns",
    "dropped_samples",
    "bad_blocks",
    "bypassed_blocks",
    "reopened",
)


def figures(stats: LiveStats) -> dict[str, float | int]:
    """The snapshot as the flat table that `moksori live --json` prints: milliseconds, samples."""
    latency = stats.latency
    table: dict[str, float | int] = {
        "latency_ms": latency.total_ms,
        "algorithmic_ms": latency.algorithmic_ms,
        "resampling_ms": latency.resampling_ms,
        "slack_ms": latency.slack_ms,
        "device_ms": latency.device_ms,
        "block_ms": latency.block_ms,
        "rtf": stats.rtf,
        "p50_ms": stats.p50_ms,
        "p95_ms": stats.p95_ms,
        "p99_ms": stats.p99_ms,
        "max_ms": stats.max_ms,
        "blocks": stats.blocks,
        "xruns": stats.xruns,
        "device_xruns": stats.device_xruns,
        "silent_samples": stats.silent_samples,
        "dropped_samples": stats.dropped_samples,
        "bad_blocks": stats.bad_blocks,
        "bypassed_blocks": stats.bypassed_blocks,
        "late_samples": stats.late_samples,
        "drift_ppm": stats.drift_ppm,
        "reopened": stats.reopened,
    }
    return {key: round(value, 3) for key, value in table.items()}


class Timings:
    """Compute seconds of the last `size` blocks; the oldest fall out."""

    def __init__(self, size: int = 512) -> None:
        self._seconds: deque[float] = deque(maxlen=size)
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        """Notes one block."""
        self._seconds.append(seconds)
        self.worst = max(self.worst, seconds)

    def quantiles(self, *shares: float) -> tuple[float, ...]:
        """Seconds below which each share of the blocks lies (nearest rank); zeros when empty."""
        ordered = sorted(self._seconds)
        if not ordered:
            return tuple(0.0 for _ in shares)
        last = len(ordered) - 1
        return tuple(ordered[min(last, int(share * len(ordered)))] for share in shares)

    def mean(self) -> float:
        """Seconds; 0 when empty."""
        return sum(self._seconds) / len(self._seconds) if self._seconds else 0.0


def peak_db(samples: NDArray[np.float32]) -> float:
    """Peak level in dBFS, not below SILENCE_DB. samples: (T,)."""
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return max(SILENCE_DB, 20 * float(np.log10(peak))) if peak > 0 else SILENCE_DB
