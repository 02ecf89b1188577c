"""What a training sounds and looks like at a step: files, and TensorBoard where it is installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from core.audio import load_mono, save_audio
from core.config import VoiceParams
from core.mel import LogMel
from core.pipeline import convert
from core.voice import VOICES_FOLDER, VoiceModel
from offline.studio.events import Tell
from offline.studio.network import Adapting, voice_of
from offline.studio.pictures import save_png, spectrogram
from offline.studio.project import Project

_SECONDS = 4.0  # of the recording that comes with the program, converted at each check


class Samples:
    """Converts a stranger's few seconds with the voice as it is, and draws the result."""

    def __init__(self, project: Project, base: VoiceModel, tell: Tell) -> None:
        self.project, self.base = project, base
        rate = base.config.audio.sample_rate
        wave = load_mono(VOICES_FOLDER / "demo.flac", rate)[0]
        self.source = wave[: round(_SECONDS * rate)]
        self._board = _tensorboard(project, tell)

    def write(self, step: int, network: Adapting, figures: dict[str, float]) -> dict[str, Any]:
        """Samples of the network's present weights; their paths, for the event."""
        folder = self.project.samples / f"step_{step:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        voice = voice_of(network, self.base)
        audio = voice.config.audio
        speaker = replace(voice.config.speakers[0], f0_median=self._median())
        voice.config = replace(voice.config, speakers=(speaker,))
        made = convert(voice, self.source, VoiceParams(level_shift=0.0, retrieval=0.0))
        sound, picture = folder / "converted.wav", folder / "mel.png"
        save_audio(sound, made, audio.sample_rate)
        with torch.inference_mode():
            mel = LogMel(audio, voice.config.mel)(torch.from_numpy(made)[None])[0].numpy()
        image = spectrogram(mel)
        save_png(picture, image)
        if self._board is not None:
            for key, value in figures.items():
                self._board.add_scalar(f"check/{key}", value, step)
            self._board.add_audio("converted", np.clip(made, -1, 1)[None], step, audio.sample_rate)
            self._board.add_image("mel", image, step, dataformats="HWC")
            self._board.flush()
        return {"samples": [str(sound)], "pictures": [str(picture)]}

    def curves(self, step: int, figures: dict[str, float]) -> None:
        """Figures of the training itself, for TensorBoard."""
        for key, value in figures.items() if self._board is not None else ():
            self._board.add_scalar(f"train/{key}", value, step)

    def close(self) -> None:
        """Ends TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def _median(self) -> float:
        from offline.studio.manifest import load_manifest

        return load_manifest(self.project, self.base.config.audio).statistics.f0_median


def _tensorboard(project: Project, tell: Tell) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        tell({"event": "note", "words": 'no TensorBoard: pip install "moksori[train]" adds it'})
        return None
    return SummaryWriter(str(project.folder / "tensorboard"))
