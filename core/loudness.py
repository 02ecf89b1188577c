"""The end of a conversion: it comes out as loud as the denoiser was told, where it would not.

Denoiser and vocoder were taught by log spectra, in which a whisper counts as much as a vowel, and
both say something where there was nearly nothing. So what lies far below the target's speech and
comes out louder than the denoiser was told is turned down to that.

And they were taught by speech. A note sung above its formants has few harmonics, and what the
spectrum has between them is not heard: so a high note that comes out softer than told is turned up.
Frame by frame: it streams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import Speaker
from core.features import LOUDNESS_FLOOR_DB, Conditions, sung

Array = NDArray[np.float64]

_BELOW_DB = 18.0  # under the target's speech: a pause, breath or echo of it
_KNEE_DB = 6.0  # further down, from where nothing may be louder than told
_MOST_DOWN_DB = 20.0
_MOST_UP_DB = 10.0  # beyond, it is noise that grows
_SILENCE = 10 ** (LOUDNESS_FLOOR_DB / 10)


class AsLoudAsTold:
    """Pauses no louder, sung notes no softer. Towards targets of unknown level it does nothing."""

    def __init__(self, speakers: Sequence[Speaker], hop_length: int) -> None:
        levels = [speaker.level_db for speaker in speakers if speaker.level_db is not None]
        self._levels = np.array(levels) if len(levels) == len(speakers) else None
        self._ramp = np.arange(1, hop_length + 1, dtype=np.float32) / hop_length
        self.reset()

    def reset(self) -> None:
        """As before any sound."""
        self._power: Array | float = _SILENCE  # of the last frame as told, (B, 1)
        self._note: Array | float = 0.0  # how much of the last frame is a high note, (B, 1)
        self._gain: Array | float = 0.0  # in dB, at its end, (B, 1)

    def __call__(self, wave: Tensor, told: Conditions, f0: Tensor) -> Tensor:
        """wave (B, T * hop), the next frames, half a frame late; what the denoiser was told of them
        and the pitch they have, Hz (B, T) -> as many samples.
        """
        if self._levels is None:
            return wave
        frames = wave.numpy().reshape(*told.loudness.shape, -1)  # (B, T, hop)
        # half of each frame told and of the one before lies in a frame of the wave
        power = 10 ** (told.loudness.numpy().astype(np.float64) / 10)
        wanted = 10 * np.log10((_after(self._power, power) + power) / 2)
        note = sung(f0.double(), told.voiced).numpy()
        high = (_after(self._note, note) + note) / 2
        self._power, self._note = power[:, -1:], note[:, -1:]
        speech = np.einsum("s,bst->bt", self._levels, told.speaker.numpy())
        quiet = ((speech - _BELOW_DB - wanted) / _KNEE_DB).clip(0, 1)
        louder = 10 * np.log10(np.square(frames).mean(-1, dtype=np.float64) + _SILENCE) - wanted
        down = quiet * louder.clip(0, _MOST_DOWN_DB)
        up = high * (1 - quiet) * (-louder).clip(0, _MOST_UP_DB)
        ends = up - down
        starts = _after(self._gain, ends)
        self._gain = ends[:, -1:]
        if not starts.any() and not ends.any():
            return wave
        gain_db = starts[..., None] + (ends - starts)[..., None] * self._ramp
        return torch.from_numpy(
            (frames * 10 ** (gain_db / 20).astype(np.float32)).reshape(wave.shape)
        )


def _after(last: Array | float, values: Array) -> Array:
    """(B, T) -> for each frame the value of the one before."""
    first = np.broadcast_to(np.asarray(last), (len(values), 1))
    return np.concatenate([first, values[:, :-1]], 1)
