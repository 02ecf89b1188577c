"""StreamingNsf: blocks equal the whole, late by what is declared, without a seam."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from core.vocoder import nsf_stream
from core.vocoder.nsf_hifigan import NsfHifiGan
from core.vocoder.nsf_stream import NsfState, StreamingNsf
from tests.core.diffusion.test_replay import Recorder
from tests.core.vocoder.test_nsf_hifigan import small, sung
from tests.toy import BLOCKS, cut

FRAMES = 44
KINDS: dict[str, dict[str, Any]] = {
    "nine sines": {},
    "resblock 2": {"resblock": "2"},
    "wide": {"upsample_kernel_sizes": [4, 16, 2]},
    "mini": {"mini_nsf": True},
    "no source": {"use_pitch_embed": False},
}


def streamed(vocoder: StreamingNsf, mel: Tensor, f0: Tensor, blocks: list[int]) -> Tensor:
    """Everything the stream says, its latency taken off."""
    parts: list[Tensor] = []
    state: NsfState | None = None
    at = 0
    for size in blocks:
        wave, state = vocoder(mel[..., at : at + size], f0[:, at : at + size], state=state)
        assert wave.shape == (len(mel), size * vocoder.vocoder.hop_length)
        parts.append(wave)
        at += size
    assert state is not None
    return torch.cat([*parts, vocoder.finish(state)], 1)[:, vocoder.latency :]


def whole(vocoder: StreamingNsf, mel: Tensor, f0: Tensor) -> Tensor:
    model: NsfHifiGan = vocoder.vocoder
    noise = None
    if vocoder.tape is not None:
        tape = vocoder.tape.frames(0, mel.shape[2]).transpose(1, 2)
        noise = tape.reshape(1, -1, vocoder.partials).expand(len(mel), -1, -1)
    return model(mel, f0, noise=noise)


@torch.inference_mode()
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_equal_the_whole(kind: str, blocks: str) -> None:
    vocoder = StreamingNsf(small(**KINDS[kind]))
    mel, f0 = sung(FRAMES, batch=2)
    wanted = whole(vocoder, mel, f0)
    got = streamed(vocoder, mel, f0, cut(FRAMES, BLOCKS[blocks]))
    assert got.shape == wanted.shape
    assert float((got - wanted).abs().max() / wanted.abs().max()) < 1e-5


@torch.inference_mode()
def test_a_long_block_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes through in parts, each of them shorter than the latency or not."""
    vocoder = StreamingNsf(small())
    mel, f0 = sung(FRAMES, batch=2)
    for part in (1, 5, 13):
        monkeypatch.setattr(nsf_stream, "_PART", part)
        got = streamed(vocoder, mel, f0, [FRAMES - 1, 1])
        wanted = whole(vocoder, mel, f0)
        assert float((got - wanted).abs().max() / wanted.abs().max()) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_lanes_equal_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of several threads takes a stretch; what follows goes on from the last of them."""
    vocoder = StreamingNsf(small(**KINDS[kind]))
    frames = 8 * vocoder.vocoder.receptive_frames
    mel, f0 = sung(frames + 20, batch=2)
    monkeypatch.setattr(nsf_stream, "_LANE", frames // 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    got = streamed(vocoder, mel, f0, [10, frames, 10])
    wanted = whole(vocoder, mel, f0)
    assert got.shape == wanted.shape
    assert float((got - wanted).abs().max() / wanted.abs().max()) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_streams_shorter_than_the_latency(kind: str, frames: int) -> None:
    vocoder = StreamingNsf(small(**KINDS[kind]))
    mel, f0 = sung(frames)
    wave, state = vocoder(mel, f0)
    said = torch.cat([wave, vocoder.finish(state)], 1)
    wanted = whole(vocoder, mel, f0)
    torch.testing.assert_close(said[:, -wanted.shape[1] :], wanted, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_the_wave_is_as_late_as_declared(kind: str) -> None:
    """The first sample said is the first of the whole; one sample more could not be said yet."""
    vocoder = StreamingNsf(small(**KINDS[kind]), seed=None)
    mel, f0 = sung(FRAMES)
    wave, _ = vocoder(mel, f0)
    late = vocoder.latency
    assert late < (vocoder.vocoder.receptive_frames + 1) * vocoder.vocoder.hop_length
    assert (wave[:, :late] == 0).all()
    wanted = vocoder.vocoder(mel, f0)[:, : wave.shape[1] - late]
    torch.testing.assert_close(wave[:, late:], wanted, rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_no_noise_and_the_same_again() -> None:
    vocoder = StreamingNsf(small(), seed=None)
    mel, f0 = sung(FRAMES)
    again = streamed(vocoder, mel, f0, [FRAMES])
    assert torch.equal(again, streamed(vocoder, mel, f0, [FRAMES]))
    torch.testing.assert_close(again, vocoder.vocoder(mel, f0), rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_unvoiced_frames_may_keep_their_f0() -> None:
    vocoder = StreamingNsf(small())
    mel, f0 = sung(FRAMES)
    voiced = f0 > 0
    held = torch.where(voiced, f0, 200.0)
    torch.testing.assert_close(vocoder(mel, held, voiced)[0], vocoder(mel, f0)[0])


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_stream_says_the_same(kind: str) -> None:
    """Two streams in turn, of blocks that are mostly of one length."""
    record = Recorder()
    vocoder = StreamingNsf(small(**KINDS[kind]), record=record)
    plain = StreamingNsf(vocoder.vocoder)
    sounds = [sung(FRAMES, batch=2), [part.flip(-1) for part in sung(FRAMES, batch=2)]]
    states: list[NsfState | None] = [None, None]
    said: list[list[Tensor]] = [[], []]
    at = 0
    for size in [4, 4, 4, 4, 4, 4, 3, 1, 4, 4, 4, 4]:
        for i, (mel, f0) in enumerate(sounds):
            told = mel[..., at : at + size], f0[:, at : at + size]
            wave, states[i] = vocoder(*told, state=states[i])
            said[i].append(wave)
        at += size
    assert record.replayed >= 6
    for (mel, f0), parts, state in zip(sounds, said, states, strict=True):
        assert state is not None
        got = torch.cat([*parts, vocoder.finish(state)], 1)[:, vocoder.latency :]
        wanted = streamed(plain, mel, f0, [FRAMES])
        assert float((got - wanted).abs().max() / wanted.abs().max()) < 1e-5


@pytest.mark.gpu
@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_a_card_replays_the_stream(kind: str) -> None:
    """Its convolutions may round to TF32."""
    model = small(**KINDS[kind])
    mel, f0 = sung(FRAMES)
    wanted = streamed(StreamingNsf(model), mel, f0, [FRAMES])
    vocoder = StreamingNsf(model.to("cuda"))
    got = streamed(vocoder, mel, f0, [4] * (FRAMES // 4))
    assert any(recording.replay for recording in vocoder._replayed._recordings.values())
    assert float((got - wanted).abs().max() / wanted.abs().max()) < 1e-2
