"""PitchExtractor against the f0 that the original read off a mel."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import ConfigError, VoiceFileError
from core.f0.pitch_extractor import PitchExtractor
from core.imports.plain_yaml import read_yaml
from tests.reference import arrays, cases_with, checkpoint, error, golden, tensor

CASES = cases_with("hifigan24k/config.yaml")


def state_of(case: str) -> Any:
    (file,) = golden(case).glob("pe_*.ckpt")
    return checkpoint(f"{case}/{file.name}")


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_f0_of_the_original(case: str) -> None:
    first = next(name for name in arrays(case) if name.startswith("mel_plms_"))
    use_uv = read_yaml((golden(case) / "config.yaml").read_text(), case)["use_uv"]
    f0 = PitchExtractor.from_state_dict(state_of(case))(tensor(case, first)[None], use_uv)[0]
    assert error(f0, tensor(case, "pe_f0")) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_padded_frames_have_no_pitch(case: str) -> None:
    extractor = PitchExtractor.from_state_dict(state_of(case)["state_dict"])
    mel = tensor(case, "mel")[None].clone()
    mel[:, -7:] = 0.0
    f0 = extractor(mel)[0]
    assert (f0[-7:] == 0).all()
    assert (f0[:-7] > 0).all()


@pytest.mark.parametrize("case", CASES)
def test_refusals(case: str) -> None:
    state = state_of(case)["state_dict"]
    with pytest.raises(ConfigError, match=r"mel \(B, T, 80\), got \(1, 9, 40\)"):
        PitchExtractor.from_state_dict(state)(torch.zeros(1, 9, 40))
    with pytest.raises(VoiceFileError, match=r"mel_prenet.layers.0.0.weight.*another kind"):
        PitchExtractor.from_state_dict({"generator": {}, "a": torch.zeros(1)})
    cut = {key: value for key, value in state.items() if "linear" not in key}
    with pytest.raises(VoiceFileError, match=r"pitch extractor: .*pitch_predictor.linear.weight"):
        PitchExtractor.from_state_dict(cut)
