"""`moksori evaluate NAME`: one HTML page to look at and listen to, which needs no network."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import VoiceParams
from core.errors import VoiceChangerError
from core.mel import LogMel, hz_to_mel
from core.pipeline import convert, plan_for
from core.streaming.plan import live_stream
from core.voice import VOICES_FOLDER, VoiceModel
from offline.bench import bench, describe
from offline.convert import whole_file
from offline.preprocess import load_wave
from offline.studio.events import Tell
from offline.studio.manifest import load_manifest
from offline.studio.pictures import draw_line, png, spectrogram
from offline.studio.project import Project, write_text

Wave = NDArray[np.float32]

_SECONDS = 8.0
_CONTEXTS = (0, 6, 12, 24, 48, 96, 192)  # frames
_F0_COLOUR = (120, 255, 160)
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
img,svg,audio{display:block;max-width:100%;margin:.3rem 0}pre{background:#8882;padding:.7rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right}"""


def evaluate_project(
    project: Project, sources: Sequence[Path], target: Path | None, tell: Tell
) -> Path:
    """Writes the page; sources: recordings to convert, besides the packaged one."""
    if not project.voice.is_file():
        name = project.config.name
        raise VoiceChangerError(f"{name} has no voice yet; run: moksori export {name}")
    voice = VoiceModel.load(project.voice)
    rate = voice.config.audio.sample_rate
    parts = [f"<h1>{html.escape(voice.config.name)}</h1>"]
    for path in [VOICES_FOLDER / "demo.flac", *sources]:
        tell({"event": "note", "words": f"converting {path.name}"})
        wave = load_mono(path, rate)[0][: round(_SECONDS * rate)]
        params = whole_file(voice, path, VoiceParams())
        parts += _pair(voice, path.name, wave, convert(voice, wave, params))
    parts += _own_words(project, voice)
    parts += ["<h2>Training</h2>", *_curves(project.log)]
    tell({"event": "note", "words": "measuring speed and errors"})
    parts += [
        "<h2>Speed</h2>",
        f"<pre>{chr(10).join(describe(bench(voice, live_stream(voice.config))))}</pre>",
    ]
    parts += ["<h2>Window error over context</h2>", *_window_errors(voice)]
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>{html.escape(voice.config.name)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    target = target or project.folder / "report.html"
    write_text(target, page)
    return target


def _own_words(project: Project, voice: VoiceModel) -> list[str]:
    """The target's own recording through the voice: what is lost apart from any conversion."""
    manifest = load_manifest(project, voice.config.audio)
    wave = load_wave(project.features, manifest.takes[len(manifest.takes) // 2])
    wave = wave[: round(_SECONDS * voice.config.audio.sample_rate)]
    same = VoiceParams(pitch_shift=0.0, level_shift=0.0)
    return _pair(voice, "the target's own words", wave, convert(voice, wave, same))


def _pair(voice: VoiceModel, name: str, source: Wave, made: Wave) -> list[str]:
    parts = [f"<h2>{html.escape(name)}</h2>"]
    for title, wave in (("source", source), ("converted", made)):
        parts += [f"<h3>{title}</h3>", _picture(voice, wave), _player(voice, wave)]
    return parts


def _picture(voice: VoiceModel, wave: Wave) -> str:
    audio, mel = voice.config.audio, voice.config.mel
    with torch.inference_mode():
        log_mel = LogMel(audio, mel)(torch.from_numpy(wave)[None])[0].numpy()
    image = spectrogram(log_mel, scale=1).repeat(2, 0).repeat(2, 1)
    stream = voice.analyser.f0.stream(256)
    hop = audio.hop_length
    padded = np.pad(wave, (0, -len(wave) % (256 * hop)))
    found = [stream.push(padded[i : i + 256 * hop]) for i in range(0, len(padded), 256 * hop)]
    found.append(stream.flush())
    f0 = np.concatenate([f for f, _ in found])[: log_mel.shape[1]]
    voiced = np.concatenate([v for _, v in found])[: log_mel.shape[1]]
    low, high = (float(hz_to_mel(np.array([hz]))[0]) for hz in (mel.f_min, mel.f_max))
    rows = (hz_to_mel(np.maximum(f0, mel.f_min)) - low) / (high - low) * image.shape[0]
    line = np.where(voiced, rows, np.nan).astype(np.float32)
    draw_line(image, line.repeat(2), _F0_COLOUR)
    return f"<img alt='spectrogram with f0' src='{_data('image/png', png(image))}'>"


def _player(voice: VoiceModel, wave: Wave) -> str:
    import soundfile

    held = io.BytesIO()
    soundfile.write(
        held, np.clip(wave, -1, 1), voice.config.audio.sample_rate, "PCM_16", format="WAV"
    )
    return f"<audio controls src='{_data('audio/wav', held.getvalue())}'></audio>"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _curves(log: Path) -> list[str]:
    """The loss of the steps and the score of the checks, as SVG."""
    if not log.is_file():
        return ["<p>no log of the training</p>"]
    events = []
    for line in log.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # a killed training may leave half a line
            events.append(json.loads(line))
    series = {
        "loss": {e["step"]: e["loss"] for e in events if e["event"] == "step"},
        "score of the checks": {
            e["step"]: e["score"] for e in events if e["event"] == "validation"
        },
    }
    return [part for name, points in series.items() if points for part in _svg(name, points)]


def _svg(name: str, points: dict[int, float]) -> list[str]:
    width, height = 720, 180
    steps, values = np.array(list(points)), np.log(np.maximum(list(points.values()), 1e-6))
    x = (steps - steps.min()) / max(np.ptp(steps), 1) * (width - 20) + 10
    y = height - 10 - (values - values.min()) / max(np.ptp(values), 1e-6) * (height - 20)
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    low, high = np.exp(values.min()), np.exp(values.max())
    return [
        f"<p>{name}, {low:.3g} to {high:.3g}, steps {steps.min()} to {steps.max()}</p>",
        f"<svg viewBox='0 0 {width} {height}' width='{width}'><polyline fill='none'"
        f" stroke='#c50' stroke-width='1.5' points='{path}'/></svg>",
    ]


def _window_errors(voice: VoiceModel) -> list[str]:
    """How far windowed conversion lies from the whole one, relative, by context."""
    rate = voice.config.audio.sample_rate
    wave = load_mono(VOICES_FOLDER / "demo.flac", rate)[0][: 4 * rate]
    params = VoiceParams(pitch_shift=0.0, level_shift=0.0)
    whole = convert(voice, wave, params)
    rows: list[Iterable[Any]] = []
    for frames in _CONTEXTS:
        plan = plan_for(voice, replace(live_stream(voice.config), context_frames=frames))
        made = convert(voice, wave, params, plan)
        n = min(len(made), len(whole))
        error = float(np.abs(made[:n] - whole[:n]).max() / max(np.abs(whole).max(), 1e-9))
        rows.append((frames, f"{error:.1e}"))
    cells = "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in rows)
    return [f"<table><tr><th>context, frames</th><th>error</th></tr>{cells}</table>"]
