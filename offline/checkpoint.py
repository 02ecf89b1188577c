"""TrainState: what a run needs to go on: weights, their average, optimiser, step, minutes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import VoiceChangerError

FILE = "state.pt"

log = logging.getLogger(__name__)


class TrainState:
    """The state of one run in one folder. Never needed to convert; voices are exported apart."""

    def __init__(self, folder: Path, ema_decay: float) -> None:
        self.folder, self.ema_decay = folder, ema_decay
        self.step, self.minutes = 0, 0.0
        self.ema: dict[str, Tensor] = {}
        self._stored: dict[str, dict[str, Tensor]] | None = None

    @staticmethod
    def open(folder: Path, module: nn.Module, ema_decay: float) -> TrainState:
        """The newest state in `folder`, or a fresh one."""
        state = TrainState(folder, ema_decay)
        path = folder / FILE
        if path.is_file():
            data = torch.load(path, weights_only=True)
            state.step, state.minutes, state.ema = data["step"], data["minutes"], data["ema"]
            state._stored = data
        else:
            state.ema = {k: v.detach().clone() for k, v in module.state_dict().items()}
        return state

    def restore(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Puts the stored weights and moments back."""
        if self._stored is not None:
            module.load_state_dict(self._stored["module"])
            optimizer.load_state_dict(self._stored["optimizer"])
            self._stored = None

    def average(self, module: nn.Module) -> None:
        """Moves the average a little towards the present weights; faster in the first steps."""
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.ema[key].lerp_(value.detach(), 1 - decay)

    @contextmanager
    def averaged(self, module: nn.Module) -> Iterator[None]:
        """The module with its averaged weights, in evaluation mode; put back afterwards."""
        live = {k: v.detach().clone() for k, v in module.state_dict().items()}
        module.load_state_dict(self.ema)
        module.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            module.load_state_dict(live)
            module.train()

    def save(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Writes everything under a temporary name, then renames."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / (FILE + ".part")
        data = {
            "step": self.step,
            "minutes": self.minutes,
            "ema": self.ema,
            "module": module.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        torch.save(data, temporary)
        temporary.replace(self.folder / FILE)


def load_average(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of the run in `folder`."""
    path = folder / FILE
    if not path.is_file():
        raise VoiceChangerError(f"no training state at {path}; train the network first")
    ema: dict[str, Tensor] = torch.load(path, weights_only=True)["ema"]
    return ema


def load_start(path: Path) -> dict[str, Tensor]:
    """The weights to begin with: of a run's folder, or of a voice file."""
    if path.suffix != ".safetensors":
        return load_average(path)
    from safetensors.torch import load_file

    weights = {key: value.float() for key, value in load_file(path).items()}
    # a denoiser's run holds the denoiser alone, under its own names
    own = {k.removeprefix("denoiser."): v for k, v in weights.items() if k.startswith("denoiser.")}
    return weights | own


def begin_with(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copies the weights whose name and shape fit; none fitting is an error."""
    own = module.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    if not fitting:
        raise VoiceChangerError("none of the weights to begin with fits this network")
    log.info("begins with %d of %d weights", len(fitting), len(own))
    module.load_state_dict(fitting, strict=False)
