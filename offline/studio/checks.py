"""What a training is checked on: recordings held back and strangers' words, always the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.config import VoiceConfig
from offline.studio.batches import Batch, Crop, Item, collate
from offline.studio.network import Adapting
from offline.studio.strangers import Strangers

_SIGMAS = (0.1, 0.4, 1.0)
_WORDS = 2**32 - 1  # no training has so many batches
_MOST_FRAMES = 4 * 160


class Checks:
    """batches: each recording at each noise level."""

    def __init__(
        self,
        items: Sequence[Item],
        voice: VoiceConfig,
        spoken_frames: int,
        strangers: Strangers | None = None,
    ) -> None:
        """spoken_frames: of each recording, that the vocoder says."""
        self.strangers, self.count = strangers, len(items)
        self.batches: list[Batch] = []
        for item in items:
            crop = Crop(0, 0, min(item.frames, _MOST_FRAMES), key=1)
            for sigma in _SIGMAS:
                batch = collate([crop], [item], voice, spoken_frames, sigma, augment=False)
                self.batches.append(batch)

    @property
    def recordings(self) -> list[Batch]:
        """Each recording once."""
        return self.batches[:: len(_SIGMAS)]

    def figures(self, network: Adapting, device: torch.device) -> dict[str, float]:
        """Means over the recordings, by name."""
        sums: dict[str, float] = {}
        for i, batch in enumerate(self.batches):
            for key, value in network.check(batch.to(device)).items():
                name = f"rest at {_SIGMAS[i % len(_SIGMAS)]}" if key == "rest" else key
                share = self.count * (1 if key == "rest" else len(_SIGMAS))
                sums[name] = sums.get(name, 0.0) + float(value) / share
        if self.strangers is not None:
            sums["words"] = float(network.misheard(self.strangers.words(_WORDS, device)))
        return sums
