"""The tape: the same frame, the same noise."""

from __future__ import annotations

import pytest
import torch

from core.diffusion.noise import CACHED_CHUNKS, CHUNK_FRAMES, NoiseTape

SPAN = (CACHED_CHUNKS + 3) * CHUNK_FRAMES  # longer than the cache


@pytest.mark.parametrize("size", [1, 2, 5, CHUNK_FRAMES, 37, 100])
def test_chunking_does_not_matter(size: int) -> None:
    whole = NoiseTape(3, 7).frames(0, SPAN)
    tape = NoiseTape(3, 7)
    parts = [tape.frames(i, min(size, SPAN - i)) for i in range(0, SPAN, size)]
    assert torch.equal(torch.cat(parts, -1), whole)


def test_frames_can_be_read_in_any_order() -> None:
    tape = NoiseTape(3, 7)
    whole = tape.frames(0, SPAN)
    for start, n in [(SPAN - 5, 5), (0, 3), (100, 60), (15, 2), (0, 0)]:
        assert torch.equal(tape.frames(start, n), whole[..., start : start + n])


def test_a_far_frame_is_as_cheap_as_the_first() -> None:
    far = 10**12 + 3
    assert torch.equal(
        NoiseTape(0, 4).frames(far, 20)[..., 7:], NoiseTape(0, 4).frames(far + 7, 13)
    )


@pytest.mark.parametrize("channels", [1, 3, 128])
def test_shape_and_type(channels: int) -> None:
    frames = NoiseTape(0, channels).frames(5, 9)
    assert frames.shape == (1, channels, 9)
    assert frames.dtype == torch.float32


def test_writing_to_the_result_leaves_the_tape_alone() -> None:
    tape = NoiseTape(0, 4)
    before = tape.frames(0, 8).clone()
    tape.frames(0, 8).zero_()
    assert torch.equal(tape.frames(0, 8), before)


def test_what_is_prepared_is_found_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, tape = NoiseTape(0, 4).frames(5, SPAN), NoiseTape(0, 4)
    tape.prepare(5, SPAN)
    tape.prepare(5, 20)
    assert torch.equal(tape.frames(5, SPAN), wanted)
    tape.prepare(SPAN, 20)
    monkeypatch.delattr(NoiseTape, "_make_chunk")
    tape.frames(SPAN, 20)


def test_values_are_pinned() -> None:
    """A changed tape changes every rendering: let it not happen unnoticed."""
    values = NoiseTape(0, 2).frames(0, 2)[0]
    expected = torch.tensor([[-0.02802121, 0.46215025], [0.35751501, -1.16485238]])
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


def test_standard_normal() -> None:
    noise = NoiseTape(1, 128).frames(0, 4096).double().flatten()
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.01)
    assert float((noise**4).mean()) == pytest.approx(3.0, abs=0.05)
    assert float((noise.abs() < 1.0).double().mean()) == pytest.approx(0.6827, abs=0.003)


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).mean() / (a.std() * b.std()))


def test_neighbours_are_independent() -> None:
    noise = NoiseTape(1, 128).frames(0, 4096)[0]
    assert abs(correlation(noise[:, 1:], noise[:, :-1])) < 0.01
    assert abs(correlation(noise[1:], noise[:-1])) < 0.01
    assert abs(correlation(noise[:, CHUNK_FRAMES:], noise[:, :-CHUNK_FRAMES])) < 0.01


@pytest.mark.parametrize("other", [NoiseTape(2, 64), NoiseTape(-1, 64), NoiseTape(1, 64, stream=1)])
def test_other_seeds_and_streams_are_other_tapes(other: NoiseTape) -> None:
    noise = NoiseTape(1, 64).frames(0, 2048)
    assert abs(correlation(noise, other.frames(0, 2048))) < 0.01


@pytest.mark.parametrize(("start", "n"), [(-1, 4), (0, -1)])
def test_there_is_nothing_before_frame_0(start: int, n: int) -> None:
    with pytest.raises(ValueError, match="starts at frame 0"):
        NoiseTape(0, 4).frames(start, n)
