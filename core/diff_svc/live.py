"""What an imported voice hears live: a window around the newest block becomes conditions.

    context                  block     lookahead
    |-----------------------|=========|---------|   units: of the whole window
                            |=========|---------|   conditions, noise and mel; the block is kept

What lies in the lookahead is told to the diffusion, which hears ahead, and told anew, better, with
the next window. f0 and levels are found once a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from core.config import StreamConfig
from core.diff_svc.config import ForeignConfig, MelFormat
from core.diff_svc.foreign import UNIT_HOP, UNIT_RATE
from core.diffusion.gaussian import GaussianDiffusion
from core.errors import ConfigError
from core.f0.frames import DEFAULT_F0
from core.f0.praat import Array, PraatConfig
from core.f0.praat_stream import PitchGrid, PraatStream
from core.kaiser_best import KaiserStream
from core.streaming.plan import StreamPlan, Window

Wave = NDArray[np.float32]

PAST_FRAMES = 8
"""What levels, energies and masks hear before a frame, at most."""

_BLOCK, _CONTEXT, _LOOKAHEAD = 0.25, 2.0, 0.1  # seconds; docs/latency.md has the curves
_FEWEST_UNITS = 2


class LiveVoice(Protocol):
    """What a family of imported voices brings; see `DiffSvcVoice`, `DiffusionSvcVoice`."""

    config: ForeignConfig

    @property
    def diffusion(self) -> GaussianDiffusion: ...
    @property
    def frames_per_unit(self) -> Fraction: ...
    @property
    def pitch_grid(self) -> PitchGrid: ...
    def begin_units(self, wave16: Tensor) -> Tensor: ...
    def encode(self, units: Tensor) -> Tensor: ...
    def unit_of(self, frames: Tensor) -> Tensor: ...
    def level(self, wave: Tensor) -> Tensor: ...
    def told(
        self,
        rows: Tensor,
        log2_f0: Tensor,
        unvoiced: Tensor,
        level: Tensor,
        semitones: float,
        speaker: int,
    ) -> tuple[Tensor, Tensor]: ...


def live_stream(
    form: MelFormat, block: float = _BLOCK, lookahead: float = _LOOKAHEAD
) -> StreamConfig:
    """Seconds of block and lookahead, and the context that suits imported voices, in frames."""
    frames = [max(1, math.floor(s * form.frame_rate + 0.5)) for s in (block, _CONTEXT, lookahead)]
    return StreamConfig(
        block_frames=frames[0], context_frames=frames[1], lookahead_frames=frames[2]
    )


class Told(NamedTuple):
    """Frames [start, stop) of a window, of which those before commit_stop are committed.

    cond (1, H, n); f0 in Hz and voiced (1, n); level (1, PAST_FRAMES + n) from PAST_FRAMES before
    start on, fewer at the beginning.
    """

    window: Window
    cond: Tensor
    f0: Tensor
    voiced: Tensor
    level: Tensor

    @property
    def commit(self) -> int:
        """How many frames are committed."""
        return self.window.commit_stop - self.window.commit_start


class UnitWindow:
    """Sound at 16 kHz, of which a window is encoded at each push."""

    def __init__(self, voice: LiveVoice) -> None:
        form = voice.config.mel
        self.voice = voice
        self._resampler = KaiserStream(form.sample_rate, UNIT_RATE)
        self._samples_per_frame = Fraction(form.hop_length * UNIT_RATE, form.sample_rate)
        self.reset()

    def reset(self) -> None:
        """Forgets everything heard."""
        self._resampler.reset()
        self._heard = np.zeros(_FEWEST_UNITS * UNIT_HOP, np.float32)
        self._start = -len(self._heard)

    def push(self, wave: Wave, window: Window) -> Callable[[], Tensor]:
        """The next samples -> what frames [commit_start, stop) are told of units, (1, n, H), once
        it is asked for: until then a card may compute.
        """
        self._heard = np.concatenate([self._heard, self._resampler.push(wave)])
        last = (self._start + len(self._heard)) // UNIT_HOP
        wanted = math.ceil(max(window.start, 0) * self._samples_per_frame / UNIT_HOP)
        first = min(wanted, last - _FEWEST_UNITS)
        begin = first * UNIT_HOP - self._start
        sound = self._heard[begin : last * UNIT_HOP - self._start]
        self._heard, self._start = self._heard[begin:], self._start + begin
        units = self.voice.begin_units(torch.from_numpy(sound)[None])

        def rows() -> Tensor:
            encoded = self.voice.encode(units.cpu())
            frames = torch.arange(window.commit_start, window.stop)
            places = (self.voice.unit_of(frames) - first).clamp(0, encoded.shape[1] - 1)
            return encoded[:, places]

        return rows


class PitchTrack:
    """f0 without gaps: through unvoiced frames a straight line in log2 to the next voiced one where
    that is known, else the last one is held.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """No voice was heard yet."""
        self._last: float | None = None

    def push(self, f0: Array, frames: int, commit: int) -> tuple[Tensor, Tensor]:
        """f0 in Hz of the next frames that are known, 0 unvoiced -> log2 and unvoiced, (1, frames).

        commit: how many of them do not come again.
        """
        places = np.flatnonzero(f0 > 0)
        values = np.log2(f0[places])
        if self._last is not None:
            places, values = np.append(-1, places), np.append(self._last, values)
        if not len(places):
            places, values = np.array([0]), np.array([math.log2(DEFAULT_F0)])
        log2 = np.interp(np.arange(frames), places, values)
        unvoiced = np.ones(frames)
        known = min(len(f0), frames)
        unvoiced[:known] = f0[:known] == 0
        if known:
            unvoiced[known:] = unvoiced[known - 1]
        if commit and (self._last is not None or (f0 > 0).any()):
            self._last = float(log2[commit - 1])
        made = log2.astype(np.float32), unvoiced.astype(np.float32)
        return torch.from_numpy(made[0])[None], torch.from_numpy(made[1])[None]


