"""Latency measured, not claimed: a chirp goes out, is heard again, and the time between is told.

Of devices: from the callback that hands the chirp over to the one that brings it back. Of a
session: over a loopback, with its real processor, as pass-through.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import DeviceError
from core.resampler import resample
from realtime.backend import AudioBackend, AudioBlock
from realtime.clock import Stretcher
from realtime.loopback import LoopbackBackend
from realtime.plan import BlockProcessor
from realtime.session import LiveSession
from realtime.sound import SoundParams

Wave = NDArray[np.float32]

CHIRP_SECONDS = 0.05
PERIOD_SECONDS = 1.5  # between chirps: the longest delay that can be told
CLEAR = 8.0  # times the noise of the correlation: less is no chirp


@dataclass(frozen=True)
class Measured:
    """Milliseconds. spread_ms: between the shortest and the longest of `chirps`."""

    declared_ms: float
    measured_ms: float
    spread_ms: float
    chirps: int


def chirp(sample_rate: int) -> Wave:
    """From 500 Hz to 6 kHz (or what the rate can hold) within CHIRP_SECONDS, (T,)."""
    t = np.arange(round(CHIRP_SECONDS * sample_rate)) / sample_rate
    low, high = 500.0, min(6000.0, 0.4 * sample_rate)
    phase = 2 * np.pi * (low * t + (high - low) * t**2 / (2 * CHIRP_SECONDS))
    wave: Wave = (0.5 * np.hanning(len(t)) * np.sin(phase)).astype(np.float32)
    return wave


class Probe:
    """An AudioCallback that plays chirps and keeps what is heard."""

    latency = 0
    failed = False

    def __init__(self, backend: AudioBackend) -> None:
        self._backend = backend
        self._chirp = chirp(backend.sample_rate)
        self._period = round(PERIOD_SECONDS * backend.sample_rate)
        self._heard: list[Wave] = []
        self._captured = self._played = 0
        self._heard_at = self._played_at = 0.0
        self._gaps: list[float] = []
        self.error: BaseException | None = None

    def __call__(
        self, indata: AudioBlock | None, outdata: AudioBlock | None, status: str | None
    ) -> None:
        """See AudioCallback."""
        now = self._backend.now()
        if indata is not None:
            self._heard.append(indata.mean(axis=1, dtype=np.float32))
            self._captured += len(indata)
            self._heard_at = now
        if outdata is not None:
            at = (self._played + np.arange(len(outdata))) % self._period
            mono = np.where(at < len(self._chirp), self._chirp[at % len(self._chirp)], 0)
            outdata[:] = mono[:, None]
            self._played += len(outdata)
            self._played_at = now
        if self._captured and self._played:
            self._gaps.append(self._gap())

    def _gap(self) -> float:
        """As `Transport.gap`."""
        rate = self._backend.sample_rate
        captured = self._captured * rate / self._backend.input_rate
        return captured - self._played + (self._played_at - self._heard_at) * rate

    def monitor(self, outdata: AudioBlock) -> None:
        """See AudioCallback."""
        outdata[:] = 0

    def settle(self, timeout: float) -> bool:
        """See AudioCallback."""
        return True

    def ended(self, error: BaseException | None) -> None:
        """See AudioCallback."""
        self.error = error

    def delays(self) -> list[float]:
        """Milliseconds each chirp took. The first period is left out: devices settle then."""
        if self.error is not None:
            raise self.error
        rate = self._backend.sample_rate
        heard = np.concatenate([np.zeros(1, np.float32), *self._heard])
        heard = resample(heard, self._backend.input_rate, rate)
        gap = statistics.median(self._gaps[len(self._gaps) // 4 :] or [0.0])
        found = []
        for start in range(self._period, self._played - self._period, self._period):
            begin = max(0, round(start + gap))
            window = heard[begin : begin + self._period]
            if len(window) == self._period and (place := find(window, self._chirp)) is not None:
                found.append(1e3 * (begin + place - start - gap) / rate)
        return found


def find(wave: Wave, sound: Wave) -> int | None:
    """Where `sound` begins in `wave`; None where it is not heard clearly."""
    size = len(wave) + len(sound)
    product = np.fft.rfft(wave, size) * np.conj(np.fft.rfft(sound, size))
    score = np.abs(np.fft.irfft(product, size)[: len(wave)])
    peak = int(np.argmax(score))
    return peak if score[peak] > CLEAR * (np.median(score) + 1e-6) else None


def measure_devices(backend: AudioBackend, chirps: int = 6) -> Measured:
    """What the devices take, out and back in. DeviceError where the chirps are not heard."""
    probe = Probe(backend)
    backend.start(probe)
    time.sleep((chirps + 2) * PERIOD_SECONDS)
    backend.stop()
    delays = probe.delays()
    if len(delays) < chirps / 2:
        raise DeviceError(
            f"{len(delays)} of {chirps} chirps came back; turn the loudspeaker up, hold the"
            " microphone to it, or join the two by a cable or a virtual one"
        )
    return _measured(1e3 * backend.latency, delays)


def measure_session(processor: BlockProcessor, sample_rate: int, seconds: float = 6.0) -> Measured:
    """What a session takes without devices, on the virtual clock; sample_rate: the device's."""
    sound = chirp(sample_rate)
    period = round(PERIOD_SECONDS * sample_rate)
    source = np.zeros(round(seconds * sample_rate), np.float32)
    starts = range(period // 3, len(source) - period, period)
    for start in starts:
        source[start : start + len(sound)] = sound
    backend = LoopbackBackend(source, sample_rate=sample_rate)
    session = LiveSession(processor, backend, sound=SoundParams(mode="dry"))
    session.start()
    session.wait()
    session.stop()
    if session.error is not None:
        raise session.error
    places = [find(backend.output[start : start + period], sound) for start in starts]
    delays = [1e3 * place / sample_rate for place in places if place is not None]
    return _measured(session.stats.latency.total_ms, delays)


def report(processor: BlockProcessor, args: argparse.Namespace) -> dict[str, Measured]:
    """What `moksori latency` measures: the session, and the devices if any are asked for."""
    if args.backend == "loopback":
        return {"session": measure_session(processor, processor.sample_rate)}
    from realtime.run import sound_card

    with sound_card(args, processor.sample_rate, both_ends=True) as backend:
        devices = measure_devices(backend, args.chirps)
        session = measure_session(processor, backend.sample_rate)
    # the loopback has one clock; two need a stretcher
    stretching = 1e3 * Stretcher.DELAY / backend.sample_rate
    parts = {"devices": devices, "session": session}
    whole = Measured(
        devices.declared_ms + session.declared_ms + stretching,
        devices.measured_ms + session.measured_ms + stretching,
        devices.spread_ms,
        devices.chirps,
    )
    return {**parts, "speech to sound": whole}


def describe(parts: dict[str, Measured]) -> list[str]:
    """A line a part."""
    return [
        f"{name:<16} declared {part.declared_ms:6.1f} ms, measured {part.measured_ms:6.1f} ms"
        f" (spread {part.spread_ms:.1f} ms over {part.chirps} chirps)"
        for name, part in parts.items()
    ]


def _measured(declared_ms: float, delays: list[float]) -> Measured:
    middle = statistics.median(delays) if delays else 0.0
    spread = max(delays) - min(delays) if delays else 0.0
    return Measured(declared_ms, middle, spread, len(delays))
