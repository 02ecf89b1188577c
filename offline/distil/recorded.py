"""A training step that a card records once and replays: small layers are lost in launches else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_UNRECORDED = 3  # first steps, in which libraries and the optimiser make their memory


class Recorded:
    """A step without inputs, on a card a CUDA graph. It must wait for no value and let go of its
    gradients' history: what it returns is detached."""

    def __init__(self, step: Callable[[], Tensor], device: torch.device) -> None:
        self._step, self._card = step, device.type == "cuda"
        self._steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._made = torch.empty(0)

    def __call__(self) -> Tensor:
        """Takes the step; its figures, in memory that the next one overwrites."""
        if not self._card:
            return self._step()
        self._steps += 1
        if self._steps <= _UNRECORDED:
            return self._beside()
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._made = self._step()
            self._graph = graph
        self._graph.replay()
        return self._made

    def _beside(self) -> Tensor:
        """On a stream of its own, as what records wants it."""
        here, stream = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            made = self._step()
        here.wait_stream(stream)
        return made


class Descent:
    """AdamW with a clipped gradient, whose rate can change and whose bad steps are left out without
    anybody waiting for a value."""

    def __init__(
        self,
        weights: list[nn.Parameter],
        decay: float,
        device: torch.device,
        betas: tuple[float, float] = (0.9, 0.98),
    ) -> None:
        self._card = card = device.type == "cuda"
        self._weights, self._rate = weights, torch.zeros((), device=device)
        self._adam = torch.optim.AdamW(
            weights,
            self._rate if card else 0.0,
            betas=betas,
            weight_decay=decay,
            fused=card,
            capturable=card,
        )
        self._broken = torch.zeros((), device=device)
        if card:
            self._adam.found_inf = self._broken  # type: ignore[attr-defined]

    @property
    def rate(self) -> float:
        """The learning rate of the next steps."""
        return float(self._adam.param_groups[0]["lr"])

    @rate.setter
    def rate(self, rate: float) -> None:
        if isinstance(self._adam.param_groups[0]["lr"], Tensor):
            self._rate.fill_(rate)
        else:
            self._adam.param_groups[0]["lr"] = rate

    def begin(self) -> None:
        """Forgets the gradients of the last step."""
        self._adam.zero_grad(set_to_none=True)

    def step(self, loss: Tensor, most: float = 2.0) -> None:
        """Down this loss; most: norm of the gradient."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.down(most)

    def down(self, most: float) -> Tensor:
        """Down the gradients there are, which several descents may have of one loss; their norm."""
        norm = nn.utils.clip_grad_norm_(self._weights, most)
        if self._card:
            self._broken.copy_((~norm.isfinite()).float())
            self._adam.step()
        elif norm.isfinite():
            self._adam.step()
        return norm


class Average:
    """Weights averaged over steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay, self._steps = module, decay, 0
        self.weights = {key: value.detach().clone() for key, value in self._now().items()}

    def follow(self) -> None:
        """A little towards the present ones; faster in the first steps."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        now = self._now()
        torch._foreach_lerp_([*self.weights.values()], [now[k] for k in self.weights], 1 - decay)

    def _now(self) -> dict[str, Tensor]:
        state = self._module.state_dict()
        return {key: value for key, value in state.items() if value.is_floating_point()}
