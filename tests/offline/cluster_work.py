"""Work for the tests of the cluster, where its workers can import it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.config import StreamConfig, VoiceParams
from core.errors import VoiceChangerError
from core.voice import VoiceModel
from offline.convert_jobs import ConvertGroup
from offline.convert_together import Outcome, Pair, convert_group


def recorded(voice: Path, diary: Path) -> ConvertGroup:
    """Converts as `convert` does, slowly, and notes which process begins what."""
    loaded = VoiceModel.load(voice)

    def work(group: Sequence[Pair]) -> list[Outcome]:
        with diary.open("a") as handle:
            handle.write(f"{os.getpid()} {group[0][0].name}\n")
        time.sleep(0.5)
        return convert_group(loaded, group, VoiceParams(), StreamConfig())

    return work


def refuser() -> Callable[[int], int]:
    def refuse(item: int) -> int:
        raise VoiceChangerError(f"{item} is refused")

    return refuse
