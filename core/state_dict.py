"""Foreign state dicts: prefixes off, weight norm folded, every key and shape checked by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import VoiceFileError

Weights = dict[str, Tensor]

_PAIRS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def weights_under(state: Mapping[str, Any], *nests: str, prefixes: Iterable[str] = ()) -> Weights:
    """The tensors of a file, in fp32: unwrapped from the nests it has, leading prefixes dropped.

    A prefix is dropped where any key has it, and keys without it are then left out.
    """
    for nest in nests:
        if isinstance(state.get(nest), Mapping):
            state = state[nest]
    weights = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    for prefix in prefixes:
        if any(key.startswith(prefix) for key in weights):
            weights = {
                key.removeprefix(prefix): value
                for key, value in weights.items()
                if key.startswith(prefix)
            }
    return {key: v.float() if v.is_floating_point() else v for key, v in weights.items()}


def fold_weight_norm(weights: Weights) -> Weights:
    """`weight_g` and `weight_v` (or torch's newer names for them) become `weight`; others stay.

    w = g v / |v|, the norm over the dimensions in which g has size 1 (Salimans & Kingma 2016).
    """
    folded = dict(weights)
    for end_g, end_v in _PAIRS:
        for key_v in [key for key in weights if key.endswith(end_v)]:
            name = key_v.removesuffix(end_v)
            g = expect(weights, name + end_g)
            v = folded.pop(key_v)
            del folded[name + end_g]
            if v.ndim != g.ndim or any(a not in (1, b) for a, b in zip(g.shape, v.shape)):  # noqa: B905
                raise _misfit(name + end_g, [1] * v.ndim, g.shape)
            over = [i for i, size in enumerate(g.shape) if size == 1]
            norm = torch.linalg.vector_norm(v, dim=over, keepdim=True)
            folded[name + ".weight"] = v * (g / norm)
    return folded


def expect(weights: Mapping[str, Tensor], key: str, *shape: int | None) -> Tensor:
    """The tensor of that key; missing, or of another shape (None: any size), is an error."""
    if key not in weights:
        near = ", ".join(sorted(weights)[:3]) or "nothing"
        raise VoiceFileError(
            f'the weights lack "{key}"; the file holds {near}, ...: it is of another kind of model'
        )
    found = weights[key].shape
    fits = len(found) == len(shape) and all(
        want in (None, size) for want, size in zip(shape, found, strict=True)
    )
    if shape and not fits:
        raise _misfit(key, shape, found)
    return weights[key]


def count(weights: Mapping[str, Tensor], form: str) -> int:
    """How many numbered keys there are, up to the first gap: form is like `layers.{}.weight`."""
    n = 0
    while form.format(n) in weights:
        n += 1
    return n


def load_weights(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    kind: str,
    file_key: Callable[[str], str] = str,
) -> None:
    """Fills the module and sets it to eval. Keys it does not know are left aside.

    file_key: the module's name of a weight -> the file's. Raises VoiceFileError for a missing key,
    another shape, a value that is not finite.
    """
    found: dict[str, Tensor] = {}
    for key, own in module.state_dict().items():
        name = file_key(key)
        try:
            found[key] = expect(weights, name, *own.shape)
        except VoiceFileError as error:
            raise VoiceFileError(f"{kind}: {error}") from None
        if not bool(found[key].isfinite().all()):
            raise VoiceFileError(
                f'{kind}: "{name}" holds values that are not finite; the file is damaged, '
                "get it again or take an earlier checkpoint"
            )
    module.load_state_dict(found)
    module.eval().requires_grad_(False)


def _misfit(key: str, expected: Iterable[int | None], found: Iterable[int]) -> VoiceFileError:
    want = ", ".join("any" if size is None else str(size) for size in expected)
    return VoiceFileError(
        f'"{key}" should have the shape ({want}) but has ({", ".join(map(str, found))}); '
        "the file does not belong to these settings"
    )
