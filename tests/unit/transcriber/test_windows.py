"""Cutting a recording into windows."""

from collections.abc import AsyncIterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tiro_transcriber.engines.interface import SAMPLE_RATE, Window
from tiro_transcriber.jobs.windows import SEARCH_SECONDS, Pcm16, cut_windows

WINDOW_SECONDS = 30


async def chunks(samples: Pcm16, size: int) -> AsyncIterator[Pcm16]:
    """The samples in pieces."""
    for begin in range(0, len(samples), size):
        yield samples[begin : begin + size]


async def cut(samples: Pcm16, size: int = 65_536) -> list[Window]:
    """All windows."""
    return [window async for window in cut_windows(chunks(samples, size), WINDOW_SECONDS)]


def noise(seconds: float) -> Pcm16:
    """Loud noise, the same each time."""
    return np.random.default_rng(0).integers(-20_000, 20_000, int(seconds * SAMPLE_RATE), dtype=np.int16)


async def test_a_short_recording_is_one_window() -> None:
    """What fits is not cut."""
    [window] = await cut(noise(5))
    assert (window.offset, len(window.samples)) == (0, 5 * SAMPLE_RATE)


async def test_a_cut_lies_in_the_pause() -> None:
    """The quietest place near the end of a full window is where it is cut."""
    samples = noise(60)
    pause = slice(24 * SAMPLE_RATE, 25 * SAMPLE_RATE)
    samples[pause] = 0
    first = (await cut(samples))[0]
    assert pause.start <= len(first.samples) <= pause.stop


async def test_nothing_is_an_empty_recording() -> None:
    """No samples, no windows."""
    assert await cut(np.empty(0, np.int16)) == []


@given(seconds=st.floats(0.1, 150), size=st.integers(1000, 200_000))
async def test_windows_tile_the_recording(seconds: float, size: int) -> None:
    """However it comes, every sample is in one window, in its place, and no window is too long."""
    samples = noise(seconds)
    windows = await cut(samples, size)
    offset = 0
    for window in windows:
        assert window.offset == offset
        assert len(window.samples) <= WINDOW_SECONDS * SAMPLE_RATE
        offset += len(window.samples)
    assert offset == len(samples)
    assert all(len(window.samples) >= (WINDOW_SECONDS - SEARCH_SECONDS) * SAMPLE_RATE for window in windows[:-1])
