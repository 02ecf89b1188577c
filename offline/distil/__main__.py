"""Teaches the streaming encoder by larger networks: on a card in minutes.

    python -m offline.distil FEATURES OUT --start VOICE --alignments TABLE [--more FOLDER TABLE ...]

The encoder of VOICE goes on from where it is; what it makes of --targets stays as it was, so that
the voice's other networks need no training. OUT is then a run as `moksori recipe export --content`
takes it. Speakers of --validation are learned from by none, and judge both.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.config import VoiceConfig
from core.content.phonetic import PhoneticEncoder
from core.diff_svc.place import find_device
from offline.alignment import INVENTORIES
from offline.checkpoint import FILE, load_start
from offline.distil.disguise import Disguise
from offline.distil.spectra import Spectra
from offline.distil.student import Lessons, train_student
from offline.distil.teacher import Teacher, soft_labels, train_teacher
from offline.preprocess import Manifest
from offline.recipe import part
from offline.tasks.content import Corpus

_MADE_SHARE = 0.5  # of a further corpus, which is made by machine
_WARPS = (-0.15, 0.0, 0.15)

log = logging.getLogger(__name__)


def taught(spectra: Spectra, disguise: Disguise, folds: int, minutes: float, apart: str) -> Tensor:
    """Soft labels (frames, phones) of cross-fitted teachers; zero where none was asked.

    Speakers whose names begin with `apart` are dealt out over the folds. Others' recordings without
    labels get the mean of all teachers.
    """
    soft = torch.zeros(
        len(spectra.power), len(INVENTORIES["arpabet"]), dtype=torch.half, device=spectra.device
    )
    names = sorted(name for name in spectra.speakers if name.startswith(apart))
    order = np.random.default_rng(1).permutation(names)
    common = torch.nonzero((spectra.inventory < 0) & ~spectra.of(names))[:, 0].tolist()
    for fold in range(folds):
        torch.manual_seed(fold)
        without = spectra.of([str(name) for name in order[fold::folds]])
        teacher = Teacher(disguise.encoder.config.n_bands).to(spectra.device)
        steps = train_teacher(teacher, spectra, disguise, without, minutes / folds)
        held = torch.nonzero(without & (spectra.weight > 0))[:, 0].tolist()
        for i, said in soft_labels(teacher, spectra, disguise, held, _WARPS).items():
            soft[spectra.span(i)] = said
        for i, said in soft_labels(teacher, spectra, disguise, common).items():
            soft[spectra.span(i)] += said / folds
        strangers = soft_labels(teacher, spectra, disguise, spectra.checked)
        log.info("teacher %d: %d steps, %.4f right", fold, steps, right(spectra, strangers))
    return soft


def right(spectra: Spectra, said: dict[int, Tensor]) -> float:
    """Share of the frames of speech whose likeliest phone is the label."""
    hits = frames = 0
    for recording, phones in said.items():
        label = spectra.labels[spectra.span(recording)]
        speech = label > 0
        hits += int((phones.float().argmax(-1) == label)[speech].sum())
        frames += int(speech.sum())
    return hits / max(frames, 1)


@torch.inference_mode()
def heard_right(
    encoder: PhoneticEncoder, spectra: Spectra, disguise: Disguise, delay: int
) -> float:
    """As `right`, of the streaming encoder, on the recordings that weigh nothing."""
    said = {}
    for i in spectra.checked:
        power = spectra.power[spectra.span(i)].float().exp()
        padded = torch.nn.functional.pad(power, (0, 0, 0, delay), value=1e-10)
        bands = disguise.bands(padded[None], warped=False)
        said[i] = encoder.phones(encoder.encode(bands, delay)[0][0, delay:])
    return right(spectra, said)


def distil(args: argparse.Namespace, config: VoiceConfig) -> None:
    """All of it; see the top of this file."""
    torch.manual_seed(0)
    device = find_device(args.compute)
    encoder = PhoneticEncoder(config.audio, config.content)
    encoder.load_state_dict(part(load_start(args.start), "encoder."), strict=False)
    encoder.to(device)
    manifest = Manifest.load(args.features, config.audio, config.f0)
    corpora = [Corpus(args.features, manifest, tuple(args.alignments))]
    for folder, table in args.more:
        other = Manifest.load(folder, config.audio, config.f0)
        corpora.append(Corpus(folder, other, (table,), _MADE_SHARE))
    with torch.no_grad():
        spectra = Spectra.load(encoder, corpora, args.validation)
        disguise = Disguise(encoder, args.noise)
    delays = config.content.delays
    figures = {d: heard_right(encoder, spectra, disguise, d) for d in delays}
    log.info("right before, by delay: %s", {d: round(f, 4) for d, f in figures.items()})
    soft = taught(spectra, disguise, args.folds, args.teacher_minutes, args.apart)
    lessons = Lessons(encoder, spectra, disguise, soft, spectra.of(args.targets))
    weights = train_student(
        lessons, args.minutes, lambda step, told: log.info("step %d %s", step, told)
    )
    figures = {d: heard_right(encoder, spectra, disguise, d) for d in delays}
    log.info("right after, by delay: %s", {d: round(f, 4) for d, f in figures.items()})
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"ema": {f"encoder.{k}": v.cpu() for k, v in weights.items()}}, args.out / FILE)


def main(argv: Sequence[str] | None = None, config: VoiceConfig | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="a voice file or a run")
    parser.add_argument("--alignments", type=Path, nargs="+", required=True)
    parser.add_argument("--more", nargs=2, type=Path, action="append", default=[])
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--targets", nargs="+", required=True)
    parser.add_argument("--validation", nargs="+", default=[])
    parser.add_argument("--apart", default="ls_", help="speakers dealt out over the teachers")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--teacher-minutes", type=float, default=2.3, help="all of them together")
    parser.add_argument("--minutes", type=float, default=2.3)
    parser.add_argument("--compute", default="auto")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_float32_matmul_precision("high")
    distil(parser.parse_args(argv), config or VoiceConfig())


if __name__ == "__main__":
    main()
