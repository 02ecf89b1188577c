"""diff-svc checkpoints (prophesier/diff-svc and forks of the same architecture) -> a voice file.

What the original saves but never uses is left out; what is not known is reported, never an error.
The checkpoint's buffers win over the config, which may be of another time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from core.diff_svc.condition import Condition
from core.diff_svc.config import ForeignConfig, MelFormat, PitchFormat
from core.diffusion.diffnet import DiffNetSize, diffnet_size
from core.diffusion.gaussian import (
    BUFFERS,
    GaussianDiffusion,
    schedule_betas,
    schedule_buffers,
)
from core.errors import ConfigError, VoiceFileError
from core.imports.checkpoint import Settings, State, below, read_checkpoint, state_at
from core.imports.imported import (
    Imported,
    settings_of,
    voice_name,
    with_hubert,
    with_pitch_extractor,
    with_unit_encoder,
    with_vocoder,
)
from core.imports.voice_parts import (
    HUBERT_WANTED,
    find_beside,
    find_hubert,
    read_hubert,
    read_pitch_extractor,
    read_vocoder,
)

_DEAD = tuple(
    f"fs2.{part}"
    for part in (
        "mel_out.",
        "pitch_predictor.",
        "decoder.",
        "energy_predictor.",
        "dur_predictor.",
        "encoder_embed_tokens.",
        "encoder.embed_positions.",
        "encoder.pos_embed_alpha",
    )
)


def import_diff_svc(
    checkpoint: Path,
    config: Path | None = None,
    hubert: Path | None = None,
    vocoder: Path | None = None,
    name: str | None = None,
    exact: bool = False,
) -> Imported:
    """The voice with all it needs to speak. A missing content encoder is a VoiceFileError."""
    settings = settings_of(checkpoint, config)
    voice = read_diff_svc(checkpoint, config, name, exact)
    if settings.get("use_vec", False):
        voice = with_unit_encoder(voice, "contentvec", hubert)
    else:
        named = settings.get("hubert_path", "")
        hubert = hubert or find_hubert(checkpoint, named)
        if hubert is None:
            raise VoiceFileError(f'{checkpoint}: "{named}" is not beside it; {HUBERT_WANTED}')
        voice = with_hubert(voice, read_hubert(hubert))
    vocoder = vocoder or find_beside(checkpoint, settings.get("vocoder_ckpt", ""))
    voice = with_vocoder(voice, None if vocoder is None else read_vocoder(vocoder))
    extractor = find_beside(checkpoint, settings.get("pe_ckpt", ""))
    if voice.config.mel.kind == "hifigan" and extractor is not None:
        voice = with_pitch_extractor(voice, read_pitch_extractor(extractor))
    return voice


def read_diff_svc(
    checkpoint: Path, config: Path | None = None, name: str | None = None, exact: bool = False
) -> Imported:
    """The acoustic model alone: denoiser, schedule, condition and what the config says."""
    settings = settings_of(checkpoint, config)
    data = read_checkpoint(checkpoint)
    state = below(state_at(data, checkpoint, "state_dict"), "model.")
    if not any(key.startswith("denoise_fn.") for key in state):
        some = ", ".join(list(state)[:3]) or "nothing under model."
        raise VoiceFileError(
            f"{checkpoint}: expected model.denoise_fn.*, found {some}; is it a diff-svc checkpoint?"
        )
    try:
        return _voice(state, settings, data.get("global_step"), checkpoint, name, exact)
    except VoiceFileError as error:
        raise VoiceFileError(f"{checkpoint}: {error}") from None


def _voice(
    state: State,
    settings: Settings,
    step: object,
    checkpoint: Path,
    name: str | None,
    exact: bool,
) -> Imported:
    """The acoustic model, built once to prove that it is whole; only what it uses is kept."""
    size = diffnet_size(below(state, "denoise_fn."), settings.get("dilation_cycle_length", 4))
    _check_size(settings, size)
    completed, notes = _completed(state, settings, size)
    config = replace(
        _config(settings, size, len(completed["betas"])),
        name=name or voice_name(checkpoint),
        step=step if isinstance(step, int) else _step_in(checkpoint),
        exact=exact,
    )
    diffusion = GaussianDiffusion.from_state_dict(completed, config.dilation_cycle)
    condition = Condition.from_state_dict(
        below(state, "fs2."), config.pitch, config.heads, config.activation
    )
    table = condition.spk_embed_proj
    config = replace(config, speakers=1 if table is None else table.num_embeddings)
    weights = {f"diffusion.{k}": v for k, v in diffusion.state_dict().items()}
    weights.update({f"condition.{k}": v for k, v in condition.state_dict().items()})
    used = {*diffusion.state_dict(), *(f"fs2.{k}" for k in condition.state_dict())}
    report = (_headline(config, size), *notes, *_condition_notes(condition), *_left(state, used))
    return Imported(config, weights, report)


def _check_size(settings: Settings, size: DiffNetSize) -> None:
    """That the config is this checkpoint's: their sizes agree."""
    for key, found in (
        ("audio_num_mel_bins", size.n_mels),
        ("hidden_size", size.condition),
        ("residual_channels", size.channels),
        ("residual_layers", size.layers),
    ):
        said = settings.get(key, found)
        if said != found:
            raise VoiceFileError(
                f"{settings.path}: {key} is {said}, but the checkpoint's denoiser has {found};"
                " this config is of another model"
            )


