"""WindowedUnits: a HuBERT or one of its kin as the content encoder of our own voices.

Such an encoder is defined for a whole wave. Live, a window around the newest block is encoded, and
each frame takes its unit, by its absolute place, from one window only:

    context                  block     lookahead
    |-----------------------|=========|---------|   all at 16 kHz, on the grid of units

Its weights stay where they are: the voice says which encoder it wants, and knows it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import AudioConfig, ContentConfig
from core.errors import VoiceChangerError, VoiceFileError
from core.resampler import Resampler

if TYPE_CHECKING:
    from core.content import UnitEncoder
    from core.streaming.plan import StreamPlan

UNIT_RATE, UNIT_HOP = 16_000, 320
DELAYS = (0, 1, 2, 3, 4, 7, 9, 14, 17, 34, 86)
"""Frames of lookahead to choose from; a window may have any."""
LOOKAHEAD_FRAMES = 9  # 0.1 s

_SOLID = 64  # values of each weight that tell two encoders apart


@dataclass
class WindowState:
    """block, context, wait: frames. heard: samples from unit `first` on, their newest ones last.

    pushed, given: frames so far.
    """

    block: int
    context: int
    wait: int
    resampler: Resampler
    heard: NDArray[np.float32]
    first: int = 0
    pushed: int = 0
    given: int = 0


class WindowedUnits(nn.Module):
    """Has no weights of its own; the network is read when it is first needed."""

    streams_exactly = False

    def __init__(self, audio: AudioConfig, config: ContentConfig) -> None:
        super().__init__()
        self.audio, self.config = audio, config
        self._samples = audio.hop_length * UNIT_RATE  # a frame is this by `_unit` units long
        self._unit = audio.sample_rate * UNIT_HOP
        self._beside: Path | None = None

    @property
    def sample_rate(self) -> int:
        return self.audio.sample_rate

    @property
    def hop_length(self) -> int:
        return self.audio.hop_length

    @property
    def dim(self) -> int:
        return self.config.dim

    def clear(self, units: Tensor, clarity: float) -> Tensor:
        """As they are: these encoders name no phones."""
        return units

    def open(self, beside: Path | None = None) -> None:
        """Reads the network from its place, or by the same name from the folder `beside`.

        One that is missing, or another than the voice was trained with, is a VoiceFileError.
        """
        self._beside = beside or self._beside
        network = self._network()
        known = self.config.fingerprint
        if known and fingerprint(network) != known:
            raise VoiceFileError(
                f"{self.config.source} is another {self.config.encoder} than the one that this"
                f" voice was trained with (its weights sign {fingerprint(network)}, expected"
                f" {known}); put that one there"
            )

    def lookahead(self, delay: int | None = None) -> int:
        """Samples after a frame's end that its units depend on."""
        late = Resampler(self.audio.sample_rate, UNIT_RATE, "live").delay
        unit = -(-self._unit // UNIT_RATE)  # the unit of a frame's middle ends at most so late
        return self.config.delay(delay) * self.hop_length + unit - self.hop_length // 2 + late

    def forward(self, wave: Tensor, delay: int | None = None) -> Tensor:
        """wave: (B, T) -> units (B, D, frames), frames = ceil(T / hop_length): one window of all.

        delay: a whole wave needs none.
        """
        frames = torch.arange(self.audio.frames(wave.shape[-1]))
        waves = [self._at_16k(each) for each in wave.numpy()]
        wanted = (int(self.unit_of(frames[-1:])) + 1) * UNIT_HOP
        heard = torch.from_numpy(np.stack(waves))
        heard = F.pad(heard, (0, max(wanted - heard.shape[1], 0)))
        return self._encode(heard)[..., self.unit_of(frames)]

    def heard_live(self, wave: Tensor, plan: StreamPlan) -> Tensor:
        """wave (B, T) -> units (B, D, frames) as a live run of that plan hears them."""
        delay = plan.stream.lookahead_frames
        return self.in_windows(wave, plan.block_frames, plan.context_frames, delay)

    def in_windows(
        self, wave: Tensor, block: int, context: int, delay: int | None = None
    ) -> Tensor:
        """wave (B, T) -> units (B, D, frames), encoded in windows of so many frames."""
        frames = self.audio.frames(wave.shape[-1])
        state = self.begin_windows(block, context, delay)
        padded = -(-(frames + state.wait) // block) * block * self.hop_length
        rows = F.pad(wave, (0, padded - wave.shape[-1]))
        made = [self.step(x[None], self.begin_windows(block, context, delay))[0] for x in rows]
        return torch.cat(made)[..., :frames]

    def begin(self, plan: StreamPlan) -> WindowState:
        """The state before the first sample of a live run."""
        delay = plan.stream.lookahead_frames
        return self.begin_windows(plan.block_frames, plan.context_frames, delay)

    def begin_windows(self, block: int, context: int, delay: int | None = None) -> WindowState:
        """The same for windows of so many frames."""
        wait = self.audio.frames(self.lookahead(delay))
        resampler = Resampler(self.audio.sample_rate, UNIT_RATE, "live")
        return WindowState(block, context, wait, resampler, np.zeros(0, np.float32))

    def step(self, wave: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        """The next blocks (1, n) -> the units (1, D, frames) that have their lookahead now."""
        made = [wave.new_zeros(1, self.dim, 0)]
        for block in torch.split(wave[0], state.block * self.hop_length):
            state.heard = np.concatenate([state.heard, state.resampler.push(block.numpy())])
            state.pushed += len(block) // self.hop_length
            frames = torch.arange(state.given, max(state.pushed - state.wait, state.given))
            oldest = torch.tensor([max(state.given - state.context, 0)])
            dropped = int(self.unit_of(oldest)) - state.first
            state.heard = state.heard[dropped * UNIT_HOP :]
            state.first += dropped
            if not len(frames):
                continue
            whole = len(state.heard) // UNIT_HOP * UNIT_HOP
            units = self._encode(torch.from_numpy(state.heard[:whole])[None])
            made.append(units[..., self.unit_of(frames) - state.first])
            state.given += len(frames)
        return torch.cat(made, -1), state

    def unit_of(self, frames: Tensor) -> Tensor:
        """The unit at the middle of each frame, both counted from the start of the signal."""
        return (2 * frames + 1) * self._samples // (2 * self._unit)

    def _encode(self, heard: Tensor) -> Tensor:
        """(B, n) at 16 kHz -> units (B, D, n // 320), brought to unit size."""
        units = self._network()(heard)
        return F.layer_norm(units, (self.dim,)).transpose(1, 2)

    def _at_16k(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        resampler = Resampler(self.audio.sample_rate, UNIT_RATE, "live")
        return np.concatenate([resampler.push(wave), resampler.flush()])

    def _network(self) -> UnitEncoder:
        name, source, layer = self.config.encoder, self.config.source, self.config.layer
        near = None if self._beside is None else self._beside / Path(source).name
        place = str(near) if near and near.exists() and not Path(source).exists() else source
        try:
            return read_network(name, place, layer)
        except VoiceChangerError as error:
            raise VoiceFileError(
                f"this voice hears with {name}, whose weights are not in its file; expected at"
                f" {source}, or by the same name beside the voice ({error})"
            ) from None


@lru_cache(maxsize=2)
def read_network(name: str, source: str, layer: int | None) -> UnitEncoder:
    """A unit encoder that gives n // 320 units of n samples; read once, however many voices ask."""
    from core.content import UnitOptions, unit_encoder

    network = unit_encoder(name, source, UnitOptions(layer, pad=True))
    if (network.sample_rate, network.hop_length) != (UNIT_RATE, UNIT_HOP):
        raise VoiceFileError(
            f"{source} gives a unit every {network.hop_length} samples, expected {UNIT_HOP} at"
            f" {UNIT_RATE} Hz; take another encoder"
        )
    return network


def fingerprint(network: UnitEncoder) -> str:
    """Names an encoder by some of each of its weights."""
    digest = hashlib.sha256()
    assert isinstance(network, nn.Module)
    for name, weight in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.flatten()[:_SOLID].float().numpy().tobytes())
    return digest.hexdigest()[:16]
