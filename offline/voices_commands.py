"""`moksori voices` and `moksori voices import`: what is there, and what comes from elsewhere."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import VoiceFileError, say

if TYPE_CHECKING:
    from core.config import VoiceConfig
    from core.diff_svc.config import ForeignConfig


def add_voices_commands(commands: Any) -> None:
    """Adds them to the command line's table."""
    words = "list the voices, or look into one"
    voices = commands.add_parser("voices", help=words, description=words)
    voices.set_defaults(command=_voices)
    voices.add_argument("voice", nargs="?", help="name or file")
    voices.add_argument("--json", action="store_true")

    words = "bring a voice of another program"
    imports = commands.add_parser("voices import", help=words, description=words)
    imports.set_defaults(command=_import_voice)
    imports.add_argument(
        "family", choices=("diff-svc", "diffusion-svc"), help="what it was made with"
    )
    imports.add_argument("checkpoint", type=Path, metavar="CKPT", help="the weights")
    imports.add_argument("--config", type=Path, help="its config.yaml (default: the one beside it)")
    imports.add_argument("--hubert", type=Path, help="hubert_soft.pt (default: as in the config)")
    imports.add_argument("--vocoder", type=Path, help="folder or file (default: as in the config)")
    imports.add_argument("--name", help="for --voice (default: the checkpoint's folder)")
    imports.add_argument("--exact", action="store_true", help="always convert as the original does")
    imports.add_argument(
        "--quick", action="store_true", help="fit no sampler to it: later conversions take longer"
    )


def _voices(args: argparse.Namespace) -> int:
    from core.tables import to_dict
    from core.voice import embedded_voices, find_voice, imported_voices

    if args.voice is None:
        found: dict[str, VoiceConfig | ForeignConfig] = {}
        for name, path in {**imported_voices(), **embedded_voices()}.items():
            try:
                found[name] = _config_of(path)
            except VoiceFileError as error:  # one broken file must not hide the others
                say(str(error))
        if args.json:
            table = {name: to_dict(config) for name, config in found.items()}
            print(json.dumps(table, ensure_ascii=False))
            return 0
        for name, config in found.items():
            print(f"{name}: {_in_brief(config)}")
        if not found:
            say("no voice is installed; give the path of a voice file with --voice FILE")
        return 0
    path = find_voice(args.voice)
    config = _config_of(path)
    if args.json:
        print(json.dumps({"path": str(path), "config": to_dict(config)}, ensure_ascii=False))
        return 0
    print(f"{config.name}  {path}  {path.stat().st_size / 2**20:.1f} MiB")
    for line in _in_detail(config):
        print(f"  {line}")
    return 0


def _config_of(path: Path) -> VoiceConfig | ForeignConfig:
    from core.diff_svc.foreign import read_foreign_config
    from core.voice import NATIVE, kind_of, read_config, read_metadata

    native = kind_of(read_metadata(path)) == NATIVE
    return read_config(path) if native else read_foreign_config(path)


def _in_brief(config: VoiceConfig | ForeignConfig) -> str:
    from core.config import VoiceConfig

    if isinstance(config, VoiceConfig):
        return ", ".join(speaker.name for speaker in config.speakers)
    return f"{config.family}, trained {config.step} steps"


def _in_detail(config: VoiceConfig | ForeignConfig) -> list[str]:
    from core.config import VoiceConfig

    if not isinstance(config, VoiceConfig):
        from offline.import_voice import describe_foreign

        return describe_foreign(config)
    audio = config.audio
    return [
        *(
            f"{speaker.name}: median pitch {speaker.f0_median:.0f} Hz. {speaker.credit}".rstrip()
            for speaker in config.speakers
        ),
        f"{audio.sample_rate} Hz, hop {audio.hop_length}, {config.mel.n_mels} mel bins",
        f"content {' '.join(_hears(config))}, f0 {config.f0.estimator}, sampler {config.sampler},"
        f" {config.steps} steps",
    ]


def _hears(config: VoiceConfig) -> list[str]:
    content = config.content
    layer = [] if content.layer is None else [f"layer {content.layer}"]
    return [content.encoder, *layer, *([f"from {content.source}"] if content.source else [])]


def _import_voice(args: argparse.Namespace) -> int:
    from offline.import_voice import import_voice

    print("\n".join(import_voice(args, say)))
    return 0
