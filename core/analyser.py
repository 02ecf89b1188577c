"""Analyser: a wave becomes Conditions, whole or live. The live form commits each frame once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import StreamConfig, VoiceConfig
from core.content import ContentEncoder
from core.errors import ConfigError
from core.f0 import F0Estimator, f0_estimator
from core.features import Conditions, brightness, loudness
from core.streaming.plan import StreamPlan


@dataclass(frozen=True)
class Lookahead:
    """Samples after a frame's end that each part of the analysis needs."""

    content: int
    f0: int

    @property
    def samples(self) -> int:
        """What a frame waits for: the slowest part."""
        return max(self.content, self.f0)


class Analyser:
    """Content, pitch, voicing and loudness of a wave on the voice's frame grid."""

    def __init__(self, config: VoiceConfig, encoder: ContentEncoder) -> None:
        self.config, self.encoder = config, encoder
        self.f0: F0Estimator = f0_estimator(config.audio, config.f0)
        self._f0_within: dict[int, F0Estimator] = {}

    def f0_within(self, lookahead_frames: int | None) -> F0Estimator:
        """The f0 estimator that waits no longer than the content encoder does at that lookahead."""
        audio, own = self.config.audio, self.config.f0
        frames = audio.frames(self.encoder.lookahead(lookahead_frames))
        frames = max(min(frames, own.lookahead_frames or frames), 1)
        if frames not in self._f0_within:
            self._f0_within[frames] = f0_estimator(audio, replace(own, lookahead_frames=frames))
        return self._f0_within[frames]

    def streams_exactly(self, lookahead_frames: int | None = None) -> bool:
        """Whether blocks, of whatever length, change nothing."""
        return self.encoder.streams_exactly and self.f0_within(lookahead_frames).streams_exactly

    def lookahead(self, stream: StreamConfig) -> Lookahead:
        """What a live analysis in such blocks needs of the future."""
        estimator = self.f0_within(stream.lookahead_frames)
        f0 = estimator.stream(stream.block_frames, stream.context_frames)
        groups = -(-f0.lookahead // f0.block)  # f0 commits whole groups of frames
        return Lookahead(self.encoder.lookahead(stream.lookahead_frames), groups * f0.block)

    def __call__(
        self,
        wave: NDArray[np.float32],
        plan: StreamPlan | None = None,
        lookahead_frames: int | None = None,
    ) -> Conditions:
        """wave (T,) at the voice's rate -> conditions of ceil(T / hop) frames.

        With a plan, parts that cannot stream exactly hear the very windows of a live run.
        lookahead_frames: of the content encoder, None takes the voice's own; f0 waits no longer.
        """
        if not len(wave):
            raise ConfigError("nothing to analyse: the wave has no samples")
        tensor = torch.from_numpy(wave)[None]
        with torch.inference_mode():
            if plan is None:
                units = self.encoder(tensor, lookahead_frames)
            else:
                units = self.encoder.heard_live(tensor, plan)
            level = loudness(tensor, self.config.audio.hop_length)
            bright = brightness(tensor, self.config.audio.hop_length)
        estimator = self.f0_within(lookahead_frames)
        if plan is None or estimator.streams_exactly:
            f0, voiced = estimator(wave)
        else:
            stream = estimator.stream(plan.block_frames, plan.context_frames)
            parts = [stream.push(wave[i : i + plan.block]) for i in range(0, len(wave), plan.block)]
            parts.append(stream.flush())
            f0 = np.concatenate([p[0] for p in parts])
            voiced = np.concatenate([p[1] for p in parts])
        return Conditions(
            units,
            torch.from_numpy(f0)[None],
            torch.from_numpy(voiced)[None],
            level,
            self.first_speaker(len(f0)),
            bright,
        )

    def first_speaker(self, frames: int) -> Tensor:
        """All weight on the first of the voice's speakers, (1, S, frames): what a wave leaves open
        and `Synthesis` fills in.
        """
        return torch.eye(len(self.config.speakers))[:1, :, None].expand(-1, -1, frames)

    def stream(self, plan: StreamPlan) -> AnalysisStream:
        """A fresh live analysis."""
        return AnalysisStream(self, plan)


class AnalysisStream:
    """Takes whole frames of samples, gives the frames that have their lookahead."""

    def __init__(self, analyser: Analyser, plan: StreamPlan) -> None:
        self._analyser, self._plan = analyser, plan
        self._hop = plan.audio.hop_length
        estimator = analyser.f0_within(plan.stream.lookahead_frames)
        self._f0 = estimator.stream(plan.block_frames, plan.context_frames)
        self.stage_seconds: dict[str, float] = {}
        self.reset()

    @property
    def unit(self) -> int:
        """Samples a push must hold a multiple of: what hears windows commits frames in groups."""
        exact = self._analyser.encoder.streams_exactly
        return self._f0.block if exact else self._plan.block

    def reset(self) -> None:
        """Forgets everything heard."""
        self._f0.reset()
        self._content = self._analyser.encoder.begin(self._plan)
        self._waiting: list[Tensor] | None = (
            None  # of Conditions, but the speaker: (1, ..., frames)
        )
        self._pushed = self._committed = 0  # frames

    def push(self, wave: NDArray[np.float32]) -> Conditions | None:
        """wave: a multiple of `unit` -> conditions of the frames committed now, None if none.

        A frame is committed `plan.lookahead_frames` after it came, so their number follows from how
        many were pushed alone.
        """
        started = time.perf_counter()
        f0, voiced = self._f0.push(wave)
        heard = time.perf_counter()
        tensor = torch.from_numpy(wave)[None]
        units, self._content = self._analyser.encoder.step(tensor, self._content)
        level, bright = loudness(tensor, self._hop), brightness(tensor, self._hop)
        self.stage_seconds = {"f0": heard - started, "content": time.perf_counter() - heard}
        new: list[Tensor] = [
            units,
            torch.from_numpy(f0)[None],
            torch.from_numpy(voiced)[None],
            level,
            bright,
        ]
        if self._waiting is not None:
            new = [torch.cat(pair, -1) for pair in zip(self._waiting, new, strict=True)]
        self._pushed += len(wave) // self._hop
        ready = max(self._pushed - self._plan.lookahead_frames - self._committed, 0)
        self._committed += ready
        self._waiting = [part[..., ready:] for part in new]
        if not ready:
            return None
        units, pitch, voicing, level, bright = (part[..., :ready] for part in new)
        speaker = self._analyser.first_speaker(ready)
        return Conditions(units, pitch, voicing, level, speaker, bright)
