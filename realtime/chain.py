"""The way of one block through a session, at the processor's rate: gain, voice, mix, limiter.

Only the worker's thread calls it. Where the processor is left out (overload, NaN), its last sound
fades; when it comes back it is reset, and heard again once all it gives is new. Another processor
takes over in the same manner: both work until the new one has heard enough, then they cross over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.config import VoiceParams
from core.errors import VoiceChangerError
from realtime.plan import FADE_SECONDS, BlockProcessor
from realtime.sound import DelayLine, Glide, Limiter, Mode, SoundParams

Wave = NDArray[np.float32]

BAD_BLOCKS_TO_FAIL = 3  # in a row, each after a reset: then the processor is beyond mending
_SHARES: dict[Mode, tuple[float, float]] = {"voice": (1, 0), "dry": (0, 1), "mute": (0, 0)}


class Chain:
    """bypass: what is heard while the processor is left out, "dry" or "mute"."""

    def __init__(self, processor: BlockProcessor, bypass: Mode, sound: SoundParams) -> None:
        self.processor = processor
        self.bad_blocks = 0
        self._bypass = bypass
        self._bad_in_a_row = 0
        self._fade = min(processor.block, max(1, round(FADE_SECONDS * processor.sample_rate)))
        self._fall = np.linspace(1, 0, self._fade, endpoint=False, dtype=np.float32)
        self._dry = DelayLine(processor.latency)
        self._in_gain = Glide(_factor(sound.input_gain_db))
        self._out_gain = Glide(_factor(sound.output_gain_db))
        wet, dry = _SHARES[sound.mode]
        self._wet_share, self._dry_share = Glide(wet, self._fade), Glide(dry, self._fade)
        self._limiter = Limiter(processor.sample_rate)
        self._last_wet = 0.0
        self._left_out = False
        self._settling = 0  # blocks until all that the processor gives is new
        self._next: BlockProcessor | None = None
        self._next_blocks = 0

    @property
    def _blocks_of_latency(self) -> int:
        return -(-self.processor.latency // self.processor.block)

    def warm_up(self, blocks: int, params: VoiceParams) -> None:
        """Silence through the processor, which then forgets it."""
        self._hand_over(params)
        self.processor.reset()
        for _ in range(blocks):
            self._push(np.zeros(self.processor.block, np.float32))
        self.processor.reset()
        self.bad_blocks = self._bad_in_a_row = 0

    def switch_to(self, processor: BlockProcessor) -> None:
        """Another processor of the same lengths, warm and reset, takes over within some blocks."""
        self._next = processor
        self._next_blocks = self._blocks_of_latency + 1

    def push(self, block: Wave, params: VoiceParams, sound: SoundParams, effort: int) -> Wave:
        """(block,) -> (block,). effort: the steps the processor may take; 0 leaves it out."""
        block = self._in_gain(block, _factor(sound.input_gain_db))
        dry = self._dry.push(block)
        mode = sound.mode
        wet = self._voice(block, params, effort) if effort else self._silence()
        if self._settling and mode == "voice":
            mode = self._bypass
        wet_share, dry_share = _SHARES[mode]
        out = self._mix(self._wet_share, wet, wet_share, self._dry_share, dry, dry_share)
        out = self._out_gain(out, _factor(sound.output_gain_db))
        return self._limiter(out, _factor(sound.ceiling_db))

    @staticmethod
    def _mix(first: Glide, a: Wave, to_a: float, second: Glide, b: Wave, to_b: float) -> Wave:
        if second.value == to_b == 0:
            return first(a, to_a)
        return first(a, to_a) + second(b, to_b)

    def _silence(self) -> Wave:
        """The processor left out: what is left of its sound."""
        wet = np.zeros(self.processor.block, np.float32)
        if not self._left_out:
            wet[: self._fade] = self._last_wet * self._fall
            self._last_wet = 0.0
        self._left_out = True
        self._settling = self._blocks_of_latency + 1
        if self._next is not None:
            self.processor, self._next = self._next, None
        return wet

    def _voice(self, block: Wave, params: VoiceParams, effort: int) -> Wave:
        if self._left_out:
            self._left_out = False
            self.processor.reset()
        self._settling = max(0, self._settling - 1)
        if self._next is None:  # else they are the next one's, and may be nothing to this
            self._hand_over(params)
        if hasattr(self.processor, "steps"):
            self.processor.steps = effort
        wet = self._push(block)
        if wet is None:
            return self._silence()
        if self._next is not None:
            wet = self._cross_over(block, wet, self._next)
        self._last_wet = float(wet[-1])
        return wet

    def _cross_over(self, block: Wave, wet: Wave, following: BlockProcessor) -> Wave:
        new = following.push(block)
        self._next_blocks -= 1
        if self._next_blocks > 0:
            return wet
        self.processor, self._next = following, None
        rise = np.arange(1, len(wet) + 1, dtype=np.float32) / len(wet)
        crossed: Wave = wet + rise * (new - wet)
        return crossed

    def _hand_over(self, params: VoiceParams) -> None:
        if hasattr(self.processor, "params"):
            self.processor.params = params

    def _push(self, block: Wave) -> Wave | None:
        """The processor's block, checked. NaN: None; three in a row: an error."""
        out = self.processor.push(block)
        if out.shape != block.shape:
            raise VoiceChangerError(
                f"{type(self.processor).__name__}.push gave shape {out.shape} for a block of "
                f"{len(block)} samples; it must give as many as it gets"
            )
        if np.isfinite(out).all():
            self._bad_in_a_row = 0
            return out.astype(np.float32, copy=False)
        self.bad_blocks += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= BAD_BLOCKS_TO_FAIL:
            raise VoiceChangerError(
                f"{type(self.processor).__name__} gave NaN or infinite samples in "
                f"{self._bad_in_a_row} blocks in a row, in spite of resets; use another voice"
            )
        return None


def _factor(db: float) -> float:
    return float(10 ** (db / 20))
