"""Half precision by name: which of them a processor or a card multiplies faster in."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.errors import unknown_name

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
AUTO = "auto"


def to_try(wanted: str, device: torch.device) -> Sequence[str]:
    """Names of PRECISIONS in the order to try them; auto: those that gain on the device.

    Unknown: a ConfigError.
    """
    if wanted == AUTO:
        return faster_on(device)
    if wanted not in PRECISIONS:
        raise unknown_name("precision", wanted, [AUTO, *PRECISIONS])
    return () if PRECISIONS[wanted] == torch.float32 else (wanted,)


def faster_on(device: torch.device) -> tuple[str, ...]:
    """Precisions in which a device multiplies faster than in fp32, the nearest to it first."""
    if device.type == "cuda":
        return ("fp16", "bf16")
    known: dict[str, object] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # newer versions of torch have it
    gains = device.type == "cpu" and (known.get("avx512_bf16") or known.get("amx_bf16"))
    return ("bf16",) if gains else ()
