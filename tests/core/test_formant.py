"""Formant shift: resonances move by as much as is asked, pitch stays, blocks do not matter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.audio import load_mono
from core.config import AudioConfig, F0Config, MelConfig, StreamConfig, VoiceParams
from core.errors import ConfigError
from core.f0 import f0_estimator
from core.formant import SEMITONES_A_SECOND, FormantGlide, FormantWarp
from core.mel import LogMel
from core.pipeline import convert
from core.streaming.converter import StreamingConverter
from core.voice import VoiceModel, find_voice
from tests.command_line import DEMO, RATE
from tests.toy import BLOCKS, TOY, cut, speechlike, toy_voice

HOP = TOY.audio.hop_length
Wave = NDArray[np.float32]


def test_a_tone_in_mel_moves_by_the_factor() -> None:
    audio, mel = AudioConfig(), MelConfig()
    time = np.arange(RATE // 2) / RATE
    waves = {hz: np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (1000.0, 1189.2)}
    low, high = (LogMel(audio, mel)(torch.from_numpy(w)[None])[..., 5:25] for w in waves.values())
    moved = FormantWarp(audio, mel)(low, torch.full((1, 20), 3.0, dtype=torch.float64))
    assert torch.equal(moved.argmax(1), high.argmax(1))
    still = FormantWarp(audio, mel)(low, torch.zeros(1, 20, dtype=torch.float64))
    torch.testing.assert_close(still, low, atol=1e-4, rtol=0)


@pytest.mark.parametrize("blocks", BLOCKS)
def test_it_glides_whatever_the_blocks(blocks: str) -> None:
    glide = FormantGlide(frame_rate=100.0)
    assert glide(0.0, 5) is None
    parts = [glide(4.0, size) for size in cut(40, BLOCKS[blocks])]
    made = torch.cat([part for part in parts if part is not None], -1)[0]
    wanted = (torch.arange(1, 41) * SEMITONES_A_SECOND / 100).clamp(max=4.0).double()
    torch.testing.assert_close(made, wanted)
    glide.reset()
    first = glide(4.0, 1)
    assert first is not None
    assert first.item() == 4.0


@pytest.mark.parametrize("blocks", BLOCKS)
def test_plumbing_error(blocks: str) -> None:
    wave, voice = speechlike(88 * HOP), toy_voice()
    stream = StreamConfig(block_frames=BLOCKS[blocks][0])
    converter = StreamingConverter(voice, stream, VoiceParams(formant=2.5))
    sizes = cut(88, BLOCKS[blocks])
    starts = np.concatenate([[0], np.cumsum(sizes)]) * HOP
    parts = [converter.push(wave[a:b]) for a, b in pairwise(starts)]
    streamed = np.concatenate([*parts, converter.flush()])[converter.latency :]
    offline = convert(voice, wave, converter.params, converter.plan)
    assert np.abs(streamed - offline).max() < 1e-5 * np.abs(offline).max()
    assert np.abs(offline - convert(voice, wave, VoiceParams(), converter.plan)).max() > 0.01


def test_beyond_an_octave_is_refused() -> None:
    with pytest.raises(ConfigError, match="formant must lie within"):
        VoiceParams(formant=13)


def envelope(wave: Wave, hz: NDArray[np.float64], pitches: Wave) -> NDArray[np.float64]:
    """The mean log spectrum of voiced frames without its harmonics (cepstrum below 1.5 ms)."""
    size, hop = 2048, 512
    window, kept = np.hanning(size), []
    for i in np.flatnonzero(pitches > 0):
        frame = wave[i * hop : i * hop + size]
        if len(frame) == size:
            log = np.log(np.abs(np.fft.rfft(frame * window)) + 1e-5)
            cepstrum = np.fft.irfft(log)
            cut_at = round(0.0015 * RATE)
            cepstrum[cut_at:-cut_at] = 0
            kept.append(np.fft.rfft(cepstrum).real)
    mean = np.mean(kept, 0)
    return np.interp(hz, np.arange(len(mean)) * RATE / size, mean)


def measured_shift(plain: Wave, moved: Wave, pitch: Wave) -> float:
    """Semitones along a log axis by which the one's envelope fits the other's best."""
    grid = 300 * 2 ** (np.arange(0, 12 * 3.5, 0.1) / 12)  # to 3.4 kHz
    before, after = (envelope(w, grid, pitch) for w in (plain, moved))
    lags = range(-100, 101)

    def fit(lag: int) -> float:
        n = len(grid) - abs(lag)
        a, b = (before[:n], after[-n:]) if lag >= 0 else (before[-n:], after[:n])
        return float(np.corrcoef(a, b)[0, 1])

    return max(lags, key=fit) / 10


@pytest.mark.parametrize("semitones", [-3.0, 3.0])
def test_the_embedded_voices_formants_move_and_its_pitch_stays(semitones: float) -> None:
    voice = VoiceModel.load(find_voice("embedded"))
    speech = load_mono(DEMO, RATE)[0][: 4 * RATE]
    plain = convert(voice, speech, VoiceParams())
    moved = convert(voice, speech, VoiceParams(formant=semitones))
    estimator = f0_estimator(AudioConfig(), F0Config())
    heard = [np.where(voiced, f0, 0) for f0, voiced in map(estimator, (plain, moved))]
    both = np.logical_and(*(f0 > 0 for f0 in heard))
    assert both.mean() > 0.2
    cents = 1200 * np.abs(np.log2(heard[1][both] / heard[0][both]))
    assert np.median(cents) < 10
    assert measured_shift(plain, moved, np.where(both, heard[0], 0)) == pytest.approx(
        semitones, abs=1.0
    )
