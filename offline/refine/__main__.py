"""Lets a voice's denoiser learn on by what is heard of its one step: on a card in minutes.

    python -m offline.refine FEATURES OUT --start VOICE --judges RUN [--others FOLDER ...]

OUT is a voice file like VOICE, whose denoiser has gone --share of the way from VOICE's to the one
that learned. All else is VOICE's, the vocoder, too: it learns beside the denoiser, and says pauses
louder for it. RUN is of `moksori recipe train judges` with the same FEATURES and --validation.
Conversions are made of whoever else is in FEATURES and has a pitch there, but for --validation.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from core.content.phonetic import PhoneticEncoder
from core.diff_svc.place import find_device
from core.errors import ConfigError, VoiceChangerError
from core.voice import SUFFIX, VoiceModel, read_metadata
from offline.checkpoint import load_start
from offline.distil.disguise import Disguise
from offline.preprocess import Manifest
from offline.refine.config import RefineConfig
from offline.refine.learning import Refinement, refine
from offline.refine.lessons import Lessons
from offline.refine.recordings import Recordings
from offline.tasks.judges import Judges, judged

_SOURCES_EXPONENT = 0.6  # a source's share grows slower than what is there of them

log = logging.getLogger(__name__)


def known_judges(run: Path, voice: VoiceModel, names: Sequence[str]) -> Judges:
    """The judges of a run that was trained on these speakers, sorted by name."""
    weights = load_start(run)
    judges = Judges(voice.config.audio, voice.config.mel, names)
    known = weights.get("speakers.speakers")
    if known is None:
        raise VoiceChangerError(
            f"{run} holds no judges; make some with: moksori recipe train judges FEATURES {run}"
        )
    if len(known) != len(names):
        raise VoiceChangerError(
            f"the judges of {run} know {len(known)} speakers, and {len(names)} have recordings with"
            " a pitch; give the features and the --validation that the judges were trained with"
        )
    judges.load_state_dict(weights)
    return judges


@torch.no_grad()
def prepare(args: argparse.Namespace, config: RefineConfig) -> Refinement:
    """Voice, recordings and judges on the device, ready to learn."""
    torch.manual_seed(args.seed)
    device = find_device(args.compute)
    voice = VoiceModel.load(args.start).float().to(device)
    if not isinstance(voice.encoder, PhoneticEncoder):
        raise ConfigError(
            f"{args.start} hears with {voice.config.content.encoder}; only a voice that holds its"
            " own encoder, phonetic, can be refined"
        )
    manifest = Manifest.load(args.features, voice.config.audio, voice.config.f0)
    targets = [speaker.name for speaker in voice.config.speakers]
    chosen = judged(args.features, manifest, args.validation)
    names = sorted({u.speaker for u in chosen})
    missing = [name for name in targets if name not in names]
    if missing:
        raise VoiceChangerError(
            f"{args.features} has no recordings with a pitch of {', '.join(missing)}, a target of"
            f" {args.start}; preprocess them with --f0-speakers, and leave them out of --validation"
        )
    judges = known_judges(args.judges, voice, names).to(device)
    own = [u for u in chosen if u.speaker in targets]
    others = [u for u in chosen if u.speaker not in targets]
    if not others:
        raise VoiceChangerError(
            f"{args.features} has recordings with a pitch of the targets alone; conversions are"
            " made of other speakers: preprocess some with --f0-speakers"
        )
    disguise = Disguise(voice.encoder, args.noise)
    load = partial(
        Recordings.load, voice, disguise, args.features, least=config.frames, seed=args.seed
    )
    heard = load(own, targets, exponent=0.0, others=args.others)
    silent = [name for i, name in enumerate(targets) if not bool((heard.owner == i).any())]
    if silent:
        raise VoiceChangerError(
            f"no recording of {', '.join(silent)} in {args.features} has voice and lasts"
            f" {config.frames / voice.config.audio.frame_rate:.1f} s; give longer ones"
        )
    sources = load(others, names, exponent=_SOURCES_EXPONENT, waves=False)
    minutes = [float(r.length.sum()) / voice.config.audio.frame_rate / 60 for r in (heard, sources)]
    log.info("%.1f minutes of targets, %.1f of sources", *minutes)
    return Refinement(voice, judges, Lessons(voice, heard, sources, config, args.shares), config)


def blend(start: Path, refined: dict[str, Tensor], share: float, out: Path) -> None:
    """Writes the voice of `start` with its denoiser `share` of the way to these weights."""
    voice = VoiceModel.load(start).float()
    own = voice.denoiser.state_dict()
    for key, weight in refined.items():
        own[key].lerp_(weight.to(own[key]), share)
    out.parent.mkdir(parents=True, exist_ok=True)
    voice.save(out, read_metadata(start).get("card", ""))


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m offline.refine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path, help=f"a {SUFFIX} file")
    parser.add_argument("--start", type=Path, required=True, help="a voice file")
    parser.add_argument("--judges", type=Path, required=True, help="a run")
    parser.add_argument("--others", type=Path, nargs="+", default=[])
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--validation", nargs="+", default=[], help="speakers left out")
    parser.add_argument("--shares", type=float, nargs="+", help="of each target in a batch")
    parser.add_argument("--share", type=float, default=0.5, help="of the way that is gone")
    parser.add_argument("--seconds", type=float, default=490, help="in which the rates fall")
    parser.add_argument("--steps", type=int, help="likewise, whichever ends sooner")
    parser.add_argument("--until", type=float, default=0.55, help="share of that time to learn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compute", default="auto")
    return parser


def main(argv: Sequence[str] | None = None, config: RefineConfig | None = None) -> None:
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.out.suffix != SUFFIX:
        raise ConfigError(f"expected a {SUFFIX} file to write the voice to, got {args.out}")
    for name in ("share", "until"):
        if not 0 <= getattr(args, name) <= 1:
            raise ConfigError(f"--{name} must lie between 0 and 1, got {getattr(args, name):g}")
    if args.seconds <= 0 or (args.steps is not None and args.steps < 1):
        raise ConfigError("--seconds must be above 0 and --steps at least 1")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True  # the critics' convolutions are most of the work
    refinement = prepare(args, config or RefineConfig())

    def tell(step: int, figures: dict[str, float]) -> None:
        log.info("step %d %s", step, " ".join(f"{k} {v:.4f}" for k, v in figures.items()))

    refined = refine(refinement, args.seconds, args.steps, args.until, tell)
    blend(args.start, refined, args.share, args.out)


if __name__ == "__main__":
    main()
