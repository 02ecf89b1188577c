"""The HiFi-GAN generator with a source branch: what NSF-HiFiGAN and the 24 kHz HiFi-GAN share.

Sources: Kong et al. 2020, "HiFi-GAN"; the source branch as in the public neural source-filter
vocoders. Weight norm is folded; names of weights are those of the public files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ConfigError

SLOPE, LAST_SLOPE = 0.1, 0.01
_CACHED = 2**19  # values a processor keeps near: longer signals go through resblocks in segments
_LONGEST = 2**14


@dataclass(frozen=True)
class GeneratorConfig:
    """A generator's shape. mini: one plain sine at the second stage in place of nine throughout.

    noise_sigma: deviation of the noise on the first layer's output. channels: of that layer.
    """

    sample_rate: int
    n_mels: int
    channels: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    resblock: str
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    has_source: bool = True
    mini: bool = False
    noise_sigma: float = 0.0

    def __post_init__(self) -> None:
        if self.resblock not in ("1", "2"):
            raise ConfigError(f'vocoder config: resblock must be "1" or "2", got {self.resblock!r}')
        if not 0 < len(self.rates) == len(self.kernels):
            raise ConfigError(
                f"vocoder config: {len(self.rates)} upsample_rates need as many "
                f"upsample_kernel_sizes, got {len(self.kernels)}"
            )
        for rate, kernel in zip(self.rates, self.kernels, strict=True):
            if not 1 <= rate <= kernel or (kernel - rate) % 2:
                raise ConfigError(
                    f"vocoder config: an upsample kernel must exceed its rate ({rate}) evenly, "
                    f"got {kernel}"
                )
        if not 0 < len(self.resblock_kernels) == len(self.resblock_dilations):
            raise ConfigError(
                f"vocoder config: {len(self.resblock_kernels)} resblock_kernel_sizes need as many "
                f"resblock_dilation_sizes, got {len(self.resblock_dilations)}"
            )
        if self.channels % 2 ** len(self.rates):
            raise ConfigError(
                f"vocoder config: upsample_initial_channel must halve {len(self.rates)} times, "
                f"got {self.channels}"
            )
        if self.mini and len(self.rates) < 2:
            raise ConfigError("vocoder config: mini_nsf needs two upsample_rates or more")

    @property
    def hop_length(self) -> int:
        """Samples a mel frame."""
        return math.prod(self.rates)

    @property
    def source_hop(self) -> int:
        """Samples a mel frame of the excitation: fewer in mini-NSF."""
        return math.prod(self.rates[:2]) if self.mini else self.hop_length

    @property
    def resblock_reach(self) -> int:
        """Steps to each side that the resblocks of a stage hear."""
        second = 1 if self.resblock == "1" else 0
        blocks = zip(self.resblock_kernels, self.resblock_dilations, strict=True)
        return max(sum((k - 1) // 2 * (d + second) for d in ds) for k, ds in blocks)

    @property
    def receptive_frames(self) -> int:
        """Frames of mel and f0 to each side that the samples of a frame may depend on."""
        first, last = -3, self.hop_length + 2  # samples that conv_post hears for frame 0
        spread = self.resblock_reach
        frames = [0]
        samples = 1  # a step of the present stage
        for rate, kernel in reversed([*zip(self.rates, self.kernels, strict=True)]):
            first, last = first - spread, last + spread
            heard = (first * samples - samples // 2, last * samples + 3 * samples // 2)
            frames += [-(heard[0] // self.hop_length), heard[1] // self.hop_length]
            pad = (kernel - rate) // 2
            first, last = -((kernel - 1 - pad - first) // rate), (last + pad) // rate
            samples *= rate
        return max(*frames, 3 - first, last + 3)


def generator_config(
    settings: Mapping[str, Any], *, sample_rate: str, n_mels: str | int
) -> GeneratorConfig:
    """A published vocoder config, from the settings a generator needs; others are left aside.

    sample_rate, n_mels: the keys they go by there (n_mels may be the number itself).
    """
    try:
        return GeneratorConfig(
            sample_rate=int(settings[sample_rate]),
            n_mels=n_mels if isinstance(n_mels, int) else int(settings[n_mels]),
            channels=int(settings["upsample_initial_channel"]),
            rates=tuple(map(int, settings["upsample_rates"])),
            kernels=tuple(map(int, settings["upsample_kernel_sizes"])),
            resblock=str(settings["resblock"]),
            resblock_kernels=tuple(map(int, settings["resblock_kernel_sizes"])),
            resblock_dilations=tuple(
                tuple(map(int, dilations)) for dilations in settings["resblock_dilation_sizes"]
            ),
            has_source=bool(settings.get("use_pitch_embed", True)),
            mini=bool(settings.get("mini_nsf") or False),
            noise_sigma=float(settings.get("noise_sigma") or 0.0),
        )
    except KeyError as error:
        raise ConfigError(
            f"vocoder config: {error} is missing; take the config file that came with the weights"
        ) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"vocoder config: a setting is of the wrong type: {error}") from None


class ResBlock(nn.Module):
    """Residual dilated convolutions; kind "1" has a second, undilated one after each."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], kind: str) -> None:
        super().__init__()
        first = nn.ModuleList(_same(channels, kernel, dilation) for dilation in dilations)
        if kind == "1":
            self.convs1 = first
            self.convs2 = nn.ModuleList(_same(channels, kernel, 1) for _ in dilations)
        else:
            self.convs = first
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        if self.kind == "2":
            for conv in self.convs:
                x = x + conv(F.leaky_relu(x, SLOPE))
            return x
        for conv1, conv2 in zip(self.convs1, self.convs2, strict=True):
            x = x + conv2(F.leaky_relu_(conv1(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class Generator(nn.Module):
    """mel and excitation -> wave: transposed convolutions, each followed by parallel resblocks."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels >> i for i in range(len(config.rates) + 1)]
        self.conv_pre = nn.Conv1d(config.n_mels, config.channels, 7, padding=3)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(widths[i], widths[i + 1], k, u, padding=(k - u) // 2)
            for i, (u, k) in enumerate(zip(config.rates, config.kernels, strict=True))
        )
        blocks = [*zip(config.resblock_kernels, config.resblock_dilations, strict=True)]
        self.resblocks = nn.ModuleList(
            ResBlock(width, kernel, dilations, config.resblock)
            for width in widths[1:]
            for kernel, dilations in blocks
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3)
        if config.mini:
            self.source_conv = nn.Conv1d(1, widths[2], 1)
        elif config.has_source:
            self.noise_convs = nn.ModuleList(
                _down(width, math.prod(config.rates[i + 1 :])) for i, width in enumerate(widths[1:])
            )

    def forward(
        self, mel: Tensor, excitation: Tensor | None = None, pre_noise: Tensor | None = None
    ) -> Tensor:
        """mel (B, M, T), excitation (B, 1, T * source_hop) -> wave (B, T * hop_length).

        pre_noise: (B, channels, T) standard normal, for models with a noise_sigma.
        """
        config = self.config
        x = self.conv_pre(mel)
        if pre_noise is not None:
            x = x + config.noise_sigma * pre_noise
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            if config.mini:
                x = x + self.source_conv(excitation) if i == 1 else x
            elif excitation is not None:
                x = x + self.noise_convs[i](excitation)
            x = self._mix(i, x)
        wave: Tensor = torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE)))[:, 0]
        return wave

    def _mix(self, stage: int, x: Tensor) -> Tensor:
        """The mean of a stage's resblocks, (B, C, T) -> (B, C, T).

        On a processor in segments that stay in its cache, each with what it hears around it: the
        same result in two thirds of the time for ten seconds.
        """
        each = len(self.config.resblock_kernels)
        blocks = self.resblocks[each * stage : each * (stage + 1)]
        steps, reach = x.shape[2], self.config.resblock_reach
        segment = min(max(_CACHED // (x.shape[0] * x.shape[1]), 8 * reach), _LONGEST)
        if steps <= 2 * segment or x.device.type != "cpu":
            return _mean(blocks, x)
        parts = []
        for at in range(0, steps, segment):
            before = max(0, at - reach)
            heard = x[:, :, before : at + segment + reach].contiguous()
            parts.append(_mean(blocks, heard)[:, :, at - before : at - before + segment])
        return torch.cat(parts, 2)


def _mean(blocks: Iterable[nn.Module], x: Tensor) -> Tensor:
    first, *others = blocks
    total: Tensor = first(x)
    for block in others:
        total = total + block(x)
    return total / (1 + len(others))


def _same(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    padding = (kernel - 1) * dilation // 2
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)


def _down(width: int, stride: int) -> nn.Conv1d:
    """Brings the excitation to the rate of a stage, `stride` samples a step."""
    if stride == 1:
        return nn.Conv1d(1, width, 1)
    return nn.Conv1d(1, width, 2 * stride, stride, padding=stride // 2)
