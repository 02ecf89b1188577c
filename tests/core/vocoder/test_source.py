"""PulseTrain: right pitch and power, no aliasing, silent when unvoiced, exact across blocks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from core.vocoder.source import PulseTrain
from tests.toy import BLOCKS, cut, toy_conditions

RATE, HOP, FRAMES = 44_100, 512, 44
SOURCE = PulseTrain(RATE, HOP)


def steady(hz: float, frames: int = FRAMES) -> Tensor:
    """Pulses of a constant pitch, from the second frame on."""
    f0 = torch.full((1, frames + 1), hz)
    return SOURCE(f0, torch.ones(1, frames + 1, dtype=torch.bool))[0][0, HOP:]


@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_equal_the_whole(blocks: str) -> None:
    conditions = toy_conditions(FRAMES, batch=2)
    whole, _ = SOURCE(conditions.f0, conditions.voiced)
    state, parts, sizes = None, [], cut(FRAMES, BLOCKS[blocks])
    f0s, voiceds = conditions.f0.split(sizes, 1), conditions.voiced.split(sizes, 1)
    for f0, voiced in zip(f0s, voiceds, strict=True):
        pulses, state = SOURCE(f0, voiced, state)
        parts.append(pulses)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-6, atol=1e-5)


def test_causal() -> None:
    conditions = toy_conditions(FRAMES)
    whole, _ = SOURCE(conditions.f0, conditions.voiced)
    short, _ = SOURCE(conditions.f0[:, :17], conditions.voiced[:, :17])
    torch.testing.assert_close(short, whole[:, : 17 * HOP])


def test_the_phase_does_not_drift_over_an_hour() -> None:
    """float64 modulo 1: after 3 600 s the pulses still stand where whole periods put them."""
    f0, voiced = torch.full((1, 8), 441.0), torch.ones(1, 8, dtype=torch.bool)
    _, state = SOURCE(f0, voiced)
    state.phase = torch.remainder(state.phase + 441.0 * 3600.0, 1.0)
    late, _ = SOURCE(f0, voiced, state)
    torch.testing.assert_close(
        late, SOURCE(f0, voiced, SOURCE(f0, voiced)[1])[0], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("hz", [70.0, 110.25, 220.5, 441.0, 1000.0])
def test_a_pulse_every_period(hz: float) -> None:
    pulses = steady(hz)
    near_top = pulses > 0.45 * pulses.max()  # 0.64 where a peak falls between two samples
    starts = (near_top[1:] & ~near_top[:-1]).nonzero()[:, 0]
    gaps = starts.diff().double()
    assert float(gaps.mean()) == pytest.approx(RATE / hz, rel=2e-3)
    assert float((gaps - RATE / hz).abs().max()) <= 1.5


@pytest.mark.parametrize("hz", [70.0, 110.25, 220.5, 441.0, 1000.0, 9000.0])
def test_unit_power(hz: float) -> None:
    assert float(steady(hz).square().mean()) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("hz", [101.0, 333.0, 1234.5])
def test_harmonics_and_nothing_else(hz: float) -> None:
    """All harmonics equally strong up to Nyquist; what would fold back lies between them."""
    pulses = steady(hz, 128).double()
    window = torch.signal.windows.blackman(len(pulses), sym=False, dtype=torch.float64)
    power = torch.fft.rfft(pulses * window).abs().square()
    axis = torch.arange(len(power)) * RATE / len(pulses)
    width = 10 * RATE / len(pulses)  # past the window's own skirts
    near = (torch.remainder(axis + hz / 2, hz) - hz / 2).abs() < width
    near &= axis > hz / 2
    assert float(power[~near].sum() / power.sum()) < 1e-6
    count = int(RATE / 2 / hz)
    peaks = [float(power[(axis - k * hz).abs() < width].max()) for k in range(1, count)]
    assert 10 * math.log10(max(peaks) / min(peaks)) < 1.5


def test_a_glide_is_on_time() -> None:
    """Two octaves a second up: as many turns as the pitch that was in the frames' middles makes."""
    middles = (torch.arange(FRAMES) + 0.5) * HOP / RATE
    f0 = 200.0 * 4.0 ** middles[None]
    _, state = SOURCE(f0, torch.ones_like(f0, dtype=torch.bool))
    ideal = 200.0 / math.log(4.0) * (4.0 ** (FRAMES * HOP / RATE) - 1)
    off = math.remainder(float(state.phase) - ideal, 1.0)
    assert abs(off) < 0.05  # half a frame late it is 1.2 turns, so 0.2 here


def test_a_leap_is_not_carried_on() -> None:
    """From one frame to the next an octave, and a voice that begins anew: no pitch past them."""
    f0 = torch.tensor([[100.0, 200.0, 200.0, 100.0, 100.0]])
    voiced = torch.tensor([[True, True, True, False, True]])
    ends = [float(SOURCE(f0[:, :n], voiced[:, :n])[1].end) for n in range(1, 6)]
    assert ends == pytest.approx([100.0, 200.0 * 1.06**0.5, 200.0, 100.0, 100.0])


def test_silent_when_unvoiced_and_faded_within_a_frame() -> None:
    voiced = torch.zeros(1, 12, dtype=torch.bool)
    voiced[:, 4:7] = True
    pulses, _ = SOURCE(torch.full((1, 12), 200.0), voiced)
    by_frame = pulses.view(12, HOP).abs().amax(1)
    assert by_frame[:4].max() == 0
    assert by_frame[4:7].min() > 1
    assert by_frame[8:].max() == 0
