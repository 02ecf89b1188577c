"""What the window's sound process makes."""

from __future__ import annotations

import numpy as np
import pytest

from core.config import StreamConfig, VoiceParams
from gui import engine, processes
from gui.settings import Devices
from realtime.backend import AudioBackend
from realtime.glimpse import Glimpse
from realtime.loopback import LoopbackBackend
from tests.doubles import Identity


def test_in_overload_nobody_hears_the_voice_that_is_to_be_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make_backend(devices: Devices, sample_rate: int) -> AudioBackend:
        return LoopbackBackend(np.zeros(100, np.float32), sample_rate=sample_rate)

    monkeypatch.setattr(processes, "make_converter", lambda order: Identity())
    view = Glimpse()
    monkeypatch.setattr(processes, "_view", lambda name: view)
    order = processes.Order(engine.DEMO, StreamConfig(), VoiceParams())
    try:
        session = processes.make_live(
            order, make_backend, Devices(), view.name, on_event=lambda event: None
        )
        assert session._bypass == "mute"
    finally:
        view.close()
