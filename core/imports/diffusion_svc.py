"""Diffusion-SVC checkpoints of type `Diffusion`, and DDSP-SVC's of that type -> a voice file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from core.diff_svc.config import ForeignConfig, MelFormat, PitchFormat
from core.diff_svc.unit2mel import Unit2Mel
from core.diffusion.gaussian import BUFFERS
from core.errors import ConfigError, VoiceFileError, unknown_name
from core.imports.checkpoint import Settings, State, read_checkpoint, state_at
from core.imports.imported import (
    Imported,
    settings_of,
    voice_name,
    with_hubert,
    with_unit_encoder,
    with_vocoder,
)
from core.imports.voice_parts import (
    HUBERT_WANTED,
    find_beside,
    find_hubert,
    read_hubert,
    read_vocoder,
)

_ENCODERS = {
    "hubertsoft": "hubert-soft",
    "contentvec": "contentvec",
    "contentvec768": "contentvec768",
    "contentvec768l12": "contentvec768l12",
}
_QUIETEST, _LOUDEST = -12.0, 2.0  # what the mel is clipped to before the vocoder, natural log


def import_diffusion_svc(
    checkpoint: Path,
    config: Path | None = None,
    hubert: Path | None = None,
    vocoder: Path | None = None,
    name: str | None = None,
    exact: bool = False,
) -> Imported:
    """The voice with all it needs to speak. A missing content encoder is a VoiceFileError."""
    settings = settings_of(checkpoint, config)
    voice = read_diffusion_svc(checkpoint, config, name, exact)
    if voice.config.k_step < len(voice.weights["unit2mel.decoder.betas"]):
        raise ConfigError(
            f"{settings.path}: model.k_step_max is {voice.config.k_step}: this model only finishes"
            " the mel of a second one, which cannot be imported; choose a voice trained for all"
            " steps"
        )
    encoder = settings.get("data.encoder", "hubertsoft")
    if encoder not in _ENCODERS:
        raise unknown_name("data.encoder", encoder, _ENCODERS)
    if encoder == "hubertsoft":
        hubert = hubert or find_hubert(checkpoint, settings.get("data.encoder_ckpt", ""))
        if hubert is None:
            raise VoiceFileError(f"{checkpoint}: no content encoder is beside it; {HUBERT_WANTED}")
        voice = with_hubert(voice, read_hubert(hubert))
    else:
        voice = with_unit_encoder(voice, _ENCODERS[encoder], hubert)
    vocoder = vocoder or find_beside(checkpoint, settings.get("vocoder.ckpt", ""))
    return with_vocoder(voice, None if vocoder is None else read_vocoder(vocoder))


def read_diffusion_svc(
    checkpoint: Path, config: Path | None = None, name: str | None = None, exact: bool = False
) -> Imported:
    """The acoustic model alone: Unit2Mel and what the config says."""
    settings = settings_of(checkpoint, config)
    kind = settings.get("model.type", "Diffusion")
    if kind != "Diffusion":
        raise ConfigError(
            f'{settings.path}: model.type is "{kind}", expected "Diffusion"; other types need the'
            " synthesiser of their own project in front"
        )
    data = read_checkpoint(checkpoint)
    state = state_at(data, checkpoint, "model")
    try:
        model = Unit2Mel.from_state_dict(state)
    except VoiceFileError as error:
        raise VoiceFileError(f"{checkpoint}: {error}") from None
    _check_config(settings, model)
    step = data.get("global_step")
    voice = replace(
        _config(settings, model),
        name=name or voice_name(checkpoint),
        step=step if isinstance(step, int) else 0,
        exact=exact,
    )
    weights = {f"unit2mel.{key}": value for key, value in model.state_dict().items()}
    return Imported(voice, weights, _report(voice, model, state))


def _config(settings: Settings, model: Unit2Mel) -> ForeignConfig:
    get, size = settings.get, model.decoder.denoise_fn.size
    low, high = get("data.f0_min", 65.0), get("data.f0_max", 800.0)
    return ForeignConfig(
        family="diffusion-svc",
        mel=MelFormat(
            kind="diffusion_svc",
            sample_rate=get("data.sampling_rate", 44_100),
            hop_length=get("data.block_size", 512),
            n_mels=size.n_mels,
        ),
        pitch=PitchFormat(f0_min=low, f0_max=high),
        k_step=min(get("model.k_step_max", 0) or model.decoder.timesteps, model.decoder.timesteps),
        speedup=max(get("infer.speedup", 10), 1),
        sampler=get("infer.method", "dpm-solver"),
        dilation_cycle=1,
        mel_min=_QUIETEST,
        mel_max=_LOUDEST,
        units=model.unit_embed.in_features,
        speakers=1 if model.spk_embed is None else model.spk_embed.num_embeddings,
    )


def _check_config(settings: Settings, model: Unit2Mel) -> None:
    """That the config is this checkpoint's: their sizes agree."""
    size = model.decoder.denoise_fn.size
    speakers = 0 if model.spk_embed is None else model.spk_embed.num_embeddings
    for key, found in (
        ("model.n_chans", size.channels),
        ("model.n_layers", size.layers),
        ("model.n_hidden", size.condition),
        ("model.n_spk", speakers or 1),
        ("data.encoder_out_channels", model.unit_embed.in_features),
    ):
        said = settings.get(key, found)
        if said != found:
            raise VoiceFileError(
                f"{settings.path}: {key} is {said}, but the checkpoint has {found}; this config is"
                " of another model"
            )


def _report(voice: ForeignConfig, model: Unit2Mel, state: State) -> tuple[str, ...]:
    size = model.decoder.denoise_fn.size
    low, high = (
        float(torch.as_tensor(state[f"decoder.spec_{end}"]).mean()) for end in ("min", "max")
    )
    return (
        f"{voice.name}: {voice.mel.sample_rate} Hz, {size.n_mels} mel bins, {size.layers} layers of"
        f" {size.channels} channels, units of {voice.units}, {voice.speakers} speakers, trained"
        f" {voice.step} steps",
        f"schedule: {len(state[f'decoder.{BUFFERS[0]}'])} steps, from the checkpoint",
        f"mel range: {low:g} to {high:g}, from the checkpoint",
    )
