"""The boxes of a movie (ISO/IEC 14496-12, section 4.2)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tiro_core.audio.child.source import FileSource

HEADER_BYTES = 16
"""A size of 32 bits, a name, and a size of 64 bits where the first one is 1."""

BOXES_MAX = 10_000
"""Boxes that are looked at. A movie that is not fragmented has a handful."""


class Box(NamedTuple):
    """A box.

    Attributes:
        name: its name.
        begin: where it begins in the file.
        body: where its contents begin.
        end: where it ends.
    """

    name: bytes
    begin: int
    body: int
    end: int


def boxes(source: FileSource, within: Box | None = None) -> Iterator[Box]:
    """Yield the boxes of the outermost level, or those within a box."""
    begin, end = (0, source.size) if within is None else (within.body, within.end)
    for _ in range(BOXES_MAX):
        header = source.peek(HEADER_BYTES, at=begin)
        size, name, body = int.from_bytes(header[:4], "big"), header[4:8], begin + 8
        if size == 1:
            size, body = int.from_bytes(header[8:], "big"), begin + 16
        if len(name) < len(b"name") or begin >= end:
            return
        after = begin + size if size else end
        yield Box(name, begin, body, after if within is None else min(after, end))
        if after < body:
            return
        begin = after


def descend(source: FileSource, path: Sequence[bytes], within: Box | None = None) -> Iterator[Box]:
    """Yield the boxes at a path of names."""
    for box in boxes(source, within):
        if box.name == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from descend(source, path[1:], box)
