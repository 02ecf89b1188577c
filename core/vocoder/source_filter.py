"""SourceFilter: a frame-rate network shapes a pulse train and noise. Causal, cheap, with state.

Segments of excitation are windowed, filtered in the frequency domain and overlap-added:

    frame           |       i       |      i+1      |
    segments     |-- 2i-1 --|-- 2i+1 --|            each hop long, half a hop apart,
                        |---- 2i ----|              Hann windows that sum to one

Segment 2i-1 is centred on the start of frame i, segment 2i on its middle: the output lags by half a
hop. The filters are minimum phase (folded cepstrum) times a learned phase, so nothing rings ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import AudioConfig, MelConfig, VocoderConfig
from core.diffusion.noise import NoiseTape
from core.features import sung
from core.mel import hz_to_mel, mel_to_hz
from core.nn import CausalConv1d, ConvState, Linear, ResidualStack
from core.vocoder.source import PulseTrain, SourceState

_MEL_CENTRE, _MEL_SCALE = -5.0, 2.5
_NOISE_STREAM = 1  # the denoiser's start noise is stream 0
_UNDER_FUNDAMENTAL = 3.0  # nepers of noise less, half an octave and more under a sung fundamental


@dataclass
class SourceFilterState:
    """position: frames so far; excitation: the last half frame, (B, 2, hop / 2); tail: ringing."""

    position: int
    entry: ConvState
    convs: list[ConvState]
    source: SourceState
    excitation: Tensor
    tail: Tensor


class SourceFilter(nn.Module):
    """mel, f0, voiced -> wave. Streams exactly; lags by half a hop."""

    streams_exactly = True
    from_mel: Tensor
    fold: Tensor
    window: Tensor

    def __init__(
        self, audio: AudioConfig, mel: MelConfig, config: VocoderConfig, seed: int = 0
    ) -> None:
        super().__init__()
        self.audio, self.mel, self.config = audio, mel, config
        self.step = audio.hop_length // 2
        self.bins = config.n_fft // 2 + 1
        self.source = PulseTrain(audio.sample_rate, audio.hop_length)
        self.tape = NoiseTape(seed, audio.hop_length, stream=_NOISE_STREAM)
        self.entry = CausalConv1d(mel.n_mels + 2, config.channels, config.kernel)
        self.stack = ResidualStack(config.channels, config.kernel, config.dilations)
        self.norm = nn.LayerNorm(config.channels)
        # Two segments a frame; for each the pulses' log gain and phase and the noise's log gain.
        self.head = Linear(config.channels, 2 * 3 * self.bins)
        nn.init.normal_(self.head.weight, std=0.02 * config.channels**-0.5)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("from_mel", _envelope_matrix(audio, mel, config), persistent=False)
        fold = torch.zeros(config.n_fft)
        fold[0] = fold[config.n_fft // 2] = 1.0
        fold[1 : config.n_fft // 2] = 2.0
        self.register_buffer("fold", fold, persistent=False)
        window = torch.hann_window(audio.hop_length)
        self.register_buffer("window", window, persistent=False)
        # A mel value of white noise of unit power: window energy and filter area (both fixed).
        area = mel.n_fft / audio.sample_rate
        energy = float(torch.hann_window(mel.win_length).square().sum())
        self.level = math.log(area) + 0.5 * math.log(energy)

    @property
    def latency(self) -> int:
        """Samples the wave lags the mel by."""
        return self.step

    def forward(
        self,
        mel: Tensor,
        f0: Tensor,
        voiced: Tensor,
        state: SourceFilterState | None = None,
        noise: Tensor | None = None,
        tint: Tensor | None = None,
    ) -> tuple[Tensor, SourceFilterState]:
        """mel (B, M, T), f0 in Hz (B, T), voiced bool (B, T) -> wave (B, T * hop), next state.

        noise: (B, T * hop) in place of the keyed tape, for training. tint: nepers by which bands
        (B, M, T) come out stronger than the mel says.
        """
        batch, _, frames = mel.shape
        position = 0 if state is None else state.position
        if noise is None:
            tape = self.tape.frames(position, frames)  # (1, hop, T)
            noise = tape.transpose(1, 2).reshape(1, -1).to(mel).expand(batch, -1)
        pulses, source = self.source(f0, voiced, None if state is None else state.source)
        excitation = torch.stack([pulses, noise], 1)  # (B, 2, T * hop)
        before = excitation.new_zeros(batch, 2, self.step) if state is None else state.excitation
        excitation = torch.cat([before, excitation], 2)
        segments = excitation.unfold(2, 2 * self.step, self.step) * self.window  # (B, 2, 2T, hop)
        spectra = torch.fft.rfft(segments, n=self.config.n_fft)

        filters, entry, convs = self._filters(mel, f0, voiced, state, tint)
        wave = torch.fft.irfft((spectra * filters).sum(1), n=self.config.n_fft)  # (B, 2T, n_fft)

        overlap = self.config.n_fft // self.step
        pieces = wave.view(batch, 2 * frames, overlap, self.step)
        total = wave.new_zeros(batch, 2 * frames + overlap - 1, self.step)
        if state is not None:
            total[:, : overlap - 1] = state.tail
        for k in range(overlap):
            total[:, k : k + 2 * frames] += pieces[:, :, k]
        out = total[:, : 2 * frames].reshape(batch, -1)
        rest = excitation[:, :, -self.step :]
        return out, SourceFilterState(
            position + frames, entry, convs, source, rest, total[:, 2 * frames :]
        )

    def _filters(
        self,
        mel: Tensor,
        f0: Tensor,
        voiced: Tensor,
        state: SourceFilterState | None,
        tint: Tensor | None,
    ) -> tuple[Tensor, ConvState, list[ConvState]]:
        """Complex gains of pulses and noise, (B, 2, 2T, bins)."""
        batch, _, frames = mel.shape
        frame_mel = mel.transpose(1, 2)  # (B, T, M)
        pitch = torch.log2(f0 / 200.0) * voiced
        extra = torch.stack([pitch, voiced.to(pitch)], -1).to(mel)
        x = torch.cat([(frame_mel - _MEL_CENTRE) / _MEL_SCALE, extra], -1)
        x, entry = self.entry(x, None if state is None else state.entry)
        x, convs = self.stack(x, None if state is None else state.convs)
        heads = self.head(self.norm(x)).reshape(batch, frames, 2, 3, self.bins)
        wanted = frame_mel if tint is None else frame_mel + tint.transpose(1, 2)
        envelope = (wanted - self.level) @ self.from_mel  # (B, T, bins)
        log_gain = envelope[:, :, None, None] + heads[..., ::2, :]  # (B, T, 2, 2, bins)
        quieter = torch.stack([torch.zeros_like(envelope), self._under(f0, voiced)], 2)
        log_gain = log_gain - quieter[:, :, None]
        cepstrum = torch.fft.irfft(log_gain, n=self.config.n_fft) * self.fold
        response = torch.fft.rfft(cepstrum)
        turned = F.pad(heads[..., 1:2, :], (0, 0, 0, 1))  # the pulses alone
        gains = torch.polar(torch.exp(response.real), response.imag + turned)
        gains = gains.flatten(1, 2)  # (B, 2T, 2, bins)
        return gains.transpose(1, 2), entry, convs

    def _under(self, f0: Tensor, voiced: Tensor) -> Tensor:
        """Nepers by which noise is softer under a sung fundamental, (B, T, bins).

        A spectrum learned from speech has a first formant there, and noise would fill it.
        """
        hz = torch.linspace(0, self.audio.sample_rate / 2, self.bins, device=f0.device)
        under = (2 * torch.log2(f0[..., None] / hz.clamp(min=1.0))).clamp(0, 1)
        return (_UNDER_FUNDAMENTAL * sung(f0, voiced)[..., None] * under).to(self.from_mel)


def _envelope_matrix(audio: AudioConfig, mel: MelConfig, config: VocoderConfig) -> Tensor:
    """(M, bins): reads a log-mel frame at the frequencies of the filter's bins, linearly in mel."""
    limits = hz_to_mel(np.array([mel.f_min, mel.f_max], dtype=np.float64))
    centres = np.linspace(limits[0], limits[1], mel.n_mels + 2)[1:-1]
    bins = np.linspace(0, audio.sample_rate / 2, config.n_fft // 2 + 1)
    wanted = np.clip(hz_to_mel(np.minimum(bins, mel_to_hz(limits)[1])), centres[0], centres[-1])
    matrix = np.stack([np.interp(wanted, centres, row) for row in np.eye(mel.n_mels)])
    return torch.from_numpy(matrix.astype(np.float32))
