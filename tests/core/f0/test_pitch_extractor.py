"""PitchExtractor against the f0 that the original read off a mel."""

from __future__ import annotations

import pytest
import torch

from core.errors import ConfigError, VoiceFileError
from core.f0.pitch_extractor import PitchExtractor
from tests.reference import arrays, checkpoint, error, tensor

CASE = "svc24k_fs2"
FILE = f"{CASE}/pe_model_ckpt_steps_60000.ckpt"


@torch.inference_mode()
def test_f0_of_the_original() -> None:
    first = next(name for name in arrays(CASE) if name.startswith("mel_plms_"))
    extractor = PitchExtractor.from_state_dict(checkpoint(FILE))
    f0 = extractor(tensor(CASE, first)[None], use_uv=True)[0]
    assert error(f0, tensor(CASE, "pe_f0")) < 1e-5


@torch.inference_mode()
def test_padded_frames_have_no_pitch() -> None:
    extractor = PitchExtractor.from_state_dict(checkpoint(FILE)["state_dict"])
    mel = tensor(CASE, "mel")[None].clone()
    mel[:, -7:] = 0.0
    f0 = extractor(mel)[0]
    assert (f0[-7:] == 0).all()
    assert (f0[:-7] > 0).all()


def test_refusals() -> None:
    state = checkpoint(FILE)["state_dict"]
    with pytest.raises(ConfigError, match=r"mel \(B, T, 80\), got \(1, 9, 40\)"):
        PitchExtractor.from_state_dict(state)(torch.zeros(1, 9, 40))
    with pytest.raises(VoiceFileError, match=r"mel_prenet.layers.0.0.weight.*another kind"):
        PitchExtractor.from_state_dict({"generator": {}, "a": torch.zeros(1)})
    cut = {key: value for key, value in state.items() if "linear" not in key}
    with pytest.raises(VoiceFileError, match=r"pitch extractor: .*pitch_predictor.linear.weight"):
        PitchExtractor.from_state_dict(cut)
