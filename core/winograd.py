"""WinogradConv: a convolution with three taps over frames in rows, with half the multiplications.

Of the six frames that four outputs hear, six sums are multiplied by six sums of the taps; the four
outputs are sums of these products. So six products of matrices do the work of twelve.
Source: Winograd 1980; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_OUTPUTS, _PRODUCTS = 4, 6  # at once
_TAPS = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
         (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))  # fmt: skip


class WinogradConv:
    """In single precision its rounding is about that of the plain sum."""

    def __init__(self, taps: Tensor, dilation: int) -> None:
        """taps (3, C, O): of the frames `dilation` before, at and after."""
        self.dilation = dilation
        sums = torch.einsum("pk,kco->pco", torch.tensor(_TAPS, dtype=torch.double), taps.double())
        self._taps = sums.to(taps.dtype).contiguous()

    def __call__(self, heard: Tensor) -> Tensor:
        """heard (n + 2 * dilation, C) -> (n, O)."""
        far, n = self.dilation, len(heard) - 2 * self.dilation
        groups = -(-n // (_OUTPUTS * far))
        missing = groups * _OUTPUTS * far - n
        sums = _sums(F.pad(heard, (0, 0, 0, missing)).contiguous(), groups, far)
        products = torch.bmm(sums.view(_PRODUCTS, groups * far, -1), self._taps)
        return _outputs(products.view(_PRODUCTS, groups, -1)).view(-1, products.shape[2])[:n]


def _sums(heard: Tensor, groups: int, far: int) -> Tensor:
    """Of six frames each, `far` apart: (6, groups, far * C), what lies between side by side."""
    width = far * heard.shape[1]
    six = heard.as_strided((groups, _PRODUCTS, width), (_OUTPUTS * width, width, 1))
    x0, x1, x2, x3, x4, x5 = six.unbind(1)
    sums = heard.new_empty(_PRODUCTS, groups, width)
    torch.add(x4, x0, alpha=4, out=sums[0]).sub_(x2, alpha=5)
    even, odd = torch.sub(x4, x2, alpha=4), torch.sub(x3, x1, alpha=4)
    torch.add(even, odd, out=sums[1])
    torch.sub(even, odd, out=sums[2])
    even, odd = torch.sub(x4, x2, out=even), torch.sub(x3, x1, out=odd)
    torch.add(even, odd, alpha=2, out=sums[3])
    torch.sub(even, odd, alpha=2, out=sums[4])
    torch.add(x5, x1, alpha=4, out=sums[5]).sub_(x3, alpha=5)
    return sums


def _outputs(products: Tensor) -> Tensor:
    """(6, groups, far * O) -> (groups, 4, far * O). Overwrites the products."""
    p0, p1, p2, p3, p4, p5 = products
    made = products.new_empty(p0.shape[0], _OUTPUTS, p0.shape[1])
    near, far = p1 + p2, p3 + p4
    p1.sub_(p2)
    p3.sub_(p4)
    torch.add(near, far, out=made[:, 0]).add_(p0)
    torch.add(p1, p3, alpha=2, out=made[:, 1])
    torch.add(near, far, alpha=4, out=made[:, 2])
    torch.add(p1, p3, alpha=8, out=made[:, 3]).add_(p5)
    return made
