"""The generator of NSF-HiFiGAN fed in parts: every layer keeps what its next output needs.

A layer says only what later input cannot change, and nothing is computed twice. Parts may be of any
length, also too short for a layer to say anything; what is said in all equals the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.vocoder.nsf_generator import LAST_SLOPE, SLOPE, Generator, GeneratorConfig, ResBlock

Kept = list[Tensor]
"""One tensor a layer, in the order of the walk: inputs or sums that later outputs need."""


def delay(config: GeneratorConfig) -> int:
    """Samples that the wave said so far is behind the frames heard so far."""
    frames = 1 << 16  # so many that the delay is a small part
    steps, samples = frames - 3, config.hop_length
    for rate, kernel in zip(config.rates, config.kernels, strict=True):
        steps = steps * rate - (kernel - rate) // 2
        samples //= rate
        if config.has_source and not config.mini and samples > 1:
            steps = min(steps, (frames * config.hop_length + samples // 2) // samples - 1)
        steps -= config.resblock_reach
    return frames * config.hop_length - (steps - 3)


class Walk:
    """One part of the signal through the generator."""

    def __init__(self, generator: Generator, kept: Kept | None, last: bool) -> None:
        """kept: of the part before, None at the start. last: whether the signal ends here."""
        self.generator, self.before, self.last = generator, kept, last
        self.kept: Kept = []

    def run(self, mel: Tensor, excitation: Tensor | None) -> Tensor:
        """mel (B, M, n), excitation (B, 1, n * source_hop) -> wave (B, m)."""
        model, config = self.generator, self.generator.config
        x = self._conv(mel, model.conv_pre)
        each = len(config.resblock_kernels)
        for i, up in enumerate(model.ups):
            assert isinstance(up, nn.ConvTranspose1d)
            x = self._up(F.leaky_relu(x, SLOPE), up)
            if excitation is not None and config.mini and i == 1:
                x = self._sum(x, self._conv(excitation, model.source_conv))
            elif excitation is not None and not config.mini:
                down = model.noise_convs[i]
                assert isinstance(down, nn.Conv1d)
                x = self._sum(x, self._conv(excitation, down))
            blocks = model.resblocks[each * i : each * (i + 1)]
            x = self._sum(*[self._block(x, block) for block in blocks]).div_(each)
        return torch.tanh(self._conv(x, model.conv_post, LAST_SLOPE))[:, 0]

    def _block(self, x: Tensor, block: nn.Module) -> Tensor:
        assert isinstance(block, ResBlock)
        if block.kind == "2":
            for conv in block.convs:
                x = self._sum(x, self._conv(x, conv, SLOPE))
            return x
        for conv1, conv2 in zip(block.convs1, block.convs2, strict=True):
            y = self._conv(x, conv1, SLOPE)
            x = self._sum(x, self._conv(y, conv2, SLOPE))
        return x

    def _conv(self, x: Tensor, conv: nn.Module, slope: float = 1.0) -> Tensor:
        """A convolution of x through a leaky ReLU, its padding at the signal's two ends only."""
        assert isinstance(conv, nn.Conv1d)
        (kernel,), (stride,), (dilation,) = conv.kernel_size, conv.stride, conv.dilation
        pad = int(conv.padding[0])
        kept = self._held(x, x.shape[1], pad)
        begin, end = kept.shape[2], kept.shape[2] + x.shape[2]
        heard = x.new_empty(*x.shape[:2], end + (pad if self.last else 0))
        heard[:, :, :begin] = kept
        torch.ops.aten.leaky_relu.out(x, slope, out=heard[:, :, begin:end])
        heard[:, :, end:] = 0.0
        reach = (kernel - 1) * dilation + 1
        said = max(0, (heard.shape[2] - reach) // stride + 1)
        self.kept.append(heard[:, :, said * stride :].clone())  # a view would keep all of it
        if said == 0:
            return x.new_zeros(len(x), conv.out_channels, 0)
        return F.conv1d(heard, conv.weight, conv.bias, stride, 0, dilation)

    def _up(self, x: Tensor, up: nn.ConvTranspose1d) -> Tensor:
        """A transposed convolution; kept are the sum that the next inputs still add to and, as a
        length without channels, how much of the signal's left end is still to be cut off."""
        (kernel,), (rate,) = up.kernel_size, up.stride
        pad = int(up.padding[0])
        over = self._held(x, up.out_channels, kernel - rate)
        cut = self._held(x, 0, pad, 1).shape[2]
        made = over[:, :, :0]
        if x.shape[2]:
            whole = F.conv_transpose1d(x, up.weight, None, rate)
            whole[:, :, : kernel - rate] += over
            made, over = torch.split(whole, [x.shape[2] * rate, kernel - rate], 2)
        if self.last:
            made = torch.cat([made, over], 2)
        self.kept += [over, x.new_empty(len(x), 0, max(0, cut - made.shape[2]))]
        made = made[:, :, cut : made.shape[2] - (pad if self.last else 0)]
        assert up.bias is not None
        return made + up.bias[:, None]

    def _sum(self, *streams: Tensor) -> Tensor:
        """Their sum, as far as each of them has come; what is ahead is kept."""
        kept = [self._held(part, part.shape[1], 0, i) for i, part in enumerate(streams)]
        waiting = [*zip(kept, streams, strict=True)]
        n = min(old.shape[2] + new.shape[2] for old, new in waiting)
        total: Tensor | None = None
        for old, new in waiting:
            far = min(old.shape[2], n)
            if total is None:
                total = torch.cat([old[:, :, :n], new[:, :, : n - far]], 2)
            else:
                total[:, :, :far] += old[:, :, :n]
                total[:, :, far:] += new[:, :, : n - far]
            self.kept.append(torch.cat([old[:, :, n:], new[:, :, n - far :]], 2))
        assert total is not None, "a sum has at least one part"
        return total

    def _held(self, x: Tensor, channels: int, first: int, ahead: int = 0) -> Tensor:
        """What this layer kept of the part before, `first` zeros at the start."""
        if self.before is None:
            return x.new_zeros(len(x), channels, first)
        return self.before[len(self.kept) + ahead]
