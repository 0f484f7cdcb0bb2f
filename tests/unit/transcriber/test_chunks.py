"""Splitting a recording into chunks."""

from collections.abc import AsyncIterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.interface import SAMPLE_RATE
from tiro_transcriber.jobs import chunks as chunking
from tiro_transcriber.jobs.chunks import SEARCH_SECONDS, AudioChunk, Pcm16

PIECE_SECONDS = 30


async def chunks(samples: Pcm16, size: int) -> AsyncIterator[Pcm16]:
    """The samples in chunks."""
    for begin in range(0, len(samples), size):
        yield samples[begin : begin + size]


async def cut(samples: Pcm16, size: int = 65_536, *, start: int = 0) -> list[AudioChunk]:
    """All chunks."""
    return [piece async for piece in chunking.cut(chunks(samples, size), PIECE_SECONDS, start=start)]


def noise(seconds: float) -> Pcm16:
    """Loud noise, the same each time."""
    return np.random.default_rng(0).integers(-20_000, 20_000, int(seconds * SAMPLE_RATE), dtype=np.int16)


async def test_a_short_recording_is_one_piece() -> None:
    """What fits is not cut."""
    [piece] = await cut(noise(5))
    assert (piece.offset, len(piece.samples)) == (0, 5 * SAMPLE_RATE)


async def test_a_cut_lies_in_the_pause() -> None:
    """The quietest place near the end of a full piece is where it is cut."""
    samples = noise(60)
    pause = slice(24 * SAMPLE_RATE, 25 * SAMPLE_RATE)
    samples[pause] = 0
    first = (await cut(samples))[0]
    assert pause.start <= len(first.samples) <= pause.stop


async def test_nothing_is_an_empty_recording() -> None:
    """No samples, no chunks."""
    assert await cut(np.empty(0, np.int16)) == []


@given(seconds=st.floats(0.1, 150), size=st.integers(1000, 200_000))
async def test_pieces_tile_the_recording(seconds: float, size: int) -> None:
    """However it comes, every sample is in one piece, in its place, and no piece is too long."""
    samples = noise(seconds)
    found = await cut(samples, size)
    assert [piece.offset for piece in found] == [0, *(piece.end for piece in found)][:-1]
    assert np.array_equal(np.concatenate([piece.samples for piece in found]), samples)
    assert all(len(piece.samples) <= PIECE_SECONDS * SAMPLE_RATE for piece in found)
    assert all(len(piece.samples) >= (PIECE_SECONDS - SEARCH_SECONDS) * SAMPLE_RATE for piece in found[:-1])


@given(size=st.integers(1000, 200_000), first=st.integers(0, 6))
async def test_cutting_goes_on_where_it_was_left(size: int, first: int) -> None:
    """Who begins at the end of a piece cuts the rest as the one before would have done."""
    samples = noise(100)
    whole = await cut(samples)
    rest = await cut(samples, size, start=whole[min(first, len(whole) - 1)].offset)
    expected = whole[min(first, len(whole) - 1) :]
    assert [(piece.offset, len(piece.samples)) for piece in rest] == [
        (piece.offset, len(piece.samples)) for piece in expected
    ]
