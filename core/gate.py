"""Gate: silence in is silence out. It hears the input, so the model's own breath cannot open it.

A frame is let through while it stands out from the noise and is not far below the speech heard so
far. It is heard in two ways, as it is and pre-emphasised: a weak consonant is lost in the one and
stands out in the other, with most of a room's noise it is the other way about. One way is enough.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from core.config import AudioConfig
from core.features import LOUDNESS_FLOOR_DB

ABOVE_NOISE = 12.0  # dB
NOISE_SECONDS = 4.0  # the quietest moment in so long is the noise: stop closures are short pauses
SLOPE = 4.0  # dB the output falls for each dB the input falls below the threshold
SILENT = 1e-3  # gain under which there is none
EXPECTED = -28.0  # dB, of speech before any is heard
ATTACK, DECAY, FORGETTING = 0.3, 0.03, 0.01  # share, and dB a frame of speech and of silence


@dataclass
class _Ear:
    """One way of hearing. Levels in dB.

    offset: how much fainter speech is so. below: the speech, what still belongs to it. least: below
    the speech, where noise is taken for no more than that.
    """

    offset: float
    below: float
    least: float
    frames: int

    def __post_init__(self) -> None:
        self.speech = EXPECTED - self.offset
        self._last: deque[float] = deque(maxlen=3)
        self._quiet: deque[float] = deque(maxlen=self.frames)

    def margin(self, level: float, lowest: float) -> float:
        """How far the next frame is above the threshold, which is `lowest` or more."""
        self._last.append(level)
        self._quiet.append(sum(self._last) / len(self._last))
        speech = max(self.speech, lowest + self.below - self.offset)
        noise = min(self._quiet) + ABOVE_NOISE
        return level - max(speech - self.below, min(noise, speech - self.least))

    def learn(self, level: float, heard: bool) -> None:
        """Follows the loud frames of speech, quickly up and slowly down."""
        if level > self.speech:
            self.speech += ATTACK * (level - self.speech)
        else:
            self.speech -= DECAY if heard else FORGETTING


class Gate:
    """An expander: a gain for every frame, a straight line from each to the next. No lookahead."""

    def __init__(self, audio: AudioConfig) -> None:
        self.hop_length = audio.hop_length
        self._frames = round(NOISE_SECONDS * audio.frame_rate)
        self.reset()

    def reset(self) -> None:
        """Closed, as before any sound."""
        self._plain = _Ear(0.0, 28.0, 20.0, self._frames)
        self._bright = _Ear(18.0, 34.0, 0.0, self._frames)
        self._gain = 0.0

    def __call__(
        self, loudness: Tensor, threshold_db: float, brightness: Tensor | None = None
    ) -> Tensor:
        """Levels of the next frames in dB (1, T) -> gain (1, T * hop), 0 to 1.

        threshold_db: of loudness, what is fainter is silence. brightness: None where unknown.
        """
        if brightness is None:
            brightness = torch.full_like(loudness, LOUDNESS_FLOOR_DB)
        gains = [self._gain]
        for level, bright in zip(loudness[0].tolist(), brightness[0].tolist(), strict=True):
            gains.append(self._next(level, bright, threshold_db))
        self._gain = gains[-1]
        ends = torch.tensor(gains)
        ramp = torch.arange(1, self.hop_length + 1) / self.hop_length
        left, right = ends[:-1, None], ends[1:, None]
        # closing takes half a frame, so that a word's end brings less noise
        share = torch.where(right < left, (2 * ramp).clamp(max=1.0), ramp)
        return (left + (right - left) * share).reshape(1, -1)

    def _next(self, level: float, bright: float, threshold_db: float) -> float:
        lowest = max(threshold_db, LOUDNESS_FLOOR_DB)
        ears = ((self._plain, level), (self._bright, bright))
        margin = max(ear.margin(heard, lowest) for ear, heard in ears)
        margin = min(margin, level - threshold_db)
        for ear, heard in ears:
            ear.learn(heard, margin > 0)
        gain = float(10 ** (SLOPE * min(margin, 0.0) / 20))
        return gain if gain > SILENT else 0.0
