"""HifiGan24k: the 24 kHz vocoder of older diff-svc voices, hop 128, from public weights and config.

The generator of NSF-HiFiGAN, fed with a mel in log10; some files have no source branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.state_dict import expect, fold_weight_norm, weights_under
from core.vocoder.nsf_generator import generator_config
from core.vocoder.nsf_hifigan import NsfHifiGan


class HifiGan24k(NsfHifiGan):
    """mel in log10 (B, M, T) and f0 (B, T) -> wave (B, T * hop); else as `NsfHifiGan`."""

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any], config: Mapping[str, Any]) -> HifiGan24k:
        """The vocoder of a checkpoint and the `config.yaml` (or `config.json`) beside it.

        state: bare, or nested under "state_dict" and "model_gen", or under "generator".
        Raises VoiceFileError, ConfigError.
        """
        rate = "audio_sample_rate" if "audio_sample_rate" in config else "sampling_rate"
        nested = weights_under(
            state, "state_dict", "model_gen", "generator", prefixes=("model_gen.",)
        )
        weights = fold_weight_norm(nested)
        n_mels = expect(weights, "conv_pre.weight", None, None, None).shape[1]  # not in the config
        shape = generator_config(config, sample_rate=rate, n_mels=n_mels)
        vocoder = cls.from_weights(weights, shape, "24 kHz HiFi-GAN")
        assert isinstance(vocoder, HifiGan24k)
        return vocoder
