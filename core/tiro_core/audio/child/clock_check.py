"""Whether the clock of a container keeps time with its sound."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from statistics import median

from tiro_core.audio.child.timeline import Piece, Timeline

PIECES_CHECKED = 100
"""The first packets of a file, by which its clock is judged."""

PIECES_SPANNED_MAX = 25
"""Packets over which timestamps are compared with the sound: over one alone, rounding to 1 ms is too coarse."""

CLOCK_ERROR_MAX = 0.05
"""How much faster or slower than the sound a clock may run, as a fraction, before it is taken for broken."""


def with_checked_clock(pieces: Iterable[Piece], timeline: Timeline) -> Iterator[Piece]:
    """Yield all pieces, after `timeline` was told to ignore their timestamps if these do not keep time with the sound.

    A false time scale makes both the timestamps and the stated lengths of a container wrong by one factor. In a file
    with holes the stated lengths are right.
    """
    rest = iter(pieces)
    first = list(islice(rest, PIECES_CHECKED))
    if not _keeps_time(first):
        timeline.ignore_timestamps()
    yield from chain(first, rest)


def _keeps_time(pieces: Sequence[Piece]) -> bool:
    timed = [
        (piece.time, piece) for piece in pieces if piece.time is not None and piece.stated_seconds and piece.seconds
    ]
    span = min(PIECES_SPANNED_MAX, len(timed) // 4)
    if not span:
        return True
    clock, stated = [], []
    for first in range(len(timed) - span):
        spanned = [piece for _, piece in timed[first : first + span]]
        seconds = sum(piece.seconds for piece in spanned)
        clock.append((timed[first + span][0] - timed[first][0]) / seconds)
        stated.append(sum(piece.stated_seconds for piece in spanned) / seconds)
    return any(abs(median(rates) - 1) <= CLOCK_ERROR_MAX for rates in (clock, stated))
