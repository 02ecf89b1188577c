"""StreamingNsf: NSF-HiFiGAN block by block, equal to the whole, and nothing computed twice.

Every layer keeps what its next output needs (`nsf_layers.py`); the phase of the excitation is
carried from block to block, its noise keyed by frame. The wave lags by what the layers hear ahead.

A long stretch goes through in parts, and on a processor in as many lanes as there are threads, each
on a core of its own: a lane hears what the layers reach before its first frame once more. On a card
blocks of one length are recorded and replayed, with all that is kept in one tensor.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from core.diffusion.noise import NoiseTape
from core.diffusion.replay import Record, Replayed, recorder
from core.vocoder.nsf_hifigan import NsfHifiGan
from core.vocoder.nsf_layers import Kept, Walk, delay

_NOISE_STREAM = 2  # the denoiser's start noise is 0, the embedded vocoder's 1

_PART = 86  # frames at once, a second: eight of them would be gigabytes of activations
_LANE = 172  # frames that are worth one


Layout = tuple[torch.Size, ...]


class Steady(NamedTuple):
    """The phase and what layers keep, where `frames` more of them leave the shapes as they are.

    flat (n,): all of it, one after the other, the phase first, whose bits are read as fp32.
    """

    frames: int
    layout: Layout
    flat: Tensor


@dataclass
class NsfState:
    """position: frames with an excitation so far. kept: of the generator's layers. phase: of the
    excitation, None before the first frame and where `kept` holds it. held_mel, held_f0: the frame
    that waits for the f0 after it (mini-NSF), else none.
    """

    position: int
    kept: Kept | Steady | None
    phase: Tensor | None
    held_mel: Tensor
    held_f0: Tensor


class StreamingNsf:
    """A vocoder of this program's protocol around an NsfHifiGan.

    seed: of the source's noise; None is no noise. Start phases are zero. record: see `Replayed`;
    None is what suits the vocoder's device.
    """

    streams_exactly = True

    def __init__(
        self, vocoder: NsfHifiGan, seed: int | None = 0, record: Record | None = None
    ) -> None:
        config = vocoder.config
        self.vocoder = vocoder
        self.waits = 1 if config.mini else 0
        self.partials = vocoder.m_source.partials if config.has_source and not config.mini else 0
        width = config.hop_length * self.partials
        self.tape = NoiseTape(seed, width, _NOISE_STREAM) if seed is not None and width else None
        self._replayed = Replayed(record or recorder(self.device))

    @property
    def device(self) -> torch.device:
        """Where the vocoder computes; it is told and heard in main memory."""
        return self.vocoder.generator.conv_pre.weight.device

    @property
    def latency(self) -> int:
        """Samples the wave lags the mel by."""
        return delay(self.vocoder.config) + self.waits * self.vocoder.hop_length

    def __call__(
        self, mel: Tensor, f0: Tensor, voiced: Tensor | None = None, state: NsfState | None = None
    ) -> tuple[Tensor, NsfState]:
        """mel (B, M, T), f0 in Hz (B, T) -> wave (B, T * hop), `latency` late, and the next state.

        voiced: bool (B, T); None is where f0 > 0. Before the first samples there is silence.
        """
        f0 = (f0 if voiced is None else f0 * voiced).to(self.device)
        mel = mel.to(self.device)
        if state is None:
            state = NsfState(0, None, None, mel[..., :0], f0[..., :0])
        wave, state = self._render(mel, f0, state, last=False)
        missing = mel.shape[2] * self.vocoder.hop_length - wave.shape[1]
        return F.pad(wave, (missing, 0)).cpu(), state

    def prepare(self, frames: int, state: NsfState | None) -> None:
        """Draws the noise of so many frames, while there is something else to wait for."""
        if self.tape is not None:
            self.tape.prepare(state.position if state is not None else 0, frames)

    def finish(self, state: NsfState) -> Tensor:
        """The samples still owed after the last frame: (B, latency), fewer of a shorter stream."""
        wave, _ = self._render(state.held_mel[..., :0], state.held_f0[..., :0], state, last=True)
        return wave.cpu()

    def _render(
        self, mel: Tensor, f0: Tensor, state: NsfState, last: bool
    ) -> tuple[Tensor, NsfState]:
        """What these frames let be said. last: no more follow."""
        mel, f0 = torch.cat([state.held_mel, mel], 2), torch.cat([state.held_f0, f0], 1)
        n = mel.shape[2] if last else max(mel.shape[2] - self.waits, 0)
        told = [mel[..., :n], f0, *self._noise(state.position, n, f0)]
        kept, phase = state.kept, state.phase
        if isinstance(kept, Steady) and kept.frames == n and not last:
            wave, after = self._replay(kept, told)
            return wave, NsfState(state.position + n, after, None, mel[..., n:], f0[:, n:])
        if isinstance(kept, Steady):
            kept, phase = self._unpacked(kept.layout, kept.flat)
        before, (wave, kept, phase) = kept, self._say(kept, phase, last, *told)
        said: Kept | Steady = kept
        if self._replayed.records and 0 < n <= _PART and _layout(before or []) == _layout(kept):
            parts = _parts(kept, phase)
            said, phase = Steady(n, _layout(parts), _flat(parts)), None
        return wave, NsfState(state.position + n, said, phase, mel[..., n:], f0[:, n:])

    def _say(
        self,
        kept: Kept | None,
        phase: Tensor | None,
        last: bool,
        mel: Tensor,
        f0: Tensor,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Kept, Tensor | None]:
        """mel (B, M, n), f0 (B, n or more), noise (B, n * hop, P) -> the wave, and what is kept."""
        n = mel.shape[2]
        excitation, phase = self._excite(f0, n, phase, noise)
        lanes = min(torch.get_num_threads(), n // _LANE) if self.device.type == "cpu" else 1
        if lanes > 1:
            return *self._in_lanes(lanes, mel, excitation, kept, last), phase
        return *self._in_parts(mel, excitation, kept, last), phase

    def _replay(self, steady: Steady, told: list[Tensor]) -> tuple[Tensor, Steady]:
        """The wave that is said, and what is kept after it."""
        step = partial(self._step, steady.layout)
        made = self._replayed(step, steady.flat, *told, key=steady.layout)
        size = len(steady.flat)
        return made[size:].view(len(told[0]), -1), steady._replace(flat=made[:size])

    def _step(self, layout: Layout, flat: Tensor, *told: Tensor) -> Tensor:
        """As `_say`, all in one tensor: what is kept, then the wave."""
        wave, kept, phase = self._say(*self._unpacked(layout, flat), False, *told)
        return _flat([*_parts(kept, phase), wave])

    def _unpacked(self, layout: Layout, flat: Tensor) -> tuple[Kept, Tensor | None]:
        """What layers keep, and the phase."""
        pieces = torch.split(flat, [shape.numel() for shape in layout])
        kept = [piece.view(shape) for piece, shape in zip(pieces, layout, strict=True)]
        return kept, kept.pop(0).view(torch.float64) if self.vocoder.config.has_source else None

    def _in_parts(
        self, mel: Tensor, excitation: Tensor | None, kept: Kept | None, last: bool
    ) -> tuple[Tensor, Kept]:
        """mel (B, M, n), excitation (B, 1, n * source_hop) -> what can be said, what is kept."""
        hop, said = self.vocoder.config.source_hop, []
        for start in range(0, max(mel.shape[2], 1), _PART):
            stop = start + _PART
            source = None if excitation is None else excitation[..., start * hop : stop * hop]
            walk = Walk(self.vocoder.generator, kept, last and stop >= mel.shape[2])
            said.append(walk.run(mel[..., start:stop], source))
            kept = walk.kept
        assert kept is not None, "at least one part was walked"
        return torch.cat(said, 1), kept

    def _in_lanes(
        self, lanes: int, mel: Tensor, excitation: Tensor | None, kept: Kept | None, last: bool
    ) -> tuple[Tensor, Kept]:
        """As `_in_parts`, each lane in a thread with one core for itself."""
        config, frames, threads = self.vocoder.config, mel.shape[2], torch.get_num_threads()
        late = delay(config)
        warm = config.receptive_frames + math.ceil(late / config.hop_length)

        def lane(number: int) -> tuple[Tensor, Kept]:
            start, stop = (frames * i // lanes for i in (number, number + 1))
            first = start - warm if number else 0
            source = None
            if excitation is not None:
                source = excitation[..., first * config.source_hop : stop * config.source_hop]
            ends = last and stop == frames
            with torch.inference_mode():
                before = None if number else kept
                wave, after = self._in_parts(mel[..., first:stop], source, before, ends)
            return (wave[:, warm * config.hop_length - late :] if number else wave), after

        try:
            with ThreadPoolExecutor(lanes, "lane", torch.set_num_threads, (1,)) as pool:
                said = [*pool.map(lane, range(lanes))]
        finally:
            torch.set_num_threads(threads)
        return torch.cat([wave for wave, _ in said], 1), said[-1][1]

    def _excite(
        self, f0: Tensor, n: int, phase: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """The excitation of the first n frames, and the phase after them."""
        if n == 0:
            none = None if not self.vocoder.config.has_source else f0.new_zeros(len(f0), 1, 0)
            return none, phase
        after = f0[:, n] if n < f0.shape[1] else None
        return self.vocoder.excite(f0[:, :n], None, noise, phase, after)

    def _noise(self, position: int, frames: int, like: Tensor) -> list[Tensor]:
        """(B, frames * hop, partials) standard normal, from the tape; nothing without one."""
        if self.tape is None:
            return []
        made = self.tape.frames(position, frames).transpose(1, 2)  # (1, frames, hop * partials)
        return [made.reshape(1, -1, self.partials).to(like).expand(len(like), -1, -1)]


def _parts(kept: Kept, phase: Tensor | None) -> Kept:
    """All of a state, the phase first; copying it as fp32 leaves its bits."""
    return kept if phase is None else [phase.view(torch.float32), *kept]


def _layout(parts: Kept) -> Layout:
    return tuple(part.shape for part in parts)


def _flat(parts: Kept) -> Tensor:
    return torch.cat([part.flatten() for part in parts])
