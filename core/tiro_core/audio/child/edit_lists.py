"""Empty edits within the edit lists of a movie (ISO/IEC 14496-12, section 8.6.6): silence between its parts.

FFmpeg takes an empty edit for silence at the beginning alone. Any other one it takes for the start of the media, which
it plays again. So other empty edits are shortened to nothing while the file is read, and put into the times of what
follows them.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from tiro_core.audio.child.boxes import Box, descend
from tiro_core.audio.child.source import FileSource

EDITS_MAX = 10_000
"""Edits of one track that are looked at."""

FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
"""How movies begin, those of old QuickTime among them."""

EMPTY = -1
"""The media time of an empty edit."""

BOUNDARY_SECONDS = 0.05
"""A packet that begins so much before a part belongs to it: FFmpeg starts a part with the packet around its start."""

TIMESCALE_AT = {0: 12, 1: 20}
"""Where the movie header has its time scale, by its version, from its body on."""
ENTRIES = {0: struct.Struct(">IiI"), 1: struct.Struct(">QqI")}
"""Duration, media time and rate of an edit, by the version of the list."""
DURATION_BYTES = {0: 4, 1: 8}


class Gap(NamedTuple):
    """An empty edit.

    Attributes:
        time: where it begins, in seconds, without the gaps before.
        seconds: its length.
    """

    time: float
    seconds: float


class _Edit(NamedTuple):
    at: int
    duration: int
    media_time: int
    duration_bytes: int


class EditList(NamedTuple):
    """What an edit list says about one track.

    Attributes:
        gaps: the empty edits behind the first part of the media.
        seconds: the length of all edits, with a first empty one; 0.0 where it is not known yet, as in fragments.
    """

    gaps: Sequence[Gap]
    seconds: float


NO_EDITS = EditList((), 0.0)


def read_edit_lists(source: FileSource) -> Mapping[int, EditList]:
    """Return the edit lists of the tracks, by the track's index, and let FFmpeg see no gap of them.

    Args:
        source: any file. One that is no movie has none.
    """
    if source.peek(8)[4:] not in FIRST_BOXES:
        return {}
    scale = next((_timescale(source, box) for box in descend(source, [b"moov", b"mvhd"])), 0)
    if not scale:
        return {}
    tracks = enumerate(descend(source, [b"moov", b"trak"]))
    return {index: _edit_list(source, box, scale) for index, track in tracks for box in _first_list(source, track)}


def shifted(time: float, gaps: Sequence[Gap]) -> float:
    """Return a time of FFmpeg with the gaps before it."""
    return time + sum(gap.seconds for gap in gaps if time >= gap.time - BOUNDARY_SECONDS)


def _first_list(source: FileSource, track: Box) -> Iterator[Box]:
    return islice(descend(source, [b"edts", b"elst"], track), 1)


def _edit_list(source: FileSource, box: Box, scale: int) -> EditList:
    gaps: list[Gap] = []
    time, has_begun = 0.0, False
    for edit in _edits(source, box):
        seconds = edit.duration / scale
        if edit.media_time == EMPTY and has_begun:
            source.patch(edit.at, bytes(edit.duration_bytes))
            gaps.append(Gap(time, seconds))
            continue
        has_begun = has_begun or edit.media_time != EMPTY
        time += seconds
    return EditList(gaps, time + sum(gap.seconds for gap in gaps))


def _edits(source: FileSource, box: Box) -> Iterator[_Edit]:
    version = _version(source, box)
    entry = ENTRIES.get(version)
    if entry is None:
        return
    count = min(EDITS_MAX, int.from_bytes(source.peek(4, at=box.body + 4), "big"))
    for number in range(count):
        at = box.body + 8 + number * entry.size
        data = source.peek(entry.size, at=at)
        if len(data) < entry.size or at >= box.end:
            return
        duration, media_time, _ = entry.unpack(data)
        yield _Edit(at, duration, media_time, DURATION_BYTES[version])


def _timescale(source: FileSource, header: Box) -> int:
    at = TIMESCALE_AT.get(_version(source, header))
    return 0 if at is None else int.from_bytes(source.peek(4, at=header.body + at), "big")


def _version(source: FileSource, box: Box) -> int:
    return int.from_bytes(source.peek(1, at=box.body), "big")
