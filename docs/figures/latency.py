"""Draws docs/figures/latency.png: what a window costs an imported voice, over its two lengths.

    python -m docs.figures.latency FEATURES SPEAKER VOICE.safetensors CONTENT.safetensors

VOICE and CONTENT: of `docs.figures.foreign_voice` and `foreign_content`; recordings that both held
back are converted, in blocks with a window and in one piece. Writes latency.tsv, too.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from core.config import StreamConfig, VoiceConfig
from core.content.hubert_soft import HubertSoft
from core.diff_svc.config import MelFormat
from core.diff_svc.converter import convert_windowed, foreign_plan
from core.diff_svc.foreign import load_voice
from core.diff_svc.mel import MelFrontEnd
from core.diff_svc.voice import DiffSvcVoice
from docs.figures.foreign_content import CHANNELS, INNER, LAYERS, POSITION, WIDTH
from docs.figures.foreign_voice import utterances
from offline.preprocess import Manifest, load_wave

mpl.use("Agg")
import matplotlib.pyplot as plt

CONTEXTS = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds
LOOKAHEADS = (0, 50, 100, 150, 200)  # ms
BLOCK, STEPS, SECONDS = 0.25, 20, 7.0
USUAL = 1.0, 100  # context where the lookahead varies, and the other way round
KINDS = {
    "units": "units: error / their spread",
    "f0": "f0: share of frames wrong",
    "mel": "mel, dB",
    "audio": "audio, dB of its mel",
}


class Run(NamedTuple):
    """units (N, D), f0 in Hz and voiced (N,), mel (M, N) in log10 and that of the wave (128, N)."""

    units: Tensor
    f0: Tensor
    voiced: Tensor
    mel: Tensor
    audio: Tensor


class Noting(DiffSvcVoice):
    """Keeps what it was told and what it said. Its narrow mel is stretched for the vocoder."""

    def convert(self, wave: NDArray[np.float32], stream: StreamConfig) -> Run:
        self.rows: list[Tensor] = []
        windows = foreign_plan(self, stream).windows(2 * len(wave) // self.config.mel.hop_length)
        self.commits = (w.commit_stop - w.commit_start for w in windows)
        said = torch.from_numpy(convert_windowed(self, wave, stream=stream))
        mel, f0, voiced = self.spoken
        frames = len(wave) // self.config.mel.hop_length
        heard = MelFrontEnd(MelFormat())(said[None])[0]
        units = torch.cat(self.rows, 1)[0]
        parts = f0[0], voiced[0]
        return Run(units[:frames], *(p[:frames] for p in parts), mel[0][:, :frames], heard)

    def told(self, rows: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        self.rows.append(rows[:, : next(self.commits)])
        return super().told(rows, *rest)

    def speak(self, mel: Tensor, f0: Tensor, voiced: Tensor | None = None, *rest: Any) -> Tensor:
        assert voiced is not None
        self.spoken = mel, f0, voiced
        return super().speak(mel, f0, voiced, *rest)

    def vocoder_mel(self, mel: Tensor) -> Tensor:
        wide = MelFormat().n_mels
        heard = super().vocoder_mel(mel).transpose(1, 2)
        return F.interpolate(heard, size=wide, mode="linear").transpose(1, 2)


def apart(run: Run, whole: Run) -> dict[str, float]:
    """By kind, how far a run is from the whole."""
    spread = (whole.units - whole.units.mean(0)).square().mean()
    cents = 1200 * (run.f0 / whole.f0).log2().abs()
    wrong = (run.voiced != whole.voiced) | (run.voiced & (cents > 50))
    return {
        "units": float(((run.units - whole.units).square().mean() / spread).sqrt()),
        "f0": float(wrong.float().mean()),
        "mel": float(20 * (run.mel - whole.mel).abs().mean()),
        "audio": float(20 * (run.audio - whole.audio).abs().mean()),
    }


def recording(folder: Path, speaker: str) -> NDArray[np.float32]:
    """What was held back, end to end."""
    native = VoiceConfig()
    known = {u.path: u for u in Manifest.load(folder, native.audio, native.f0).utterances}
    parts = [load_wave(folder, known[path]) for path in utterances(folder, speaker)[-6:]]
    hop = native.audio.hop_length
    return np.concatenate(parts)[: int(SECONDS * native.audio.frame_rate) * hop]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("speaker")
    parser.add_argument("voice", type=Path)
    parser.add_argument("content", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    voice = load_voice(given.voice, Noting, "diff-svc")
    content = HubertSoft(CHANNELS, WIDTH, INNER, LAYERS, voice.config.units, POSITION).eval()
    content.load_state_dict(load_file(given.content))
    voice.content = content
    voice.config = replace(voice.config, content="hubert-soft")
    wave = recording(given.features, given.speaker)
    rate = voice.config.mel.frame_rate
    frames = len(wave) // voice.config.mel.hop_length
    spare = frames + 8  # the embedded vocoder speaks late
    whole = voice.convert(wave, StreamConfig(spare, spare, STEPS, lookahead_frames=0))
    figures: dict[tuple[float, int], dict[str, float]] = {}
    lines = [(c, USUAL[1]) for c in CONTEXTS] + [(USUAL[0], ms) for ms in LOOKAHEADS]
    for context, lookahead in dict.fromkeys(lines):
        sizes = BLOCK, context, lookahead / 1000
        block, past, ahead = (round(seconds * rate) for seconds in sizes)
        stream = StreamConfig(block, past, STEPS, lookahead_frames=ahead)
        figures[context, lookahead] = apart(voice.convert(wave, stream), whole)
        words = "".join(f"{k} {v:7.3f}  " for k, v in figures[context, lookahead].items())
        print(f"context {context:4.2f} s  lookahead {lookahead:3} ms  {words}", flush=True)
    with Path(__file__).with_suffix(".tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("context_s", "lookahead_ms", *KINDS))
        writer.writerows((*key, *(f"{v:.4f}" for v in f.values())) for key, f in figures.items())
    draw(figures)


def draw(figures: dict[tuple[float, int], dict[str, float]]) -> None:
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.2), sharey="col", layout="constrained")
    for (above, below), (kind, title) in zip(axes.T, KINDS.items(), strict=True):
        above.plot(CONTEXTS, [figures[c, USUAL[1]][kind] for c in CONTEXTS], "o-", ms=3.5)
        above.set_xscale("log", base=2)
        above.set_xticks(CONTEXTS, [f"{c:g}" for c in CONTEXTS])
        above.set_xlabel(f"context, s (lookahead {USUAL[1]} ms)")
        above.set_title(title)
        below.plot(LOOKAHEADS, [figures[USUAL[0], ms][kind] for ms in LOOKAHEADS], "o-", ms=3.5)
        below.set_xlabel(f"lookahead, ms (context {USUAL[0]:g} s)")
        for panel in (above, below):
            panel.set_ylim(bottom=0)
            panel.grid(alpha=0.25)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
