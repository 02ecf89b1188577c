"""FittedSteps: levels and weights of a sampler fitted to one network, as a voice file holds them.

No torch here. `fitted.py` finds them and walks by them.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError


@dataclass(frozen=True)
class FittedSteps:
    """sigmas: falling levels, the last 0. weights: a row a step, one for each x0 said so far."""

    sigmas: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        steps = len(self.sigmas) - 1
        if steps < 1 or [len(row) for row in self.weights] != list(range(1, steps + 1)):
            raise ConfigError(
                f"{steps} fitted steps need rows of 1 to {steps} weights, got rows of"
                f" {[len(row) for row in self.weights]}; import the voice again"
            )

    @property
    def calls(self) -> int:
        """Of the network: one a step."""
        return len(self.weights)
