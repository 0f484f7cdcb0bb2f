"""Edit lists of movies: what they keep, and the silence between."""

import struct
from collections.abc import Callable, Sequence
from typing import BinaryIO

import numpy as np
import pytest

from tests.unit.audio.timed_media import sounding
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

RATE = 16_000
EMPTY = None
BOX = struct.Struct(">I4s")
Edit = tuple[float, float | None]
"""Seconds, and the time in the media at which they begin; None for an empty edit."""


def find(data: bytes, name: bytes, begin: int, end: int) -> tuple[int, int]:
    """Return where the first box of a name begins between two offsets, and its size."""
    while begin < end:
        size, found = BOX.unpack_from(data, begin)
        if found == name:
            return begin, size
        begin += size
    raise LookupError(name)


def edited(movie: bytes, edits: Sequence[Edit], version: int) -> bytes:
    """Return a movie, whose index is behind its media, with another edit list in its only track."""
    moov, moov_size = find(movie, b"moov", 0, len(movie))
    trak, trak_size = find(movie, b"trak", moov + BOX.size, moov + moov_size)
    edts, edts_size = find(movie, b"edts", trak + BOX.size, trak + trak_size)
    mdia, mdia_size = find(movie, b"mdia", trak + BOX.size, trak + trak_size)
    mvhd, _ = find(movie, b"mvhd", moov + BOX.size, moov + moov_size)
    mdhd, _ = find(movie, b"mdhd", mdia + BOX.size, mdia + mdia_size)
    (scale,), (media_scale,) = struct.unpack_from(">I", movie, mvhd + 20), struct.unpack_from(">I", movie, mdhd + 20)
    entry = ">QqI" if version else ">IiI"
    entries = b"".join(
        struct.pack(entry, round(seconds * scale), -1 if time is None else round(time * media_scale), 0x10000)
        for seconds, time in edits
    )
    body = bytes([version, 0, 0, 0]) + struct.pack(">I", len(edits)) + entries
    elst = BOX.pack(BOX.size + len(body), b"elst") + body
    made = bytearray(movie[:edts] + BOX.pack(BOX.size + len(elst), b"edts") + elst + movie[edts + edts_size :])
    grown = BOX.size + len(elst) - edts_size
    for at, size, name in ((moov, moov_size, b"moov"), (trak, trak_size, b"trak")):
        BOX.pack_into(made, at, size + grown, name)
    return bytes(made)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("edits", "sounds"),
    [
        ([(2.0, 0.1), (3.0, EMPTY), (1.0, 2.0)], [(0, 2), (5, 6)]),
        ([(1.0, EMPTY), (1.0, 0.1), (2.0, EMPTY), (1.0, 1.0), (4.0, EMPTY), (1.0, 4.0)], [(1, 2), (4, 5), (9, 10)]),
        ([(2.0, EMPTY), (3.0, 1.0)], [(2, 5)]),
        ([(1.0, 0.1), (1.0, 4.0)], [(0, 2)]),
    ],
    ids=["gap", "gaps", "late", "cut"],
)
async def test_a_movie_sounds_where_its_edits_say(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    edits: list[Edit],
    sounds: list[tuple[float, float]],
    version: int,
) -> None:
    """Parts of the media are heard in order, with silence for empty edits; the probe measures the same length."""
    file = as_file(edited(encode("ipod", "aac", RATE, seconds=6.0), edits, version))
    async with decode(launcher, file, rate=RATE, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream])
    assert stream.report is not None
    found = sounding(samples, RATE)
    assert [time for sound in found for time in sound] == pytest.approx(
        [time for sound in sounds for time in sound], abs=0.15
    )
    assert not stream.report.truncated
    assert stream.report.clock_restarts == 0
    info = await probe(launcher, file, limits=limits)
    assert info.duration_seconds == pytest.approx(samples.size / RATE, abs=0.1)
