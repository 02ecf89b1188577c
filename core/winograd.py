"""WinogradConv: a convolution with three taps over frames in rows, with half the multiplications.

Of the six frames that four outputs hear, six sums are multiplied by six sums of the taps; the four
outputs are sums of these products. So six products of matrices do the work of twelve.
Source: Winograd 1980; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_OUTPUTS = 4  # at once
_HEARD = ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
          (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1))  # fmt: skip
_TAPS = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
         (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))  # fmt: skip
_SAID = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class WinogradConv:
    """In single precision its rounding is that of the plain sum."""

    def __init__(self, taps: Tensor, dilation: int) -> None:
        """taps (3, C, O): of the frames `dilation` before, at and after."""
        self.dilation = dilation
        sums = torch.einsum("pk,kco->pco", torch.tensor(_TAPS, dtype=torch.double), taps.double())
        self._taps = sums.to(taps.dtype).contiguous()
        self._heard = torch.tensor(_HEARD, dtype=taps.dtype)
        self._said = torch.tensor(_SAID, dtype=taps.dtype)

    def rows(self, frames: int) -> int:
        """How many are computed for so many frames: whole groups of four times the dilation."""
        group = _OUTPUTS * self.dilation
        return -(-frames // group) * group

    def __call__(self, heard: Tensor) -> Tensor:
        """heard (n + 2 * dilation, C) -> (n, O)."""
        points, c, o = self._taps.shape
        far, n = self.dilation, len(heard) - 2 * self.dilation
        rows = self.rows(n)
        groups = rows // (_OUTPUTS * far)
        heard = F.pad(heard, (0, 0, 0, rows - n)).contiguous()
        # frames `dilation` apart are neighbours: (groups, six of them, what lies between)
        sixes = heard.as_strided((groups, points, far * c), (_OUTPUTS * far * c, far * c, 1))
        sums = heard.new_empty(points, groups, far * c)
        torch.bmm(self._heard.expand(groups, -1, -1), sixes, out=sums.transpose(0, 1))
        products = torch.bmm(sums.view(points, -1, c), self._taps)
        each = products.view(points, groups, far * o).transpose(0, 1)
        return torch.bmm(self._said.expand(groups, -1, -1), each).view(rows, o)[:n]
