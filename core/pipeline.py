"""The two verbs both drivers use: synthesise (conditions to wave) and convert (wave to wave)."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.colour import AutoColour
from core.config import StreamConfig, VoiceParams
from core.diffusion.denoiser import StreamingDenoise
from core.diffusion.noise import NoiseTape
from core.diffusion.samplers import evaluations, get_sampler
from core.diffusion.schedules import karras_sigmas
from core.errors import ConfigError
from core.features import Conditions
from core.formant import FormantGlide, FormantWarp
from core.gate import Gate
from core.level import AutoLevel
from core.loudness import AsLoudAsTold
from core.postfilter import Postfilter
from core.shift import AutoShift
from core.speakers import SpeakerRamp
from core.streaming.plan import StreamPlan
from core.vocoder.source_filter import SourceFilterState
from core.voice import VoiceModel

LOUDEST_MEL = 3.5
"""Log mel that no sound within [-1, 1] reaches (a full-scale sine: 3.0). Few steps of a second-
order sampler may shoot far beyond: a loud frame then, not an infinite one."""


class Synthesis:
    """Conditions in, wave out, in order: the part of a conversion that carries state exactly.

    Live it takes a few frames a call, offline all of them: what comes out is the same. Where the
    denoiser looks ahead (`lookahead`, frames), frames leave so many frames after they came.
    """

    def __init__(
        self,
        voice: VoiceModel,
        steps: int | None = None,
        sampler: str | None = None,
        seed: int = 0,
    ) -> None:
        config = voice.config
        self._voice = voice
        self._sample = get_sampler(sampler or config.sampler)
        self.lookahead = denoiser_lookahead(voice, steps, sampler)
        self._denoise = StreamingDenoise(voice.denoiser, self.lookahead)
        self.steps = steps or config.steps
        self._tape = NoiseTape(seed, config.mel.n_mels)
        self._gate = Gate(config.audio)
        self._ramp = SpeakerRamp()
        self._formant = FormantGlide(config.audio.frame_rate)
        self._warp = FormantWarp(config.audio, config.mel)
        medians = [speaker.f0_median for speaker in config.speakers]
        self._auto_shift = AutoShift(medians, config.audio.frame_rate)
        levels_db = [speaker.level_db for speaker in config.speakers]
        self._auto_level = AutoLevel(levels_db, config.audio.frame_rate)
        self._auto_colour = AutoColour(config.speakers, config.mel.n_mels, config.audio.frame_rate)
        shares = [speaker.retrieval_share for speaker in config.speakers]
        self._retrieval_shares = torch.tensor(shares)[:, None]
        self._postfilter = Postfilter(config.speakers, config.mel.n_mels)
        self._as_told = AsLoudAsTold(config.speakers, config.audio.hop_length)
        self.pitch_shift = 0.0
        self.stage_seconds: dict[str, float] = {}
        self._denoised = 0.0
        self.reset()

    @property
    def steps(self) -> int:
        """Of the sampler; may be lowered between two calls, and raised to what it was."""
        return self._steps

    @steps.setter
    def steps(self, steps: int) -> None:
        levels = self._voice.config.denoiser
        self._steps = steps
        self._sigmas = karras_sigmas(steps, levels.sigma_min, levels.sigma_max, levels.rho)
        self._denoise.forget_calls(1)  # the others will be at other noise levels

    def reset(self) -> None:
        """Back to the first frame."""
        self._denoise = StreamingDenoise(self._voice.denoiser, self.lookahead)
        self._late: tuple[Conditions, Tensor] | None = None
        self._late_gain: Tensor | None = None
        self._vocoder_state: SourceFilterState | None = None
        self._gate.reset()
        self._ramp.reset()
        self._formant.reset()
        self._auto_shift.reset()
        self._auto_level.reset()
        self._auto_colour.reset()
        self._as_told.reset()
        self._position = 0

    def __call__(self, conditions: Conditions, params: VoiceParams) -> Tensor:
        """The next frames' conditions, as analysed -> wave (1, frames * hop).

        The wave is late by the vocoder's latency.
        """
        started = time.perf_counter()
        wanted, gain = self.prepare(conditions, params)
        made = self.speak(wanted, self._formant(params.formant, conditions.frames))
        self.stage_seconds["denoiser"] = self._denoised - started
        if self.lookahead:
            gain = gain if self._late_gain is None else torch.cat([self._late_gain, gain], 1)
            self._late_gain = gain[:, made.shape[1] :]
        return made * gain[:, : made.shape[1]]

    def prepare(self, conditions: Conditions, params: VoiceParams) -> tuple[Conditions, Tensor]:
        """The next frames as the denoiser is to be told of them, and the gain (1, frames * hop) of
        what it says.
        """
        weights = torch.tensor(self._voice.config.weights(params.speakers))
        speaker = self._ramp(weights, conditions.frames)
        # both listen even while a fixed shift is wanted: they know the speaker when it is not
        automatic = self._auto_shift(conditions.f0, conditions.voiced, speaker)
        level = self._auto_level(conditions.loudness, conditions.voiced, speaker)
        fixed = params.pitch_shift
        self.pitch_shift = float(automatic[0, -1]) if fixed is None else fixed
        moved = conditions.shifted(automatic if fixed is None else fixed)
        units = self._voice.encoder.clear(conditions.units, params.clarity)
        share = params.retrieval * (self._retrieval_shares * speaker).sum(1, keepdim=True)
        wanted = replace(
            moved.louder(level if params.level_shift is None else params.level_shift),
            speaker=speaker,
            units=self._voice.bank(units, speaker, share),
        )
        gate = self._gate(conditions.loudness, params.gate_db, conditions.brightness)
        return wanted, gate * 10 ** (params.gain_db / 20)

    def speak(self, wanted: Conditions, formant: Tensor | None = None) -> Tensor:
        """The next frames, prepared, of one voice or of several at once -> waves (B, frames * hop).

        formant: semitones (1, T) of all of them, None for 0. The waves are late by the vocoder's
        latency.
        """
        started = time.perf_counter()
        told = wanted if formant is None else wanted.shifted(-formant)
        mel = self._mel(told)
        if self.lookahead:
            wanted, formant = self._as_late(wanted, formant, mel.shape[2])
            told = wanted if formant is None else wanted.shifted(-formant)
        self._denoised = time.perf_counter()
        if not wanted.frames:
            return mel.new_zeros(len(mel), 0)
        tint = self._auto_colour(mel, told) + self._postfilter(mel, told.speaker)
        if formant is not None:
            mel, tint = self._warp(mel, formant), self._warp(tint, formant)
        self._denoised = time.perf_counter()
        made, self._vocoder_state = self._voice.vocoder(
            mel, wanted.f0, wanted.voiced, self._vocoder_state, tint=tint
        )
        wave = self._as_told(made, told, wanted.f0)
        self.stage_seconds = {
            "denoiser": self._denoised - started,
            "vocoder": time.perf_counter() - self._denoised,
        }
        return wave

    def _mel(self, conditions: Conditions) -> Tensor:
        """The log mel of the frames that are ready now, (B, M, frames); all hear the same noise."""
        denoise = self._denoise.begin(conditions)
        noise = self._tape.frames(self._position, denoise.frames)
        self._position += denoise.ready
        if not denoise.ready:
            return noise.new_zeros(len(conditions.f0), noise.shape[1], 0)
        x = self._sample(denoise, denoise.start(noise, self._sigmas[0]), self._sigmas)
        return self._voice.denoiser.denormalise(x[..., : denoise.ready]).clamp(max=LOUDEST_MEL)

    def _as_late(
        self, wanted: Conditions, formant: Tensor | None, ready: int
    ) -> tuple[Conditions, Tensor | None]:
        """What the denoiser was told, `ready` frames of it and as late as its mel."""
        glide = torch.zeros(1, wanted.frames).double() if formant is None else formant
        if self._late is not None:
            before, last = self._late
            wanted, glide = before.then(wanted), torch.cat([last, glide], 1)
        self._late = wanted.slice(ready, wanted.frames), glide[:, ready:]
        formant = glide[:, :ready]
        return wanted.slice(0, ready), formant if formant.any() else None


def denoiser_lookahead(
    voice: VoiceModel, steps: int | None = None, sampler: str | None = None
) -> int:
    """Frames that a denoiser which looks ahead hears beyond a frame, in all calls of a sampler."""
    own = voice.denoiser.network.lookahead
    calls = evaluations(sampler or voice.config.sampler, steps or voice.config.steps) if own else 0
    return own * calls


def plan_for(voice: VoiceModel, stream: StreamConfig) -> StreamPlan:
    """The lengths and the latency of a live run of this voice."""
    lookahead = voice.analyser.lookahead(stream)
    return StreamPlan(
        voice.config.audio,
        stream,
        analysis_lookahead=lookahead.samples,
        vocoder_latency=voice.vocoder.latency,
        streams_exactly=voice.vocoder.streams_exactly,
        denoiser_frames=denoiser_lookahead(voice, stream.steps, stream.sampler),
    )


def synthesise(
    voice: VoiceModel,
    conditions: Conditions,
    params: VoiceParams,
    stream: StreamConfig | None = None,
) -> Tensor:
    """Conditions of a whole signal -> its wave (1, frames * hop), aligned with them."""
    stream = stream or StreamConfig()
    synthesis = Synthesis(voice, stream.steps, stream.sampler, stream.seed)
    last = conditions.slice(conditions.frames - 1, conditions.frames)
    parts = [conditions]
    # frames after the end push out what waits for them; one more, and the overlap is out, too
    parts += [last.silenced()] * (synthesis.lookahead + 1)
    with torch.inference_mode():
        made = torch.cat([synthesis(part, params) for part in parts], 1)
    latency, length = voice.vocoder.latency, conditions.frames * voice.config.audio.hop_length
    return made[:, latency : latency + length]


def convert(
    voice: VoiceModel,
    wave: NDArray[np.float32],
    params: VoiceParams | None = None,
    plan: StreamPlan | None = None,
    stream: StreamConfig | None = None,
) -> NDArray[np.float32]:
    """wave (T,) at the voice's rate -> the same length in the voice, aligned with the input.

    With a plan, what a live run of that plan says, window by window. stream: steps, sampler and
    seed; the plan's own where there is one.
    """
    if not len(wave):
        raise ConfigError("nothing to convert: the wave has no samples")
    params = params or VoiceParams()
    stream = plan.stream if plan is not None else stream or StreamConfig()
    # Live, silence follows the last sample while what waits for later frames comes out: here, too.
    ahead = denoiser_lookahead(voice, stream.steps, stream.sampler) * voice.config.audio.hop_length
    heard = np.pad(wave, (0, voice.vocoder.latency + ahead))
    conditions = voice.analyser(heard, plan, stream.lookahead_frames)
    made: NDArray[np.float32] = synthesise(voice, conditions, params, stream)[0].numpy()
    made = made[: len(wave)]
    return made + np.float32(params.dry_mix) * (wave - made)
