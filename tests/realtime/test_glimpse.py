"""Sound seen from another process: in order, and what nobody looked at is missed."""

from __future__ import annotations

import numpy as np

from realtime.glimpse import CAPACITY, Glimpse
from realtime.remote import Engine, RemoteSession
from tests.realtime import remote_sessions as there


def test_what_is_written_is_read_once_and_in_order() -> None:
    ours = Glimpse()
    theirs = Glimpse(ours.name)
    try:
        theirs.describe(44_100, 5.0)
        block = np.arange(1000, dtype=np.float32)
        read = []
        for _ in range(3 * CAPACITY // 1000):
            theirs.write(block, -block)
            heard, said = ours.read()
            np.testing.assert_array_equal(heard, -said)
            read.append(heard)
        np.testing.assert_array_equal(np.concatenate(read), np.tile(block, len(read)))
        assert (ours.sample_rate, ours.pitch_shift) == (44_100, 5.0)
        assert len(ours.read()[0]) == 0
    finally:
        theirs.close()
        ours.close()


def test_a_reader_that_comes_late_sees_the_newest() -> None:
    ours = Glimpse()
    try:
        wave = np.arange(2 * CAPACITY, dtype=np.float32)
        for block in np.split(wave, 64):
            ours.write(block, block)
        np.testing.assert_array_equal(ours.read()[0], wave[-CAPACITY // 2 :])
    finally:
        ours.close()


def test_a_session_in_another_process_is_seen() -> None:
    ours = Glimpse()
    try:
        with Engine() as engine:
            session = RemoteSession(engine, there.Seen(ours.name))
            session.start()
            assert session.wait(60.0)
            session.stop()
        heard, said = ours.read()
        assert len(heard) >= there.RATE - 960
        assert heard.max() == said.max() == np.float32(0.5)
    finally:
        ours.close()
