"""The denoising networks by name; all share one protocol, states and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from core.config import DenoiserConfig
from core.errors import unknown_name

if TYPE_CHECKING:
    from core.diffusion.transformer import AttentionNet
    from core.diffusion.wavenet import WaveNet

Network: TypeAlias = "WaveNet | AttentionNet"


def _wavenet(n_mels: int, units: int, speakers: int, config: DenoiserConfig) -> WaveNet:
    from core.diffusion.wavenet import WaveNet

    return WaveNet(n_mels, units, speakers, config)


def _attention(n_mels: int, units: int, speakers: int, config: DenoiserConfig) -> AttentionNet:
    from core.diffusion.transformer import AttentionNet

    return AttentionNet(n_mels, units, speakers, config)


NETWORKS: dict[str, Callable[[int, int, int, DenoiserConfig], Network]] = {
    "wavenet": _wavenet,
    "attention": _attention,
}


def denoising_network(n_mels: int, units: int, speakers: int, config: DenoiserConfig) -> Network:
    """The network that `config` names, untrained; an unknown name lists the known ones."""
    if config.network not in NETWORKS:
        raise unknown_name("denoising network", config.network, NETWORKS)
    return NETWORKS[config.network](n_mels, units, speakers, config)
