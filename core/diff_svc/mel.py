"""The mel spectrograms foreign voices speak in. Each kind is some vocoder family's front end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.diff_svc.config import MelFormat
from core.errors import ConfigError
from core.mel import mel_filters

LOG10_OF_E = 0.434294
"""The constant of the original, not 1 / ln 10 to the last digit: trained voices depend on it."""

LN_OF_10 = 2.30259
"""Its way back."""


class MelFrontEnd(nn.Module):
    """A wave becomes the log mel of its format."""

    filters: Tensor

    def __init__(self, form: MelFormat) -> None:
        super().__init__()
        self.form = form
        filters = mel_filters(form.sample_rate, form.n_fft, form.n_mels, form.f_min, form.f_max)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def forward(self, wave: Tensor, key_shift: float = 0.0) -> Tensor:
        """wave (B, T) in [-1, 1] -> (B, M, frames).

        key_shift: semitones by which formants and all move; for the natural-log kinds alone.
        """
        form = self.form
        if key_shift and not form.natural_log:
            raise ConfigError(f"the {form.kind} front end has no key shift, got {key_shift:g}")
        mel = self.filters @ self._magnitude(wave, 2.0 ** (key_shift / 12))
        if form.kind == "hifigan":
            return torch.log10(mel.clamp(min=form.floor))
        log = torch.log(mel.clamp(min=form.floor))
        return log if form.natural_log else LOG10_OF_E * log

    def _magnitude(self, wave: Tensor, factor: float) -> Tensor:
        """(B, T) -> (B, n_fft // 2 + 1, frames)."""
        form = self.form
        n_fft, win = round(form.n_fft * factor), round(form.win_length * factor)
        if form.kind == "hifigan":
            wave = wave.double()  # near the floor float32 would be heard in the logarithm
        window = torch.hann_window(win, dtype=wave.dtype, device=wave.device)
        spectrum = torch.stft(
            self._padded(wave, n_fft, win),
            n_fft,
            form.hop_length,
            win,
            window,
            center=False,
            return_complex=True,
        )
        if form.kind in ("openvpi", "hifigan"):
            magnitude = spectrum.abs().float()
        else:
            magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
        if n_fft == form.n_fft:
            return magnitude
        bins = form.n_fft // 2 + 1
        magnitude = F.pad(magnitude, (0, 0, 0, max(bins - magnitude.shape[1], 0)))[:, :bins]
        return magnitude * (form.win_length / win)

    def _padded(self, wave: Tensor, n_fft: int, win: int) -> Tensor:
        """(B, T) with what the first and the last frame need beyond the ends."""
        form, samples = self.form, wave.shape[-1]
        if form.kind == "hifigan":
            return F.pad(wave, (n_fft // 2, n_fft // 2))
        size = n_fft if form.kind == "nsf" else win
        left = (size - form.hop_length) // 2
        right = left if form.kind == "nsf" else (size - form.hop_length + 1) // 2
        right = max(right, size - samples - left)
        mode = "reflect" if max(left, right) < samples else "constant"
        return F.pad(wave[:, None], (left, right), mode=mode)[:, 0]