class Listener:
    """Blocks in, what their windows say out."""

    def __init__(self, voice: LiveVoice, plan: StreamPlan) -> None:
        self.voice, self.plan = voice, plan
        pitch = voice.config.pitch
        self._units = UnitWindow(voice)
        self._f0 = PraatStream(voice.pitch_grid, PraatConfig(pitch.f0_min, pitch.f0_max))
        self._track = PitchTrack()
        self.reset()

    def reset(self) -> None:
        """Forgets everything heard."""
        self._units.reset()
        self._f0.reset()
        self._track.reset()
        self._pushed = self._committed = 0  # frames
        self._recent = np.zeros(0, np.float32)
        self._recent_start = 0  # frame that _recent begins with

    def push(self, block: Wave, semitones: float, speaker: int) -> Told | None:
        """The next block -> what is told of its window; None while nothing can be committed."""
        plan = self.plan
        self._pushed += plan.block_frames
        until = max(self._pushed - plan.lookahead_frames, 0)
        start = self._pushed - plan.window_frames
        window = Window(start, self._pushed, self._committed, until)
        n = self._pushed - self._committed
        rows = self._units.push(block, window)
        log2, unvoiced = self._track.push(self._f0.push(block, until), n, until - self._committed)
        past, level = self._levels(block, n)
        self._committed = until
        if until == window.commit_start:
            return None
        here = level[:, past:]
        cond, f0 = self.voice.told(rows(), log2, unvoiced, here, semitones, speaker)
        return Told(window, cond, f0, unvoiced == 0, level)

    def _levels(self, block: Wave, n: int) -> tuple[int, Tensor]:
        """Levels of the last n frames and of some before them: how many those are, (1, ...)."""
        hop = self.plan.audio.hop_length
        first = max(self._committed - PAST_FRAMES, 0)
        heard = np.concatenate([self._recent, block])[(first - self._recent_start) * hop :]
        self._recent, self._recent_start = heard, first
        past = self._committed - first
        level = self.voice.level(torch.from_numpy(heard)[None])[:, : past + n]
        return past, F.pad(level, (0, past + n - level.shape[1]))


def check_live(config: ForeignConfig) -> None:
    """Whether such a voice can be heard live at all."""
    if not config.content:
        raise ConfigError(
            f"voice {config.name} holds no content encoder; import it again with --hubert"
        )