def _completed(
    state: State, settings: Settings, size: DiffNetSize
) -> tuple[State, tuple[str, ...]]:
    """The denoiser's state with all its buffers, and where these came from."""
    kept = {k: v for k, v in state.items() if k.startswith("denoise_fn.")}
    notes: list[str] = []
    if "betas" in state:
        made = schedule_buffers(state["betas"].double().numpy())
        kept.update({name: state.get(name, made[name]) for name in BUFFERS})
        missing = [name for name in BUFFERS if name not in state]
        source = "the checkpoint" + (f" ({', '.join(missing)} rebuilt)" if missing else "")
    else:
        kind, count = settings.get("schedule_type", "linear"), settings.get("timesteps", 1000)
        kept.update(schedule_buffers(schedule_betas(kind, count, settings.get("max_beta", 0.02))))
        source = f"{settings.path} (the checkpoint has none)"
    notes.append(f"schedule: {len(kept['betas'])} steps, from {source}")
    for key in ("spec_min", "spec_max"):
        kept[key], words = _range(state, settings, key, size.n_mels)
        notes.append(words)
    return kept, tuple(notes)


def _range(state: State, settings: Settings, key: str, n_mels: int) -> tuple[Tensor, str]:
    """spec_min or spec_max as (1, 1, 1) or (1, 1, M)."""
    if key in state:
        values, source = state[key].reshape(-1), "the checkpoint"
    else:
        listed = settings.numbers(key)[: settings.get("keep_bins", n_mels)]
        values, source = torch.tensor(listed), f"{settings.path} (the checkpoint has none)"
    if len(values) not in (1, n_mels):
        raise VoiceFileError(
            f"{key} from {source} has {len(values)} values, expected 1 or {n_mels}, one for each"
            " mel bin"
        )
    return values.reshape(1, 1, -1), f"{key}: {len(values)} values, from {source}"


def _condition_notes(condition: Condition) -> tuple[str, ...]:
    """Which terms and which encoder the condition has."""
    encoder = condition.encoder
    words = "none, units as they are" if encoder is None else f"{len(encoder.layers)} FFT blocks"
    table = condition.spk_embed_proj
    more = () if table is None else (f"speakers: {table.num_embeddings}",)
    return (f"encoder: {words}", *more)


def _left(state: State, used: set[str]) -> tuple[str, ...]:
    """A line on what the original saves and never uses, and one on what nobody knows."""
    left = [k for k in state if k not in used]
    dead = [k for k in left if k.startswith(_DEAD)]
    unknown = [k for k in left if not k.startswith(_DEAD)]
    lines: list[str] = []
    if dead:
        numbers = sum(state[k].numel() for k in dead)
        lines.append(f"dead weights left out: {len(dead)} tensors, {numbers} numbers")
    if unknown:
        more = ", ..." if len(unknown) > 5 else ""
        lines.append(f"unknown keys ignored: {', '.join(unknown[:5])}{more}")
    return tuple(lines)


def _config(settings: Settings, size: DiffNetSize, timesteps: int) -> ForeignConfig:
    """The settings that matter, with the defaults of the original where it has them."""
    get = settings.get
    for key, only in (("diff_decoder_type", "wavenet"), ("pitch_norm", "log")):
        if get(key, only) != only:
            raise ConfigError(
                f'{settings.path}: {key} is "{get(key, only)}", expected "{only}"; no public voice'
                " has another"
            )
    return ForeignConfig(
        mel=_mel_format(settings, size),
        pitch=PitchFormat(
            f0_min=get("f0_min", 40.0),
            f0_max=get("f0_max", 1100.0),
            bins=get("f0_bin", 256),
            use_uv=get("use_uv", False),
            use_pitch=get("use_pitch_embed", True),
            use_energy=get("use_energy_embed", False),
        ),
        k_step=min(get("K_step", timesteps), timesteps),
        speedup=max(get("pndm_speedup", 10), 1),
        dilation_cycle=size.cycle,
        heads=get("num_heads", 2),
        activation=get("ffn_act", "gelu"),
        mel_min=get("mel_vmin", -6.0),
        mel_max=get("mel_vmax", 1.5),
        units=size.condition,
    )


def _mel_format(settings: Settings, size: DiffNetSize) -> MelFormat:
    """The front end that the name of the vocoder stands for."""
    get = settings.get
    rate = get("audio_sample_rate", 44_100)
    vocoder = get("vocoder", "NsfHifiGAN").rpartition(".")[2].lower()
    old = vocoder in ("hifigan", "pwg")
    if not old and vocoder != "nsfhifigan":
        raise ConfigError(
            f'{settings.path}: vocoder is "{get("vocoder", "")}"; known: NsfHifiGAN, HifiGAN, PWG'
        )
    low, high = get("fmin", 40.0), get("fmax", 16_000.0)
    return MelFormat(
        kind="hifigan" if old else "nsf",
        sample_rate=rate,
        n_fft=get("fft_size", 2048),
        win_length=get("win_size", 2048),
        hop_length=get("hop_size", 512),
        n_mels=size.n_mels,
        f_min=low if low >= 0 else 0.0,
        f_max=high if high >= 0 else rate / 2,
        floor=get("wav2spec_eps", 1e-6) if old else 1e-5,
    )


def _headline(voice: ForeignConfig, size: DiffNetSize) -> str:
    return (
        f"{voice.name}: {voice.mel.sample_rate} Hz, {size.n_mels} mel bins, {size.layers} layers of"
        f" {size.channels} channels, units of {size.condition}, trained {voice.step} steps, use_uv"
        f" {str(voice.pitch.use_uv).lower()}"
    )


def _step_in(checkpoint: Path) -> int:
    numbers = re.findall(r"\d+", checkpoint.stem)
    return int(numbers[-1]) if numbers else 0
