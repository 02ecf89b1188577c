"""The sliding window is the last samples of the stream, whatever the sizes."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ConfigError
from core.streaming.window import SlidingWindow

SIZES = [(0, 1, 0), (3, 1, 2), (0, 64, 0), (100, 65, 7), (1, 64, 200), (512, 512, 512)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_shows_the_last_samples_and_zeros_before_the_start(sizes: tuple[int, int, int]) -> None:
    context, block, _ = sizes
    window = SlidingWindow(*sizes)
    signal = np.arange(1, 12 * block + 1, dtype=np.float32)
    padded = np.concatenate([np.zeros(sum(sizes), np.float32), signal])
    for push in range(12):
        view = window.push(signal[push * block : (push + 1) * block])
        stop = (push + 1) * block
        np.testing.assert_array_equal(view, padded[stop : stop + sum(sizes)])
        assert window.start == stop - len(window)
        # the middle block is the input, late by the lookahead
        middle = padded[stop + context : stop + context + block]
        np.testing.assert_array_equal(view[context : context + block], middle)


def test_reset_starts_again() -> None:
    window = SlidingWindow(5, 4, 3)
    block = np.ones(4, dtype=np.float32)
    first = window.push(block).copy()
    window.push(block)
    window.reset()
    assert window.start == -12
    np.testing.assert_array_equal(window.push(block), first)


@pytest.mark.parametrize("shape", [(0,), (3,), (5,), (4, 1)])
def test_a_wrong_block_is_an_error_that_names_the_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="block of 4 samples"):
        SlidingWindow(5, 4, 3).push(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("sizes", [(-1, 4, 0), (0, 0, 0), (0, 4, -1)])
def test_impossible_sizes(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError):
        SlidingWindow(*sizes)
