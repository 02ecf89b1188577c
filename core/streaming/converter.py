"""StreamingConverter: a voice as a BlockProcessor. numpy in, numpy out; torch stays in core.

Every part carries its state or commits each frame once, so the blocks join without a seam, and what
comes out is what `pipeline.convert` makes of the whole, late by `latency`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.config import StreamConfig, VoiceParams
from core.errors import ConfigError
from core.packed import pack
from core.pipeline import Synthesis, plan_for
from core.voice import VoiceModel


class StreamingConverter:
    """block: samples a push. latency: samples the output lags, gathering a block not counted."""

    def __init__(
        self,
        voice: VoiceModel,
        stream: StreamConfig | None = None,
        params: VoiceParams | None = None,
    ) -> None:
        self.voice, self.stream = voice, stream or StreamConfig()
        self.params = params or VoiceParams()
        self.plan = plan_for(voice, self.stream)
        pack(voice)
        self.sample_rate = voice.config.audio.sample_rate
        self.block = self.plan.block
        self.latency = self.plan.latency
        self._analysis = voice.analyser.stream(self.plan)
        self._synthesis = Synthesis(voice, self.stream.steps, self.stream.sampler, self.stream.seed)
        self.reset()

    @property
    def stage_seconds(self) -> dict[str, float]:
        """What each stage of the last push took."""
        return {**self._analysis.stage_seconds, **self._synthesis.stage_seconds}

    @property
    def steps(self) -> int:
        """Of the sampler, from the next push on; a session lowers them where time is short."""
        return self._synthesis.steps

    @steps.setter
    def steps(self, steps: int) -> None:
        if steps != self._synthesis.steps:
            self._synthesis.steps = steps

    @property
    def pitch_shift(self) -> float:
        """Semitones by which the latest frame was shifted, whoever chose them."""
        return self._synthesis.pitch_shift

    def reset(self) -> None:
        """Back to the start: the next push is the first."""
        self._analysis.reset()
        self._synthesis.reset()
        late = self.plan.lookahead + self.plan.denoiser_lookahead
        self._wet = np.zeros(late, dtype=np.float32)
        self._dry = np.zeros(self.latency, dtype=np.float32)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples -> as many, late by `latency`.

        Any whole number of frames will do where the f0 estimator streams exactly, else of blocks.
        """
        unit = self._analysis.unit
        if block.ndim != 1 or len(block) == 0 or len(block) % unit:
            raise ConfigError(
                f"block of shape {block.shape} is not a whole number of {unit}-sample"
                f" {'frames' if unit == self.plan.audio.hop_length else 'blocks'};"
                f" push {self.block} samples"
            )
        params = self.params
        with torch.inference_mode():
            conditions = self._analysis.push(block)
            if conditions is not None:
                made = self._synthesis(conditions, params)[0].numpy()
                self._wet = np.concatenate([self._wet, made])
        self._dry = np.concatenate([self._dry, block])
        wet, self._wet = self._wet[: len(block)], self._wet[len(block) :]
        dry, self._dry = self._dry[: len(block)], self._dry[len(block) :]
        return wet + np.float32(params.dry_mix) * (dry - wet)

    def flush(self) -> NDArray[np.float32]:
        """What is still owed, (latency,), as if silence followed; then back to the start."""
        unit = self._analysis.unit
        silence = np.zeros(-(-self.latency // unit) * unit, dtype=np.float32)
        rest = self.push(silence)[: self.latency]
        self.reset()
        return rest
