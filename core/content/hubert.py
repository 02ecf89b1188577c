"""Hubert: any HuBERT, ContentVec or WavLM that the library transformers reads, by folder or hub id.

An optional extra (`pip install moksori[hubert]`). Attention spans the whole input, so the units of
a wave are defined for the whole wave only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ConfigError, VoiceFileError, first_line, unknown_name
from core.int8 import quantise

SAMPLE_RATE = 16_000
_CLASSES = {"hubert": "HubertModel", "wavlm": "WavLMModel", "wav2vec2": "Wav2Vec2Model"}
_UNUSED = ("masked_spec_embed",)  # serves training only; some files leave it out
# WavLM reads the weights of these layers itself
_READ_DIRECTLY = ("q_proj", "k_proj", "v_proj", "out_proj", "gru_rel_pos_linear")


class Hubert(nn.Module):
    """wave at 16 kHz -> the hidden states of one layer, after a linear projection if asked for."""

    sample_rate = SAMPLE_RATE
    final_proj: nn.Linear | None

    def __init__(self, model: Any, layer: int | None, final_proj: bool, pad: int = 0) -> None:
        """model: of transformers. The rest as in `load`."""
        super().__init__()
        config = model.config
        self.layers = int(config.num_hidden_layers)
        self.layer = self.layers if layer is None else layer
        if not 0 <= self.layer <= self.layers:
            raise ConfigError(f"layer must lie between 0 and {self.layers}, got {layer}")
        self.kernels = tuple(int(k) for k in config.conv_kernel)
        self.strides = tuple(int(s) for s in config.conv_stride)
        self.hop_length = math.prod(self.strides)
        self.pad = pad
        self.normalises = config.feat_extract_norm == "layer"
        self.model = _cut(model, self.layer, self.layers)
        self.final_proj = model.final_proj if final_proj else None
        width: int = config.hidden_size
        self.dim = width if self.final_proj is None else self.final_proj.out_features
        self.eval().requires_grad_(False)

    @classmethod
    def load(
        cls,
        source: str | Path,
        layer: int | None = None,
        final_proj: bool = False,
        pad: int = 0,
        int8: bool = False,
    ) -> Hubert:
        """Reads a folder (config.json and weights), or a model of the hub by its id.

        layer: 0 is what the first layer hears, n what layer n says; the last one, or None, is the
        model's output.
        final_proj: whether the file's projection of that name follows, as in ContentVec 256.
        pad: zeros before and after the wave, in samples; 40 gives n // 320 units of n samples.
        int8: linear layers in int8 (`core/int8.py`).
        Raises ConfigError, VoiceFileError.
        """
        model = _read(source, final_proj)
        encoder = cls(model, layer, final_proj, pad)
        if not int8:
            return encoder
        direct = model.config.model_type == "wavlm"
        return quantise(encoder, _READ_DIRECTLY if direct else ())

    @property
    def shortest(self) -> int:
        """Samples that make one unit."""
        reach = 1
        for kernel, stride in reversed([*zip(self.kernels, self.strides, strict=True)]):
            reach = (reach - 1) * stride + kernel
        return max(1, reach - 2 * self.pad)

    def forward(self, wave16: Tensor) -> Tensor:
        """wave16: (B, n) in [-1, 1] at 16 kHz -> units (B, N, D), N = (n + 2 pad - 400) // 320 + 1.

        Brought to mean 0, deviation 1 first where the model was trained so (layer norm in its
        convolutions). Raises ConfigError where the wave is shorter than one unit.
        """
        if wave16.shape[1] < self.shortest:
            raise ConfigError(
                f"this encoder needs at least {self.shortest} samples at 16 kHz, got "
                f"{wave16.shape[1]}; pad the wave with zeros"
            )
        if self.normalises:
            mean = wave16.mean(1, keepdim=True)
            variance = wave16.var(1, correction=0, keepdim=True)
            wave16 = (wave16 - mean) * torch.rsqrt(variance + 1e-7)
        units: Tensor = self.model(F.pad(wave16, (self.pad, self.pad))).last_hidden_state
        return units if self.final_proj is None else self.final_proj(units)


def _cut(model: Any, layer: int, layers: int) -> nn.Module:
    """The model without the layers after `layer`, whose output is then its last hidden state."""
    model.encoder.layers = model.encoder.layers[:layer]
    if model.config.do_stable_layer_norm and layer < layers:
        model.encoder.layer_norm = nn.Identity()  # it belongs to the last layer's output alone
    cut: nn.Module = model
    return cut


def _read(source: str | Path, final_proj: bool) -> Any:
    """The model of a folder or hub id, with `final_proj` if asked for; every weight must be there.

    Raises ConfigError where transformers is missing or the family unknown, VoiceFileError else.
    """
    try:
        import transformers
    except ImportError:
        raise ConfigError(
            "HuBERT, ContentVec and WavLM encoders need the package transformers, which is not "
            "installed; install it with: pip install transformers"
        ) from None
    name = str(source)
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        if config.model_type not in _CLASSES:
            raise unknown_name("kind of speech encoder", config.model_type, _CLASSES)
        base = getattr(transformers, _CLASSES[config.model_type])
        model, info = _class(base, final_proj).from_pretrained(
            name, config=config, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise VoiceFileError(
            f"cannot load the speech encoder {name}: expected a folder with config.json and "
            f"model.safetensors, or the id of a model on the hub; {first_line(error)}"
        ) from None
    _check_complete(name, info)
    return model.float()


def _class(base: Any, final_proj: bool) -> Any:
    """The class of transformers, with a layer `final_proj` if asked for."""
    if not final_proj:
        return base

    def init(self: Any, config: Any) -> None:
        base.__init__(self, config)
        self.final_proj = nn.Linear(config.hidden_size, config.classifier_proj_size)
        self.post_init()

    return type(base.__name__, (base,), {"__init__": init})


def _check_complete(name: str, info: Mapping[str, Any]) -> None:
    missing = sorted(key for key in info["missing_keys"] if not key.endswith(_UNUSED))
    if missing:
        hint = "this model has no final_proj; choose final_proj=False"
        other = "the file is of another model or damaged"
        raise VoiceFileError(
            f'the speech encoder {name} lacks the weights "{missing[0]}" ({len(missing)} missing '
            f"in all); {hint if missing[0].startswith('final_proj') else other}"
        )
