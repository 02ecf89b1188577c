"""What a project hears words with: the embedded encoder, or a HuBERT, ContentVec or WavLM instead.

The networks that the training starts from know the embedded units alone. So a linear map from the
other encoder's units is fitted on the recordings and folded into the first layer: training starts
as a voice that is understood, and adapts from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from core.config import ContentConfig
from core.content import UNIT_ENCODERS
from core.content.windowed import DELAYS, LOOKAHEAD_FRAMES, WindowedUnits, fingerprint, read_network
from core.errors import ConfigError
from core.voice import DEFAULT_VOICE, VoiceModel, find_voice
from offline.preprocess import Utterance, load_wave
from offline.studio.manifest import load_manifest, utterance
from offline.studio.project import Project
from offline.studio.settings import SCRATCH, EncoderSettings
from offline.units import kept

EMBEDDED = "embedded"
ENTRY = "denoiser.network.condition.entry.linear.weight"
"""The layer that hears units, (channels, kernel * (units + 3))."""

_MOST_SAMPLES = 20 * 60 * 44_100  # recordings that the map is fitted on
_RIDGE = 1e-3
_GAIN_DB, _NOISY, _SNR_DB = 8.0, 0.4, (5.0, 35.0)
_SHORTEST, _LONGEST, _CONTEXT = 64, 256, 172  # frames of the windows that training hears


def base_voice(project: Project) -> VoiceModel:
    """The voice to start from, hearing with the project's encoder; from scratch, the one whose
    vocoder is used.
    """
    start = project.config.train.start
    voice = VoiceModel.load(find_voice(DEFAULT_VOICE if start == SCRATCH else start))
    content = chosen_content(project.config.content)
    if content is None:
        return voice
    other = VoiceModel(replace(voice.config, content=content))
    weights = voice.state_dict()
    weights = {k: v for k, v in weights.items() if not k.startswith(("encoder.", "bank.", ENTRY))}
    other.load_state_dict(weights, strict=False)
    if start != SCRATCH:
        table = _translation(project, voice, other)
        hears = voice.denoiser.network.condition.entry.linear.weight.detach()
        taps = hears.view(len(hears), voice.config.denoiser.kernel, -1)  # (C, kernel, units + 3)
        units = taps[..., : voice.config.content.dim] @ table.T
        told = torch.cat([units, taps[..., voice.config.content.dim :]], -1).flatten(1)
        other.get_parameter(ENTRY).data.copy_(told)
    return other


def chosen_content(settings: EncoderSettings) -> ContentConfig | None:
    """The encoder that a project names, as a voice knows it; None for that of the start."""
    if settings.encoder == EMBEDDED:
        if settings.layer >= 0:
            raise ConfigError("the embedded encoder has no layers to choose; set layer = -1")
        return None
    name, colon, source = settings.encoder.partition(":")
    if not colon or name not in UNIT_ENCODERS:
        source = settings.encoder
        name = "hubert-soft" if Path(source).suffix in (".pt", ".pth") else "hubert"
    place = Path(source).expanduser()
    source = str(place.absolute()) if place.exists() else source
    layer = settings.layer if settings.layer >= 0 else None
    network = read_network(name, source, layer)
    return ContentConfig(
        encoder=name,
        dim=network.dim,
        delays=DELAYS,
        lookahead_frames=LOOKAHEAD_FRAMES,
        bank_size=0,
        source=source,
        layer=layer,
        fingerprint=fingerprint(network),
    )


def _translation(project: Project, voice: VoiceModel, other: VoiceModel) -> Tensor:
    """(D, units): what the voice's own encoder would have said, by least squares (ridge)."""
    rate = voice.config.audio.sample_rate
    manifest = load_manifest(project, voice.config.audio)
    chosen = [utterance(take, project.config.name, rate) for take in manifest.takes]
    stride = -(-sum(each.samples for each in chosen) // _MOST_SAMPLES)
    told = repr((voice.config.content, other.config.content, [u.path for u in chosen[::stride]]))

    def fit() -> list[Tensor]:
        width = other.config.content.dim
        squares = torch.zeros(width, width, dtype=torch.double)
        products = torch.zeros(width, voice.config.content.dim, dtype=torch.double)
        for heard, wanted in _both(project, chosen[::stride], voice, other):
            squares += heard.T @ heard
            products += heard.T @ wanted
        ridge = _RIDGE * squares.trace() / width
        squares += ridge * torch.eye(width, dtype=torch.double)
        return [torch.linalg.solve(squares, products).float()]

    (table,) = kept(project.features / "units", "map", told, fit)
    return table


@torch.inference_mode()
def _both(
    project: Project, chosen: Sequence[Utterance], voice: VoiceModel, other: VoiceModel
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each recording the units of both encoders, (T, D) each."""
    for each in chosen:
        wave = torch.from_numpy(load_wave(project.features, each))[None]
        yield other.encoder(wave)[0].T.double(), voice.encoder(wave)[0].T.double()


def windowed_units(
    encoder: WindowedUnits, wave: Tensor, variants: int, generator: torch.Generator
) -> Tensor:
    """wave (1, T) -> (variants, D, frames): of the whole wave, then as windows of a stream hear it,
    some of them in noise.
    """
    units = [encoder(wave)]
    for _ in range(variants - 1):
        draw = torch.rand(4, generator=generator).tolist()
        heard = wave * 10 ** ((draw[0] * 2 - 1) * _GAIN_DB / 20)
        if draw[1] < _NOISY:
            low, high = _SNR_DB
            power = heard.square().mean() * 10 ** (-(low + draw[2] * (high - low)) / 10)
            heard = heard + power.sqrt() * torch.randn(heard.shape, generator=generator)
        block = _SHORTEST + int(draw[3] * (_LONGEST - _SHORTEST))
        units.append(encoder.in_windows(heard, block, _CONTEXT))
    return torch.cat(units).half()
