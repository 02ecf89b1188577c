"""NsfHifiGan: the 44.1 kHz vocoder of diff-svc and its relatives, from public weights and config.

Takes what openvpi/SingingVocoders publish: NSF-HiFiGAN with resblocks of both kinds, weight norm or
folded, and mini-NSF ("pc-nsf"). Facts of format and arithmetic: openvpi/vocoders, diff-svc.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from core.errors import ConfigError, VoiceFileError
from core.state_dict import Weights, expect, fold_weight_norm, load_weights, weights_under
from core.vocoder.nsf_generator import Generator, GeneratorConfig, generator_config
from core.vocoder.nsf_source import HarmonicSource, SourceKind, plain_sine


class NsfHifiGan(nn.Module):
    """log-mel and f0 -> wave. Not causal: a sample hears `receptive_frames` mel frames around."""

    def __init__(self, config: GeneratorConfig, partials: int = 9) -> None:
        super().__init__()
        self.config = config
        self.generator = Generator(config)
        if config.has_source and not config.mini:
            self.m_source = HarmonicSource(config.sample_rate, config.hop_length, partials)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any], config: Mapping[str, Any]) -> NsfHifiGan:
        """The vocoder of a checkpoint and the `config.json` beside it, ready to run.

        state: bare, nested under "generator", or a training checkpoint (`state_dict` with the
        prefix `generator.`). Raises VoiceFileError, ConfigError.
        """
        shape = generator_config(config, sample_rate="sampling_rate", n_mels="num_mels")
        nested = weights_under(state, "generator", "state_dict", prefixes=("generator.",))
        return cls.from_weights(fold_weight_norm(nested), shape, "NSF-HiFiGAN")

    @classmethod
    def from_weights(cls, weights: Weights, config: GeneratorConfig, kind: str) -> NsfHifiGan:
        """From folded weights. kind: what errors call the file."""
        _check_kind(weights, config, kind)
        nine = config.has_source and not config.mini
        partials = expect(weights, "m_source.l_linear.weight", 1, None).shape[1] if nine else 0
        vocoder = cls(config, partials)
        load_weights(vocoder, weights, kind, lambda key: key.removeprefix("generator."))
        return vocoder

    @property
    def sample_rate(self) -> int:
        return self.config.sample_rate

    @property
    def hop_length(self) -> int:
        """Samples a mel frame."""
        return self.config.hop_length

    @property
    def receptive_frames(self) -> int:
        """Mel frames to each side that a sample may depend on."""
        return self.config.receptive_frames

    def forward(
        self,
        mel: Tensor,
        f0: Tensor,
        rand_ini: Tensor | None = None,
        noise: Tensor | None = None,
        pre_noise: Tensor | None = None,
        source: SourceKind = "masked",
    ) -> Tensor:
        """mel (B, M, T) in natural log, f0 in Hz (B, T), 0 where unvoiced -> wave (B, T * hop).

        rand_ini: (B, 9) start phases in turns. noise: (B, T * hop, 9) standard normal of the
        source. pre_noise: (B, C, T), for models with noise_sigma. None is zeros for each.
        source: see `SourceKind`.
        """
        self._check(mel, f0)
        excitation, _ = self.excite(f0, rand_ini, noise, source=source)
        wave: Tensor = self.generator(mel, excitation, pre_noise)
        return wave

    def excite(
        self,
        f0: Tensor,
        rand_ini: Tensor | None = None,
        noise: Tensor | None = None,
        phase: Tensor | None = None,
        f0_after: Tensor | None = None,
        source: SourceKind = "masked",
    ) -> tuple[Tensor | None, Tensor | None]:
        """The excitation (B, 1, T * source_hop) of f0 (B, T), and the phase after it.

        phase: from the call before. f0_after: (B,), see `plain_sine`.
        """
        config = self.config
        if config.mini:
            rate = config.sample_rate * config.source_hop / config.hop_length
            return plain_sine(f0, rate, config.source_hop, phase, f0_after)
        if not config.has_source:
            return None, None
        wave, phase = self.m_source(f0, rand_ini, noise, phase, source)
        return wave, phase

    def _check(self, mel: Tensor, f0: Tensor) -> None:
        want = self.config.n_mels
        if mel.ndim != 3 or mel.shape[1] != want or f0.shape != (len(mel), mel.shape[2]):
            raise ConfigError(
                f"the vocoder expects a mel (B, {want}, T) and f0 (B, T), got "
                f"{tuple(mel.shape)} and {tuple(f0.shape)}; they must share batch and frames"
            )


def _check_kind(weights: Weights, config: GeneratorConfig, kind: str) -> None:
    """A config and weights of different families are told apart before any shape is compared."""
    has_mini = "source_conv.weight" in weights
    if has_mini != config.mini and (has_mini or "m_source.l_linear.weight" in weights):
        said = "sets" if config.mini else "does not set"
        found = "mini-NSF" if has_mini else "the nine-sine NSF"
        raise VoiceFileError(
            f"{kind}: the config {said} mini_nsf, but the weights are those of {found}; "
            "take the config file that came with the weights"
        )
