"""Where an imported voice's networks compute: on a card where there is one, else the processor.

Content encoder, diffusion and vocoder move; what is between them is light and stays in main memory,
as does the embedded vocoder, which a processor carries.
"""

from __future__ import annotations

import logging
from threading import Lock

import torch
from torch import Tensor, nn

from core.diff_svc.foreign import UNIT_RATE, EmbeddedVocoder, ForeignVoice
from core.diffusion.replay import Record, Replayed, recorder
from core.errors import ConfigError, first_line
from core.precision import AUTO

_CPU = torch.device("cpu")
_LIVE = 4 * UNIT_RATE  # samples up to which launches cost more than what they compute

_log = logging.getLogger(__name__)


def find_device(name: str = AUTO) -> torch.device:
    """The device of that name, tried; auto: a card that works, else the processor.

    Raises ConfigError where a named one is not there.
    """
    if name == AUTO and not torch.cuda.is_available():
        return _CPU
    try:
        device = torch.device("cuda" if name == AUTO else name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError(f"{device.type} is not a kind that was tried")
        (torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).cpu()
    except (RuntimeError, AssertionError) as error:
        if name != AUTO:
            raise ConfigError(
                f"no device {name!r}: expected cpu, or cuda with an NVIDIA card and PyTorch built"
                f" for it ({first_line(error)})"
            ) from None
        _log.warning("the card is left out, it does not compute: %s", first_line(error))
        return _CPU
    return device


def place(voice: ForeignVoice, device: torch.device) -> None:
    """Moves a voice's networks to a device; its diffusion and content may be there already."""
    if device.type == "cpu":
        return
    voice.diffusion.to(device)
    if voice.content is not None:
        voice.content = Elsewhere(voice.content.to(device), device)
    if voice.vocoder is not None and not isinstance(voice.vocoder, EmbeddedVocoder):
        voice.vocoder.to(device)


class Elsewhere(nn.Module):
    """A content encoder on another device, told in main memory.

    What it says is there, where it may still be computed: whoever fetches it waits for it.
    Windows of live lengths are recorded, see `Replayed`. Several threads may share it.
    """

    def __init__(
        self, inner: nn.Module, device: torch.device, record: Record | None = None
    ) -> None:
        """record: None is what suits the device."""
        super().__init__()
        self.inner, self.device = inner, device
        self._replayed, self._turn = Replayed(record or recorder(device)), Lock()

    def forward(self, wave16: Tensor) -> Tensor:
        """wave16 (B, n) -> units (B, N, D)."""
        told = wave16.to(self.device)
        if told.shape[1] > _LIVE:
            long: Tensor = self.inner(told)
            return long
        with self._turn:
            return self._replayed(self.inner, told)
