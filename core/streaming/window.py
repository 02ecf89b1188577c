"""A window that slides over a stream: what an analysis with past and future sees at each push.

| context                    | block     | lookahead |
|  seen before, for support  |  commit   |  future   |  <- the newest sample
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError


class SlidingWindow:
    """The last `context + block + lookahead` samples of a stream, zeros before its start.

    The middle block is what can be committed: it is the input, late by `lookahead`.
    """

    def __init__(self, context: int, block: int, lookahead: int) -> None:
        if block < 1 or context < 0 or lookahead < 0:
            raise ConfigError(
                "a window needs a block of at least 1 sample and no negative part,"
                f" got context {context}, block {block}, lookahead {lookahead}"
            )
        self.context, self.block, self.lookahead = context, block, lookahead
        self._samples = np.zeros(context + block + lookahead, dtype=np.float32)
        self._position = 0

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def start(self) -> int:
        """Absolute index of the first sample; negative while the window reaches before 0."""
        return self._position - len(self._samples)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """block: (block,) -> the window that ends with it, (context + block + lookahead,).

        The result is a view: valid until the next push, and not to be written to.
        """
        if block.shape != (self.block,):
            raise ConfigError(
                f"expected a block of {self.block} samples, got shape {block.shape};"
                " gather input into whole blocks before pushing"
            )
        self._samples[: -self.block] = self._samples[self.block :]
        self._samples[-self.block :] = block
        self._position += self.block
        return self._samples

    def reset(self) -> None:
        """Back to the start of a stream."""
        self._samples[:] = 0.0
        self._position = 0
