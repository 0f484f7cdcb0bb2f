"""The split of a recording into chunks."""

from collections.abc import AsyncIterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.interface import SAMPLE_RATE
from tiro_transcriber.jobs import chunks as chunking
from tiro_transcriber.jobs.chunks import SEARCH_SECONDS, AudioChunk, Pcm16

CHUNK_SECONDS = 30


async def chunks(samples: Pcm16, size: int) -> AsyncIterator[Pcm16]:
    """Samples in pieces of a size."""
    for begin in range(0, len(samples), size):
        yield samples[begin : begin + size]


async def split(samples: Pcm16, size: int = 65_536, *, start: int = 0) -> list[AudioChunk]:
    """All chunks of a recording."""
    return [chunk async for chunk in chunking.split(chunks(samples, size), CHUNK_SECONDS, start=start)]


def noise(seconds: float) -> Pcm16:
    """Loud noise, the same each time."""
    return np.random.default_rng(0).integers(-20_000, 20_000, int(seconds * SAMPLE_RATE), dtype=np.int16)


async def test_a_short_recording_is_one_chunk() -> None:
    """A recording that fits into one chunk is not split."""
    [chunk] = await split(noise(5))
    assert (chunk.offset, len(chunk.samples)) == (0, 5 * SAMPLE_RATE)


async def test_a_chunk_ends_in_a_pause() -> None:
    """A full chunk ends at the quietest position near its end."""
    samples = noise(60)
    pause = slice(24 * SAMPLE_RATE, 25 * SAMPLE_RATE)
    samples[pause] = 0
    first = (await split(samples))[0]
    assert pause.start <= len(first.samples) <= pause.stop


async def test_an_empty_recording_has_no_chunks() -> None:
    """A recording without samples has no chunks."""
    assert await split(np.empty(0, np.int16)) == []


@given(seconds=st.floats(0.1, 150), size=st.integers(1000, 200_000))
async def test_chunks_have_every_sample_once(seconds: float, size: int) -> None:
    """For any pieces of audio every sample is in one chunk, at its position, and chunks are within their limits."""
    samples = noise(seconds)
    found = await split(samples, size)
    assert [chunk.offset for chunk in found] == [0, *(chunk.end for chunk in found)][:-1]
    assert np.array_equal(np.concatenate([chunk.samples for chunk in found]), samples)
    assert all(len(chunk.samples) <= CHUNK_SECONDS * SAMPLE_RATE for chunk in found)
    assert all(len(chunk.samples) >= (CHUNK_SECONDS - SEARCH_SECONDS) * SAMPLE_RATE for chunk in found[:-1])


@given(size=st.integers(1000, 200_000), first=st.integers(0, 6))
async def test_a_split_can_be_continued_at_the_end_of_a_chunk(size: int, first: int) -> None:
    """A new owner that starts at the end of a chunk splits the rest as the owner before it."""
    samples = noise(100)
    whole = await split(samples)
    rest = await split(samples, size, start=whole[min(first, len(whole) - 1)].offset)
    expected = whole[min(first, len(whole) - 1) :]
    assert [(chunk.offset, len(chunk.samples)) for chunk in rest] == [
        (chunk.offset, len(chunk.samples)) for chunk in expected
    ]
