"""Online dynamic programming over pitch candidates: the best path, read a few frames late."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrackerConfig:
    """Costs in units of candidate strength (a perfect period has 1).

    lag_frames: later frames a decision may see. voicing_threshold: strength of "unvoiced".
    silence_threshold: peak, relative to the loudest so far, under which voicing needs ever more
    strength. loudest_floor: the loudest so far is never taken for less. loudest_seconds: it decays
    by 1/e in this time. octave_jump_cost: a voiced octave. voicing_cost: to turn voiced or
    unvoiced. range_cost: an octave too low, at most range_cap; too high costs what strength lacks
    of 1. The range is range_below .. range_above (octaves) around the mean log f0 of the last
    range_seconds of voice.
    """

    lag_frames: int = 2
    voicing_threshold: float = 0.35
    silence_threshold: float = 0.07
    loudest_floor: float = 0.02
    loudest_seconds: float = 10.0
    octave_jump_cost: float = 0.4
    voicing_cost: float = 0.14
    range_cost: float = 0.3
    range_below: float = 0.6
    range_cap: float = 0.2
    range_above: float = 1.0
    range_seconds: float = 2.0


@dataclass
class TrackerState:
    """score: (K + 1,) of the best path that ends in each state, state 0 being "unvoiced".

    pending: per undecided frame its log2 f0 by state (K + 1,) and the state each path came from.
    centre, heard: mean log2 f0 of the voice, and how many frames it rests on.
    """

    loudest: float
    score: NDArray[np.float64]
    log_f0: NDArray[np.float64]
    centre: float = 0.0
    heard: int = 0
    pending: list[tuple[NDArray[np.float64], NDArray[np.intp]]] = field(default_factory=list)


class PitchTracker:
    """Weights (none) and costs only; whatever moves is in TrackerState."""

    def __init__(self, config: TrackerConfig, frame_rate: float) -> None:
        self.config = config
        self._decay = float(np.exp(-1.0 / (frame_rate * config.loudest_seconds)))
        # costs are meant for steps of 10 ms; longer steps make jumps cheaper (Boersma 1993)
        self._step = frame_rate / 100.0
        self._range_frames = round(config.range_seconds * frame_rate)

    def init_state(self, candidates: int) -> TrackerState:
        """The state before the first frame: unvoiced."""
        score = np.full(candidates + 1, -np.inf)
        score[0] = 0.0
        return TrackerState(self.config.loudest_floor, score, np.zeros(candidates + 1))

    def push(
        self,
        f0: NDArray[np.float64],
        strength: NDArray[np.float64],
        peak: NDArray[np.float64],
        state: TrackerState,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """f0, strength: (frames, K), strength -inf where there is no candidate; peak: (frames,).

        Returns f0 and voiced of the frames now decided, `lag_frames` behind; updates `state`.
        """
        c = self.config
        n, k = f0.shape
        local = np.concatenate([np.zeros((n, 1)), strength], axis=1)
        local[:, 0] = self._unvoiced_strength(peak, state)
        log_f0 = np.concatenate([np.full((n, 1), np.nan), np.log2(f0)], axis=1)
        before = np.concatenate([state.log_f0[None], log_f0[:-1]]) if n else log_f0
        jump = np.abs(before[:, :, None] - log_f0[:, None, :])  # (n, from, to), NaN where unvoiced
        cost = self._step * c.octave_jump_cost * jump
        cost[:, 0, :] = cost[:, :, 0] = self._step * c.voicing_cost
        cost[:, 0, 0] = 0.0

        decided: list[float] = []
        columns = np.arange(k + 1)
        for i in range(n):
            arrive = state.score[:, None] - cost[i]
            origin = arrive.argmax(axis=0)
            score = arrive[origin, columns] + local[i]
            if state.heard > self._range_frames // 4:
                score[1:] -= self._range_costs(log_f0[i, 1:] - state.centre, local[i, 1:])
            state.score = score - score.max()
            state.pending.append((log_f0[i], origin))
            if len(state.pending) > c.lag_frames:
                at = int(state.score.argmax())
                for _, came in state.pending[:0:-1]:
                    at = int(came[at])
                decided.append(float(state.pending.pop(0)[0][at]))
                if at:
                    state.heard = min(state.heard + 1, self._range_frames)
                    state.centre += (decided[-1] - state.centre) / state.heard
        if n:
            state.log_f0 = log_f0[-1]
        track = np.array(decided)
        voiced = ~np.isnan(track)
        return np.exp2(np.where(voiced, track, 0.0)), voiced

    def _range_costs(
        self, octaves: NDArray[np.float64], strength: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        c = self.config
        below = np.minimum(c.range_cost * np.maximum(-c.range_below - octaves, 0.0), c.range_cap)
        # a clear tone may leap up freely: its subharmonics are as strong as itself, so a cost here
        # would hold a singer down for good
        above = np.maximum(octaves - c.range_above, 0.0) * np.minimum(1.0 - strength, 1.0)
        costs: NDArray[np.float64] = below + above
        return costs

    def _unvoiced_strength(
        self, peak: NDArray[np.float64], state: TrackerState
    ) -> NDArray[np.float64]:
        c = self.config
        loudest = np.empty(len(peak))
        for i, p in enumerate(peak.tolist()):
            state.loudest = max(p, state.loudest * self._decay, c.loudest_floor)
            loudest[i] = state.loudest
        need = c.silence_threshold / (1.0 + c.voicing_threshold)
        return c.voicing_threshold + np.maximum(0.0, 2.0 - peak / loudest / need)
