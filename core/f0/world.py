"""DIO with StoneMask (fast) and Harvest (careful, slow) of the WORLD vocoder, through pyworld."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import AudioConfig, F0Config
from core.errors import ConfigError
from core.f0.windowed import Windowed, on_grid


def _load_pyworld() -> Any:
    # The package's __init__ (0.3.5) asks for pkg_resources, which setuptools 81 took away; the
    # compiled module inside needs nothing of it.
    package = importlib.util.find_spec("pyworld")
    places = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec("pyworld.pyworld", places) if places else None
    if spec is None or spec.loader is None:
        raise ConfigError(
            'the f0 estimators "dio" and "harvest" need the package pyworld, which is not '
            "installed; install it with: pip install pyworld (without a wheel: a C++ compiler too)"
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pyworld = _load_pyworld()


class Dio(Windowed):
    """See F0Estimator. DIO's candidates, refined by StoneMask."""

    def __init__(self, audio: AudioConfig, config: F0Config, lookahead_frames: int = 4) -> None:
        super().__init__(audio, config, lookahead_frames)
        self._config = config

    def _estimate(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        padded, frames = on_grid(wave, self._audio.hop_length)
        rate = self._audio.sample_rate
        f0, at = pyworld.dio(
            padded,
            rate,
            f0_floor=self._config.f0_min,
            f0_ceil=self._config.f0_max,
            frame_period=1000.0 / self._audio.frame_rate,
        )
        f0 = pyworld.stonemask(padded, f0, at, rate)[1 : frames + 1]
        return f0, f0 > 0


class Harvest(Windowed):
    """See F0Estimator. The offline reference; it wants to see much future."""

    def __init__(self, audio: AudioConfig, config: F0Config, lookahead_frames: int = 8) -> None:
        super().__init__(audio, config, lookahead_frames)
        self._config = config

    def _estimate(self, wave: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        padded, frames = on_grid(wave, self._audio.hop_length)
        f0, _ = pyworld.harvest(
            padded,
            self._audio.sample_rate,
            f0_floor=self._config.f0_min,
            f0_ceil=self._config.f0_max,
            frame_period=1000.0 / self._audio.frame_rate,
        )
        f0 = f0[1 : frames + 1]
        return f0, f0 > 0
