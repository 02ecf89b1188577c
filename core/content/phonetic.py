"""PhoneticEncoder: a small causal network that hears phones, on the voice's own frame grid.

Its lookahead is a delay: the output at frame i is what the network says after hearing frame
i + delay. It is trained for several delays at once and told which one is wanted, so one network
serves every latency. Trained here on frame-aligned phones of warped, coloured and noisy speech, so
that its bottleneck keeps what is said and drops who says it. The embedded default.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import AudioConfig, ContentConfig
from core.mel import frame_wave, mel_filters
from core.nn import CausalConv1d, ConvState, ResidualStack

if TYPE_CHECKING:
    from core.streaming.plan import StreamPlan

_FLOOR = 1e-7  # of mel power: -70 dB, under any microphone's noise
_CENTRE, _SCALE = -6.0, 4.0  # brings log mel power of levelled speech to about unit size


@dataclass
class PhoneticState:
    """delay: frames of lookahead; tail: the last samples, (B, n); pending: frames still to be
    dropped; convs: one a layer."""

    delay: int
    tail: Tensor
    pending: int
    entry: ConvState | None
    convs: list[ConvState] | None


class PhoneticEncoder(nn.Module):
    """Log-mel frames -> causal convolutions -> a narrow bottleneck, the units."""

    streams_exactly = True
    filters: Tensor
    window: Tensor

    def __init__(self, audio: AudioConfig, config: ContentConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.audio, self.config = audio, config
        filters = mel_filters(
            audio.sample_rate, config.n_fft, config.n_bands, config.f_min, config.f_max
        )
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        self.entry = CausalConv1d(config.n_bands, config.channels, config.kernel)
        self.delays = nn.Embedding(len(config.delays), config.channels)
        nn.init.zeros_(self.delays.weight)
        self.stack = ResidualStack(config.channels, config.kernel, config.dilations, dropout)
        self.norm = nn.LayerNorm(config.channels)
        self.bottleneck = nn.Linear(config.channels, config.dim)
        self.phones = nn.Linear(config.dim, config.n_phones)

    @property
    def sample_rate(self) -> int:
        return self.audio.sample_rate

    @property
    def hop_length(self) -> int:
        return self.audio.hop_length

    @property
    def dim(self) -> int:
        return self.config.dim

    def lookahead(self, delay: int | None = None) -> int:
        """Samples after a frame's end that its units depend on."""
        overhang = (self.config.n_fft - self.hop_length) // 2
        return self.config.delay(delay) * self.hop_length + overhang

    def forward(self, wave: Tensor, delay: int | None = None) -> Tensor:
        """wave: (B, T) -> units (B, D, frames), frames = ceil(T / hop_length).

        delay: frames of lookahead, one of the config's `delays`; None is its own choice.
        """
        delay = self.config.delay(delay)
        frames = self.audio.frames(wave.shape[-1])
        padded = F.pad(wave, (0, (frames + delay) * self.hop_length - wave.shape[-1]))
        bands = self.bands(self.power(frame_wave(padded, self.config.n_fft, self.hop_length)))
        return self.encode(bands, delay)[0][:, delay:].transpose(1, 2)

    def heard_live(self, wave: Tensor, plan: StreamPlan) -> Tensor:
        """As `forward`: blocks change nothing."""
        return self(wave, plan.stream.lookahead_frames)  # type: ignore[no-any-return]

    def begin(self, plan: StreamPlan) -> PhoneticState:
        """The state before the first sample of a live run."""
        return self.init_state(delay=plan.stream.lookahead_frames)

    def init_state(self, batch: int = 1, delay: int | None = None) -> PhoneticState:
        """The state before the first sample."""
        delay = self.config.delay(delay)
        overhang = (self.config.n_fft - self.hop_length) // 2
        tail = torch.zeros(batch, overhang, device=self.window.device)
        return PhoneticState(delay, tail, delay, None, None)

    def step(self, wave: Tensor, state: PhoneticState) -> tuple[Tensor, PhoneticState]:
        """The next samples (B, n) -> the units (B, D, frames) that have their lookahead now."""
        heard = torch.cat([state.tail, wave], -1)
        if heard.shape[-1] < self.config.n_fft:
            return wave.new_zeros(len(wave), self.dim, 0), replace(state, tail=heard)
        windows = heard.unfold(-1, self.config.n_fft, self.hop_length)
        tail = heard[:, windows.shape[1] * self.hop_length :]
        bands = self.bands(self.power(windows))
        units, entry, convs = self.encode(bands, state.delay, state.entry, state.convs)
        dropped = min(state.pending, units.shape[1])
        kept = units[:, dropped:].transpose(1, 2)
        return kept, PhoneticState(state.delay, tail, state.pending - dropped, entry, convs)

    def clear(self, units: Tensor, clarity: float | Tensor) -> Tensor:
        """units (B, D, T) -> units that say more surely the phone they say.

        Whom the encoder never heard it hears less surely than the target whose units the denoiser
        learned from. So each frame climbs, by `clarity` times half the gradient, its purity: the
        sum of the squares of its phones' probabilities. Where one phone is certain, or all are
        alike, that is flat. clarity: 0 and above, 0 leaves the units as they are; one number, or
        one for each of the batch, (B, 1, 1).
        """
        if not isinstance(clarity, Tensor) and clarity == 0.0:
            return units
        x = units.transpose(1, 2)
        phones = torch.softmax(self.phones(x), -1)
        purity = phones.square().sum(-1, keepdim=True)
        slope = (phones.square() - purity * phones) @ self.phones.weight
        return F.layer_norm(x + clarity * slope, (self.dim,)).transpose(1, 2)

    def power(self, windows: Tensor) -> Tensor:
        """(B, frames, n_fft) of samples -> power spectra (B, frames, bins)."""
        power: Tensor = torch.fft.rfft(windows * self.window).abs().square()
        return power

    def bands(self, power: Tensor, filters: Tensor | None = None) -> Tensor:
        """Power spectra -> scaled log-mel bands (B, frames, n_bands); `filters`: another bank."""
        bank = self.filters if filters is None else filters
        return (torch.log(power @ bank.transpose(-1, -2) + _FLOOR) - _CENTRE) / _SCALE

    def encode(
        self,
        bands: Tensor,
        delay: int,
        entry: ConvState | None = None,
        convs: list[ConvState] | None = None,
    ) -> tuple[Tensor, ConvState, list[ConvState]]:
        """Bands (B, frames, n_bands) -> units (B, frames, D), late by `delay`, and states."""
        x, entry = self.entry(bands, entry)
        x = x + self.delays.weight[self.config.delays.index(delay)]
        x, convs = self.stack(x, convs)
        units = self.bottleneck(self.norm(x))
        return F.layer_norm(units, (self.dim,)), entry, convs
