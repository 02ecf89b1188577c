"""The plan of a live stream: every length and the latency, once, in integers. No torch here.

    context         block     lookahead
    |---------------|=========|---------|   the window at one push; on the right the newest input
                     committed, once: each frame is taken from one window only

Output lags input by `latency` from push to push; `algorithmic_latency` counts the block as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from core.config import AudioConfig, ContentConfig, StreamConfig, VoiceConfig
from core.errors import ConfigError

MAX_BLOCK_MS = 10_000
_BLOCK, _CONTEXT = 0.25, 2.0  # seconds, for an encoder of windows


class Window(NamedTuple):
    """One look at the signal, in absolute frames. Before 0 and after the end lies silence."""

    start: int
    """First frame seen; negative while the window reaches before the signal."""
    stop: int
    """One past the last frame seen; may lie past the end of the signal."""
    commit_start: int
    """First frame taken from this window."""
    commit_stop: int
    """One past the last frame taken."""


@dataclass(frozen=True)
class StreamPlan:
    """Lengths of a live stream, in samples unless the name says frames.

    analysis_context: past that a frame's conditions are computed from, beyond the frame itself.
    analysis_lookahead: future that they need, beyond the end of the frame.
    vocoder_latency: how much of a frame's wave waits for the next frames (an overlap-add tail).
    denoiser_frames: frames after it, analysed, that a frame waits for in the sampler.
    streams_exactly: whether the vocoder carries state; if not, its output is spliced by `Sola`.
    """

    audio: AudioConfig
    stream: StreamConfig
    analysis_lookahead: int = 0
    vocoder_latency: int = 0
    streams_exactly: bool = True
    analysis_context: int = 0
    denoiser_frames: int = 0

    def __post_init__(self) -> None:
        lengths = ("analysis_lookahead", "vocoder_latency", "analysis_context", "denoiser_frames")
        for name in lengths:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.context < self.analysis_context:
            raise ConfigError(
                f"context_frames of {self.context_frames} ({self.context} samples) is less than the"
                f" {self.analysis_context} samples that this voice's analysis looks back;"
                f" use {self.audio.frames(self.analysis_context)} or more"
            )

    @property
    def block_frames(self) -> int:
        return self.stream.block_frames

    @property
    def context_frames(self) -> int:
        return self.stream.context_frames

    @property
    def lookahead_frames(self) -> int:
        """Whole frames: a frame is committed at a frame boundary or not at all."""
        return self.audio.frames(self.analysis_lookahead)

    @property
    def window_frames(self) -> int:
        return self.context_frames + self.block_frames + self.lookahead_frames

    @property
    def block(self) -> int:
        """Samples a push takes and gives."""
        return self.block_frames * self.audio.hop_length

    @property
    def context(self) -> int:
        return self.context_frames * self.audio.hop_length

    @property
    def lookahead(self) -> int:
        return self.lookahead_frames * self.audio.hop_length

    @property
    def denoiser_lookahead(self) -> int:
        return self.denoiser_frames * self.audio.hop_length

    @property
    def window(self) -> int:
        return self.window_frames * self.audio.hop_length

    @property
    def crossfade(self) -> int:
        """Length of a splice: two frames, or the block if shorter; 0 where nothing is spliced."""
        return 0 if self.streams_exactly else min(self.block, 2 * self.audio.hop_length)

    @property
    def search(self) -> int:
        """How far a splice may shift to align: a frame, about one period of a low voice (86 Hz)."""
        return 0 if self.streams_exactly else self.audio.hop_length

    @property
    def latency(self) -> int:
        """Output lags input by this inside the stream of pushes; gathering a block comes on top."""
        analysed = self.lookahead + self.denoiser_lookahead
        return analysed + self.vocoder_latency + self.crossfade + self.search

    @property
    def algorithmic_latency(self) -> int:
        """What a listener waits on an infinitely fast computer without device buffers."""
        return self.block + self.latency

    def milliseconds(self, samples: int) -> float:
        """The duration of a length of this plan."""
        return 1000.0 * samples / self.audio.sample_rate

    def windows(self, n: int) -> Iterator[Window]:
        """The windows from which a live run commits n frames: each frame once, in order.

        Every window has `window_frames` frames. Pushes that commit nothing yet are left out;
        after the last frame the run goes on with silence until everything is committed.
        """
        stop = self.block_frames
        while stop - self.lookahead_frames <= 0:
            stop += self.block_frames
        committed = 0
        while committed < n:
            commit_stop = min(n, stop - self.lookahead_frames)
            yield Window(stop - self.window_frames, stop, committed, commit_stop)
            committed = commit_stop
            stop += self.block_frames


def live_stream(voice: VoiceConfig) -> StreamConfig:
    """The block and context that suit a voice: what is encoded window by window wants long ones."""
    own = StreamConfig()
    if not voice.content.source:
        return own
    block, context = (max(1, round(s * voice.audio.frame_rate)) for s in (_BLOCK, _CONTEXT))
    return replace(own, block_frames=block, context_frames=context)


def block_frames_from_samples(audio: AudioConfig, samples: int) -> int:
    """Frames in a block. One that is no whole number of frames is an error naming the nearest."""
    hop = audio.hop_length
    below = samples // hop * hop
    if samples < 1 or below != samples:
        choices = [str(n) for n in (below, below + hop) if n > 0] or [str(hop)]
        raise ConfigError(
            f"block of {samples} samples is not a whole number of {hop}-sample frames;"
            f" try {' or '.join(choices)}"
        )
    return samples // hop


def block_frames_from_ms(audio: AudioConfig, milliseconds: float) -> int:
    """The number of frames, at least one, that comes nearest to a block of that duration."""
    if not 0 < milliseconds <= MAX_BLOCK_MS:
        raise ConfigError(
            f"block must last longer than 0 ms and at most {MAX_BLOCK_MS}, got {milliseconds};"
            " try 50"
        )
    frames = milliseconds * audio.sample_rate / (1000.0 * audio.hop_length)
    return max(1, math.floor(frames + 0.5))


def delay_from_ms(audio: AudioConfig, content: ContentConfig, milliseconds: float) -> int:
    """The lookahead in frames, of those the voice was trained for, nearest to that duration."""
    if not 0 <= milliseconds < math.inf:
        raise ConfigError(f"lookahead must be 0 ms or more, got {milliseconds}; try 50")
    frames = milliseconds * audio.frame_rate / 1000.0
    return min(content.delays, key=lambda delay: abs(delay - frames))
