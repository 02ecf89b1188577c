"""What our own estimators share: decimate, cut frames, analyse, track; whole and live are one code.

input     |..hop..|..hop..|..hop..|..hop..|       frame i is decided when its window and the
window         [--past--|--future--]              windows of `lag_frames` later frames are in
                 centre of frame i
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from core.config import AudioConfig
from core.f0.decimate import Decimator, decimation_factor
from core.f0.frames import DEFAULT_F0, hold
from core.f0.tracker import PitchTracker, TrackerConfig

LOWEST_RATE = 16_000  # Hz: the noise of fricatives above 5 kHz is what tells them from voices
HIGH_PASS = 80.0  # Hz, against rumble and hum; a lower voice is heard by its harmonics
HIGH_PASS_ORDER = 2

Candidates = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Analysis(Protocol):
    """Finds pitch candidates in windows: `past` samples before a frame's centre, `future` after."""

    past: int
    future: int
    candidates: int

    def __call__(self, windows: NDArray[np.float64]) -> Candidates:
        """windows: (n, past + future) -> f0 (n, K) in Hz, strength (n, K), peak amplitude (n,)."""


class TrackedStream:
    """See F0Stream. Exact: what comes out does not depend on the sizes pushed."""

    def __init__(self, audio: AudioConfig, analysis: Analysis, tracker: TrackerConfig) -> None:
        factor = decimation_factor(audio.sample_rate, audio.hop_length, LOWEST_RATE)
        self._decimator = Decimator(factor)
        rate = audio.sample_rate / factor
        self._high_pass = butter(HIGH_PASS_ORDER, HIGH_PASS, "highpass", fs=rate, output="sos")
        self._analysis = analysis
        self._tracker = PitchTracker(tracker, audio.frame_rate)
        self._hop = audio.hop_length
        self._step = audio.hop_length // factor
        last = (self._step // 2 + analysis.future - 1) * factor + self._decimator.reach
        self.block = audio.hop_length
        self.lookahead = last + 1 - self._hop + tracker.lag_frames * self._hop
        self.reset()

    def reset(self) -> None:
        """Forgets everything pushed."""
        self._decimator.reset()
        self._filter_state = np.zeros((len(self._high_pass), 2))
        # silence before the first sample, as far as the first window reaches
        past = max(self._analysis.past - self._step // 2, 0)
        self._buffer = np.zeros(past)
        self._state = self._tracker.init_state(self._analysis.candidates)
        self._pushed = 0
        self._committed = 0
        self._last_f0 = DEFAULT_F0

    def push(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """wave: (T,), any T -> f0 in Hz and voiced of the frames that became committed."""
        self._pushed += len(wave)
        heard = self._decimator.push(wave)
        if len(heard):
            heard, self._filter_state = sosfilt(self._high_pass, heard, zi=self._filter_state)
        self._buffer = np.concatenate([self._buffer, heard])
        width = self._analysis.past + self._analysis.future
        n = max((len(self._buffer) - width) // self._step + 1, 0)
        if n == 0:
            return np.zeros(0, np.float32), np.zeros(0, np.bool_)
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, width)
        found = self._analysis(windows[:: self._step][:n])
        self._buffer = self._buffer[n * self._step :]
        f0, voiced = self._tracker.push(*found, self._state)
        held = hold(f0, voiced, self._last_f0)
        if len(held):
            self._last_f0 = float(held[-1])
        self._committed += len(held)
        return held, voiced

    def flush(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The frames still owed, as if zeros followed; then rewinds."""
        frames = -(-self._pushed // self._hop)
        owed = frames - self._committed
        missing = frames * self._hop - self._pushed + self.lookahead
        f0, voiced = self.push(np.zeros(missing, np.float32))
        self.reset()
        return f0[:owed], voiced[:owed]


class Tracked:
    """See F0Estimator. Base of the estimators that are an Analysis and costs."""

    context = 0  # the tracker carries its paths from the first frame on
    streams_exactly = True

    def __init__(self, audio: AudioConfig, analysis: Analysis, tracker: TrackerConfig) -> None:
        self._audio = audio
        self._analysis = analysis
        self._tracker = tracker

    def stream(self, block_frames: int = 4, context_frames: int = 24) -> TrackedStream:
        """A fresh stream; it needs neither a block nor a context."""
        return TrackedStream(self._audio, self._analysis, self._tracker)

    def __call__(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """wave: (T,) -> f0 in Hz (frames,), voiced (frames,)."""
        stream = self.stream()
        size = 256 * self._audio.hop_length  # bounds the memory of long recordings
        parts = [stream.push(wave[at : at + size]) for at in range(0, len(wave), size)]
        parts.append(stream.flush())
        return np.concatenate([f0 for f0, _ in parts]), np.concatenate([v for _, v in parts])


def within(
    audio: AudioConfig, tracker: TrackerConfig, frames: int | None
) -> tuple[TrackerConfig, int | None]:
    """A tracker and the longest `future` of a window that need `frames` of lookahead at most.

    A window that is shorter after its centre than before costs less accuracy than a hasty tracker,
    so that keeps its lag as far as any window is left.
    """
    if frames is None:
        return tracker, None
    lag = min(tracker.lag_frames, frames - 1)
    factor = decimation_factor(audio.sample_rate, audio.hop_length, LOWEST_RATE)
    reach = Decimator(factor).reach
    last = (frames - lag + 1) * audio.hop_length - reach - 1
    return replace(tracker, lag_frames=lag), last // factor + 1 - audio.hop_length // factor // 2


def analysis_rate(audio: AudioConfig) -> float:
    """Hz of the decimated signal that an Analysis sees."""
    return audio.sample_rate / decimation_factor(audio.sample_rate, audio.hop_length, LOWEST_RATE)
