"""StreamingNsf: NSF-HiFiGAN block by block, equal to the whole, as late as its convolutions hear.

A block is rendered with the frames around it, and only what has all of them is kept:

    kept frames        |<-- reach -->|<-- reach -->|
    this block                                     |<-- n -->|
    rendered           |------------------------------------ |
    given out                        |<--- n --->|

The excitation is made once: its phase is carried from block to block, its noise keyed by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.diffusion.noise import NoiseTape
from core.vocoder.nsf_hifigan import NsfHifiGan

_NOISE_STREAM = 2  # the denoiser's start noise is 0, the embedded vocoder's 1


@dataclass
class NsfState:
    """position: frames with an excitation so far. mel (B, M, n), excitation (B, 1, n * source_hop):
    of the last of them, at most twice the reach. phase: of the excitation. held_mel, held_f0: the
    frame that waits for the f0 after it (mini-NSF), else none."""

    position: int
    mel: Tensor
    excitation: Tensor | None
    phase: Tensor | None
    held_mel: Tensor
    held_f0: Tensor


class StreamingNsf:
    """A vocoder of this program's protocol around an NsfHifiGan.

    seed: of the source's noise; None is no noise. Start phases are zero.
    """

    streams_exactly = True

    def __init__(self, vocoder: NsfHifiGan, seed: int | None = 0) -> None:
        config = vocoder.config
        self.vocoder, self.reach = vocoder, config.receptive_frames
        self.waits = 1 if config.mini else 0
        self.partials = vocoder.m_source.partials if config.has_source and not config.mini else 0
        width = config.hop_length * self.partials
        self.tape = NoiseTape(seed, width, _NOISE_STREAM) if seed is not None and width else None

    @property
    def latency(self) -> int:
        """Samples the wave lags the mel by."""
        return (self.reach + self.waits) * self.vocoder.hop_length

    def __call__(
        self, mel: Tensor, f0: Tensor, voiced: Tensor | None = None, state: NsfState | None = None
    ) -> tuple[Tensor, NsfState]:
        """mel (B, M, T), f0 in Hz (B, T) -> wave (B, T * hop), `latency` late, and the next state.

        voiced: bool (B, T); None is where f0 > 0. Before the first samples there is silence.
        """
        f0 = f0 if voiced is None else f0 * voiced
        if state is None:
            none = mel[..., :0], f0[..., :0]
            state = NsfState(0, none[0], None, None, *none)
        wave, state = self._render(mel, f0, state, self.waits, self.reach)
        missing = mel.shape[2] * self.vocoder.hop_length - wave.shape[1]
        return F.pad(wave, (missing, 0)), state

    def finish(self, state: NsfState) -> Tensor:
        """The samples still owed after the last frame: (B, latency), fewer of a shorter stream."""
        wave, _ = self._render(state.held_mel[..., :0], state.held_f0[..., :0], state, 0, 0)
        return wave

    def _render(
        self, mel: Tensor, f0: Tensor, state: NsfState, waits: int, reach: int
    ) -> tuple[Tensor, NsfState]:
        """The sound of the frames up to the last but `waits + reach`, as far as not given out."""
        mel, f0 = torch.cat([state.held_mel, mel], 2), torch.cat([state.held_f0, f0], 1)
        n = max(mel.shape[2] - waits, 0)
        ready_mel, ready_f0 = mel[..., :n], f0[:, :n]
        excitation, phase = state.excitation, state.phase
        if n:
            after = f0[:, n] if n < f0.shape[1] else None
            noise = self._noise(state.position, n, f0)
            made, phase = self.vocoder.excite(ready_f0, None, noise, phase, after)
            excitation = (
                made if excitation is None or made is None else torch.cat([excitation, made], 2)
            )
        window = torch.cat([state.mel, ready_mel], 2)
        end = state.position + n
        first = max(0, state.position - self.reach)  # the frame to give out next
        last = max(first, end - reach)
        begin = end - window.shape[2]
        wave = window.new_zeros(len(window), 0)
        if last > first:
            hop = self.vocoder.hop_length
            wave = self.vocoder.generator(window, excitation)
            wave = wave[:, (first - begin) * hop : (last - begin) * hop]
        kept = min(window.shape[2], 2 * self.reach)
        samples = kept * self.vocoder.config.source_hop
        excitation = None if excitation is None else excitation[..., -samples:]
        window = window[..., window.shape[2] - kept :]
        return wave, NsfState(end, window, excitation, phase, mel[..., n:], f0[:, n:])

    def _noise(self, position: int, frames: int, like: Tensor) -> Tensor | None:
        """(B, frames * hop, partials) standard normal, from the tape."""
        if self.tape is None:
            return None
        made = self.tape.frames(position, frames).transpose(1, 2)  # (1, frames, hop * partials)
        return made.reshape(1, -1, self.partials).to(like).expand(len(like), -1, -1)
