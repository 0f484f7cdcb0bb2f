"""The boxes of a movie (ISO/IEC 14496-12, section 4.2)."""

from collections.abc import Iterator

from tiro_core.audio.child.source import FileSource

HEADER_BYTES = 16
"""A size of 32 bits, a name, and a size of 64 bits where the first one is 1."""

BOXES_MAX = 10_000
"""Boxes that are looked at. A movie that is not fragmented has a handful."""


def boxes(source: FileSource) -> Iterator[tuple[int, bytes]]:
    """Yield where the boxes of the outermost level begin, and their names."""
    begin = 0
    for _ in range(BOXES_MAX):
        header = source.peek(HEADER_BYTES, at=begin)
        size, name = int.from_bytes(header[:4], "big"), header[4:8]
        if size == 1:
            size = int.from_bytes(header[8:], "big")
        if len(name) < len(b"name"):
            return
        yield begin, name
        if size < len(b"sizename"):  # 0: up to the end of the file
            return
        begin += size
