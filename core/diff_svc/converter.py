"""ForeignConverter: an imported voice as a BlockProcessor, on windows, without a seam.

Units come from a sliding window, f0 and levels once a frame. The diffusion hears the block and the
lookahead and keeps what it needs of the past; the vocoder carries its state. What comes out is what
`convert_windowed` makes of the whole with the same windows, late by `latency`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import AudioConfig, StreamConfig, VoiceParams
from core.diff_svc.config import FAST_SAMPLER
from core.diff_svc.convert import Keyed
from core.diff_svc.diffusion_svc_voice import DiffusionSvcVoice
from core.diff_svc.foreign import EmbeddedVocoder, ForeignVoice, sounding
from core.diff_svc.live import PAST_FRAMES, Listener, Told, check_live, live_stream
from core.diff_svc.voice import DiffSvcVoice
from core.diff_svc.walk import LOG_METHODS, walk
from core.diffusion.diffnet_stream import DiffNetStream
from core.diffusion.noise import NoiseTape
from core.diffusion.replay import Record, Replayed, recorder
from core.errors import ConfigError
from core.features import brightness, loudness
from core.gate import Gate
from core.pipeline import LOUDEST_MEL
from core.streaming.plan import StreamPlan
from core.vocoder import Vocoder
from core.vocoder.nsf_hifigan import NsfHifiGan
from core.vocoder.nsf_stream import StreamingNsf

Wave = NDArray[np.float32]
LiveVoices = DiffSvcVoice | DiffusionSvcVoice


def foreign_plan(voice: LiveVoices, stream: StreamConfig) -> StreamPlan:
    """The lengths and the latency of a live run of an imported voice."""
    form = voice.config.mel
    audio = AudioConfig(form.sample_rate, form.hop_length)
    lookahead = stream.lookahead_frames
    if lookahead is None:
        lookahead = live_stream(form).lookahead_frames or 0
    late = _vocoder(voice, stream.seed).latency
    return StreamPlan(audio, stream, lookahead * form.hop_length, vocoder_latency=late)


class MelStream:
    """Windows in, the mel of their committed frames out."""

    def __init__(
        self, voice: LiveVoices, stream: StreamConfig, record: Record | None = None
    ) -> None:
        """record: of the diffusion, see `Replayed`; None is what suits its device."""
        self.voice, self.seed = voice, stream.seed
        self.sampler = stream.sampler or FAST_SAMPLER
        self._net = DiffNetStream(voice.diffusion.denoise_fn)
        own = max(voice.config.k_step // voice.config.speedup, 1)
        self._steps = stream.steps or (own if stream.sampler else voice.config.live)
        record = record or recorder(voice.diffusion.device)
        still = (FAST_SAMPLER, *LOG_METHODS)  # the others may draw fresh noise
        self._walk = Replayed(record if self.sampler in still else None)
        self._noise = NoiseTape(stream.seed, voice.config.mel.n_mels)
        self._window = 0, 0  # the first frame and how many are committed

    @property
    def steps(self) -> int:
        """Strides through the diffusion; may be changed between two windows."""
        return self._steps

    @steps.setter
    def steps(self, steps: int) -> None:
        if steps != self._steps:
            self._steps = steps
            self.reset()

    def reset(self) -> None:
        """Back to the first frame."""
        self._net.forget()
        self._walk.forget()

    def push(self, told: Told) -> Tensor:
        """(1, M, n), the committed frames first and then those of the lookahead; where the
        diffusion computes, which a card may still be at.
        """
        device, n = self.voice.diffusion.device, told.cond.shape[2]
        self._window = told.window.commit_start, told.commit
        noise = self._noise.frames(told.window.commit_start, n)
        key = told.commit, self._net.remembers
        return self._walk(self._walked, told.cond.to(device), noise.to(device), key=key)

    def _walked(self, cond: Tensor, noise: Tensor) -> Tensor:
        diffusion, top = self.voice.diffusion, self.voice.config.k_step
        start, commit = self._window
        speedup = max(min(round(top / self._steps), top - 1), 1)
        fresh = Keyed(self.voice, self.seed, start).fresh(cond.shape[2])
        self._net.begin(cond, commit)
        x = walk(diffusion, self._net, noise, self.sampler, top, speedup, fresh)
        return diffusion.denormalise(x)


class ForeignConverter:
    """block: samples a push. latency: samples the output lags, gathering a block not counted."""

    def __init__(
        self,
        voice: LiveVoices,
        stream: StreamConfig | None = None,
        params: VoiceParams | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """clock: in seconds, of `stage_seconds`."""
        check_live(voice.config)
        self._clock = clock
        self.voice, self.params = voice, params or VoiceParams()
        self.stream = stream or live_stream(voice.config.mel)
        self.plan = foreign_plan(voice, self.stream)
        self.sample_rate = self.plan.audio.sample_rate
        self.block, self.latency = self.plan.block, self.plan.latency
        self.stage_seconds: dict[str, float] = {}
        self._listener = Listener(voice, self.plan)
        self._mels = MelStream(voice, self.stream)
        self._pitch = MelPitch(voice, self.plan.context_frames)
        self._vocoder = _vocoder(voice, self.stream.seed)
        self._gain = LiveGain(voice, self.plan)
        self.reset()

    @property
    def steps(self) -> int:
        """Of the sampler, from the next push on; a session lowers them where time is short."""
        return self._mels.steps

    @steps.setter
    def steps(self, steps: int) -> None:
        self._mels.steps = max(steps, 2)

    @property
    def pitch_shift(self) -> float:
        """Semitones: what is asked for, as the voice's own median is not known."""
        return self.params.pitch_shift or 0.0

    def reset(self) -> None:
        """Back to the start: the next push is the first."""
        for part in (self._listener, self._mels, self._pitch, self._gain):
            part.reset()
        self._vocoder_state: Any = None
        self._heard = np.zeros(0, np.float32)
        self._wet = np.zeros(self.plan.lookahead, np.float32)
        self._dry = np.zeros(self.latency, np.float32)

    def push(self, block: Wave) -> Wave:
        """The next samples, whole blocks of them -> as many, late by `latency`."""
        if block.ndim != 1 or len(block) == 0 or len(block) % self.block:
            raise ConfigError(
                f"block of shape {block.shape} is not a whole number of {self.block}-sample"
                f" blocks; push {self.block} samples"
            )
        parts = [self._push(block[at : at + self.block]) for at in range(0, len(block), self.block)]
        return np.concatenate(parts)

    def _push(self, block: Wave) -> Wave:
        params = self.params
        self._heard = np.concatenate([self._heard, block])
        with torch.inference_mode():
            started = self._clock()
            speaker = speaker_of(self.voice, params)
            told = self._listener.push(block, self.pitch_shift, speaker)
            heard = self._clock()
            if told is not None:
                n = told.commit
                made = self._mels.push(told)
                if isinstance(self._vocoder, StreamingNsf):
                    self._vocoder.prepare(n, self._vocoder_state)
                source, self._heard = np.split(self._heard, [n * self.plan.audio.hop_length])
                gain = self._gain.push(source, told, params)
                mel = made.cpu()
                denoised = self._clock()
                f0 = self._pitch.push(mel, told)
                wave, self._vocoder_state = self._vocoder(
                    vocoder_mel(self.voice, mel[..., :n]),
                    f0,
                    _voiced(self.voice, told)[:, :n],
                    self._vocoder_state,
                )
                self._wet = np.concatenate([self._wet, wave[0].numpy() * gain])
                self.stage_seconds = {
                    "content": heard - started,
                    "denoiser": denoised - heard,
                    "vocoder": self._clock() - denoised,
                }
        self._dry = np.concatenate([self._dry, block])
        wet, self._wet = self._wet[: len(block)], self._wet[len(block) :]
        dry, self._dry = self._dry[: len(block)], self._dry[len(block) :]
        return wet + np.float32(params.dry_mix) * (dry - wet)

    def flush(self) -> Wave:
        """What is still owed, (latency,), as if silence followed; then back to the start."""
        silence = np.zeros(-(-self.latency // self.block) * self.block, np.float32)
        rest = self.push(silence)[: self.latency] if len(silence) else silence
        self.reset()
        return rest


class MelPitch:
    """The f0 that the vocoder hears: what was told, or read off the mel where a voice does so."""

    def __init__(self, voice: ForeignVoice, context_frames: int) -> None:
        self.voice, self.context_frames = voice, context_frames
        self.reset()

    def reset(self) -> None:
        """No mel was made yet."""
        self._past: Tensor | None = None

    def push(self, mel: Tensor, told: Told) -> Tensor:
        """mel (1, M, n) of a window -> f0 in Hz of its committed frames, (1, commit)."""
        n = told.commit
        if self.voice.pitch_extractor is None:
            return told.f0[:, :n]
        past = mel[..., :0] if self._past is None else self._past
        f0 = self.voice.vocoder_f0(torch.cat([past, mel], 2), told.f0)
        kept = torch.cat([past, mel[..., :n]], 2)
        self._past = kept[..., max(kept.shape[2] - self.context_frames, 0) :]
        return f0[:, past.shape[2] : past.shape[2] + n]


class LiveGain:
    """Gate, the voice's own mask and gain, late as the vocoder is."""

    def __init__(self, voice: LiveVoices, plan: StreamPlan) -> None:
        self.voice, self._late, self._hop = voice, plan.vocoder_latency, plan.audio.hop_length
        self._gate = Gate(plan.audio)
        self.reset()

    def reset(self) -> None:
        """Closed."""
        self._gate.reset()
        self._waiting = np.zeros(self._late, np.float32)

    def push(self, source: Wave, told: Told, params: VoiceParams) -> Wave:
        """source: the samples of the committed frames -> a gain for as many of the output."""
        gain = self.gain(source, told, params)
        waiting = np.concatenate([self._waiting, gain])
        self._waiting = waiting[len(gain) :]
        return waiting[: len(gain)]

    def gain(self, source: Wave, told: Told, params: VoiceParams) -> Wave:
        """The same, aligned with its source."""
        heard = torch.from_numpy(source)[None]
        levels = loudness(heard, self._hop), brightness(heard, self._hop)
        gate = torch.ones(len(source))
        if params.gate_db > -math.inf:
            gate = self._gate(levels[0], params.gate_db, levels[1])[0]
        if isinstance(self.voice, DiffusionSvcVoice):
            past = min(told.window.commit_start, PAST_FRAMES) * self._hop
            gate = gate * self.voice.audible(told.level)[0, past : past + len(source)]
        # such a network speaks at a level of its own: a wanted one is a gain
        db = params.gain_db + (params.level_shift or 0.0)
        gained: Wave = gate.numpy() * np.float32(10 ** (db / 20))
        return gained


def convert_windowed(
    voice: LiveVoices,
    wave: Wave,
    params: VoiceParams | None = None,
    stream: StreamConfig | None = None,
) -> Wave:
    """wave (T,) at the voice's rate -> the same length: what a live run of these windows says.

    Every window is heard first; one sequence of mel then goes through the vocoder in one piece.
    """
    if not len(wave):
        raise ConfigError("nothing to convert: the wave has no samples")
    stream, params = stream or live_stream(voice.config.mel), params or VoiceParams()
    check_live(voice.config)
    plan = foreign_plan(voice, stream)
    frames = plan.audio.frames(len(wave) + plan.vocoder_latency)
    blocks = -(-(frames + plan.lookahead_frames) // plan.block_frames)
    heard = np.pad(wave, (0, blocks * plan.block - len(wave))).astype(np.float32)
    speaker, shift = speaker_of(voice, params), params.pitch_shift or 0.0
    with torch.inference_mode():
        listener = Listener(voice, plan)
        pushed = [
            listener.push(heard[at : at + plan.block], shift, speaker)
            for at in range(0, len(heard), plan.block)
        ]
        windows = [told for told in pushed if told is not None]
        mels, gate = MelStream(voice, stream), LiveGain(voice, plan)
        pitch = MelPitch(voice, plan.context_frames)
        made, f0s, gains = [], [], []
        for told in windows:
            mel = mels.push(told).cpu()
            made.append(mel[..., : told.commit])
            f0s.append(pitch.push(mel, told))
            span = slice(
                told.window.commit_start * plan.audio.hop_length,
                told.window.commit_stop * plan.audio.hop_length,
            )
            gains.append(gate.gain(heard[span], told, params))
        voiced = torch.cat([_voiced(voice, told)[:, : told.commit] for told in windows], 1)
        key = Keyed(voice, stream.seed, 0)
        mel, f0 = torch.cat(made, 2), torch.cat(f0s, 1)
        noise = key.source(mel.shape[2])[1]
        wet = voice.speak(mel, f0, voiced, None, noise)[0].numpy()
    wet = (wet * np.concatenate(gains))[: len(wave)]
    mixed: Wave = wet + np.float32(params.dry_mix) * (wave - wet)
    return mixed


def speaker_of(voice: ForeignVoice, params: VoiceParams) -> int:
    """The speaker of the largest weight, from 1; one that the voice does not have is refused."""
    chosen = int(np.argmax(params.speakers)) + 1
    if chosen > voice.config.speakers:
        raise ConfigError(
            f"speaker {chosen} does not exist; voice {voice.config.name} has 1 to"
            f" {voice.config.speakers}"
        )
    return chosen


def vocoder_mel(voice: ForeignVoice, mel: Tensor) -> Tensor:
    """As a streaming vocoder takes it."""
    heard = voice.vocoder_mel(mel)
    return heard.clamp(max=LOUDEST_MEL) if isinstance(voice.vocoder, EmbeddedVocoder) else heard


class _Embedded:
    """The embedded vocoder, which streams as it is."""

    streams_exactly = True

    def __init__(self, vocoder: EmbeddedVocoder) -> None:
        self._vocoder = vocoder.vocoder
        self.latency = self._vocoder.latency

    def __call__(
        self, mel: Tensor, f0: Tensor, voiced: Tensor, state: Any = None
    ) -> tuple[Tensor, Any]:
        made: tuple[Tensor, Any] = self._vocoder(mel, sounding(f0), voiced, state)
        return made


def _vocoder(voice: ForeignVoice, seed: int) -> Vocoder:
    """The voice's vocoder for streams, its noise keyed by the seed."""
    if isinstance(voice.vocoder, EmbeddedVocoder):
        return _Embedded(voice.vocoder)
    if not isinstance(voice.vocoder, NsfHifiGan):
        raise ConfigError(f"voice {voice.config.name} holds no vocoder; import it again")
    return StreamingNsf(voice.vocoder, seed)


def _voiced(voice: ForeignVoice, told: Told) -> Tensor:
    """Where the vocoder is to sound a tone: all but 0 Hz, breath apart where it knows of that."""
    return told.voiced if isinstance(voice.vocoder, EmbeddedVocoder) else told.f0 >= 0
