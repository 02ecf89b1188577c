"""The options of the live commands. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_live_options(live: argparse.ArgumentParser) -> None:
    """Everything that is not about the voice."""
    _device_options(live)
    live.add_argument(
        "--bypass",
        choices=("mute", "dry"),
        default="mute",
        help="what is heard while the machine is too slow: nothing, or you as you are",
    )
    live.add_argument("--input-gain-db", type=float, default=0.0, help="before the voice")
    live.add_argument("--ceiling-db", type=float, default=0.0, help="the limiter's, below 0")
    live.add_argument(
        "--suppress-noise", action="store_true", help="take noise from your microphone (RNNoise)"
    )
    live.add_argument("--record", type=Path, metavar="FILE", help="keep what was said")
    live.add_argument("--record-input", type=Path, metavar="FILE", help="keep what was heard")
    live.add_argument("--input", type=Path, metavar="FILE", help="loopback: what is heard")
    live.add_argument("--output", type=Path, metavar="FILE", help="loopback: what is played")
    live.add_argument("--clock", choices=("real", "virtual"), default="real", help="loopback's")
    live.add_argument("--seconds", type=float, help="stop by itself after so many")
    live.add_argument("--json", action="store_true", help="a last line of JSON with the figures")


def add_latency_options(latency: argparse.ArgumentParser) -> None:
    """Which devices to measure."""
    _device_options(latency)
    latency.add_argument("--chirps", type=int, default=6, help="1.5 s each")
    latency.add_argument("--json", action="store_true")


def _device_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input-device", help="name (or part of it), id or number")
    parser.add_argument("--output-device", help="name (or part of it), id or number")
    parser.add_argument("--monitor-device", help="a third device, on which you hear yourself")
    parser.add_argument(
        "--virtual", action="store_true", help="be a microphone for other programs (see virtual)"
    )
    parser.add_argument(
        "--device-latency", choices=("low", "high"), default="low", help="high where it crackles"
    )
    parser.add_argument("--exclusive", action="store_true", help="WASAPI, CoreAudio: no one else's")
    parser.add_argument("--backend", choices=("portaudio", "loopback"), default="portaudio")
