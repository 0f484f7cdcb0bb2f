"""Files that are lists of chunks: RIFF (WAV), FORM (AIFF), CAF and Wave64.

A recorder that was cut off leaves a header that counts less sound than the file has. FFmpeg reads what is counted. So
the size of the sound is corrected while the file is read, where what follows is no chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tiro_core.audio.child.source import FileSource

CHUNKS_MAX = 1_000
"""Chunks that are looked at. A recording has a handful."""

BEHIND_BYTES_MIN = 64
"""Fewer bytes behind the last chunk are padding."""

PRINTABLE = range(0x20, 0x7F)
BEGINNINGS = frozenset({b"RIFF", b"RF64", b"FORM", b"caff", b"riff"})
"""Names that begin another file, which is no chunk of this one."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a container lays out its chunks.

    Attributes:
        magic: how the file begins, with `form` at `form_at`.
        first: where the first chunk begins.
        name_bytes: the length of a chunk's name.
        size_bytes: the length of its size, which follows the name.
        byte_order: of the size.
        counts_header: whether the size counts name and size as well.
        alignment: the multiple of bytes at which chunks begin.
        sound: the name of the chunk with the sound.
    """

    magic: bytes
    form: tuple[bytes, ...] = ()
    first: int
    name_bytes: int = 4
    size_bytes: int = 4
    byte_order: Literal["little", "big"]
    counts_header: bool = False
    alignment: int = 2
    sound: bytes

    @property
    def header_bytes(self) -> int:
        """The length of a chunk's name and size."""
        return self.name_bytes + self.size_bytes

    def end(self, begin: int, size: int) -> int:
        """Return where the next chunk begins."""
        end = begin + size + (0 if self.counts_header else self.header_bytes)
        return end + -end % self.alignment


W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
LAYOUTS = (
    Layout(magic=b"RIFF", form=(b"WAVE",), first=12, byte_order="little", sound=b"data"),
    Layout(magic=b"FORM", form=(b"AIFF", b"AIFC"), first=12, byte_order="big", sound=b"SSND"),
    Layout(magic=b"caff", first=8, size_bytes=8, byte_order="big", alignment=1, sound=b"data"),
    Layout(
        magic=b"riff",
        first=40,
        name_bytes=16,
        size_bytes=8,
        byte_order="little",
        counts_header=True,
        alignment=8,
        sound=b"data" + W64_TAIL,
    ),
)
FORM_AT = 8


def correct_sound_size(source: FileSource) -> None:
    """Let the sound of a file reach to its end where the header counts less and no chunk follows.

    Args:
        source: any file. One that is no list of chunks is left as it is.
    """
    head = source.peek(FORM_AT + 4)
    layout = next((each for each in LAYOUTS if head.startswith(each.magic) and _has_form(head, each)), None)
    if layout is None:
        return
    for begin, name, size in _chunks(source, layout, layout.first):
        if name == layout.sound:
            if _is_stale(source, layout, layout.end(begin, size)):
                _correct(source, layout, begin)
            return


def _has_form(head: bytes, layout: Layout) -> bool:
    return not layout.form or head[FORM_AT:] in layout.form


def _is_stale(source: FileSource, layout: Layout, end: int) -> bool:
    """Whether something else than chunks follows at `end`."""
    if source.size - end < BEHIND_BYTES_MIN:
        return False
    for begin, name, size in _chunks(source, layout, end):
        end = layout.end(begin, size)
        if not _is_name(name) or end > source.size + layout.alignment:
            return True
    return source.size - end >= BEHIND_BYTES_MIN


def _is_name(name: bytes) -> bool:
    return all(byte in PRINTABLE for byte in name[:4]) and name[:4] not in BEGINNINGS


def _chunks(source: FileSource, layout: Layout, begin: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield where chunks begin, their names and sizes, up to the end of the file or a size that is none."""
    for _ in range(CHUNKS_MAX):
        header = source.peek(layout.header_bytes, at=begin)
        if len(header) < layout.header_bytes:
            return
        size = int.from_bytes(header[layout.name_bytes :], layout.byte_order)
        yield begin, header[: layout.name_bytes], size
        end = layout.end(begin, size)
        if end <= begin:
            return
        begin = end


def _correct(source: FileSource, layout: Layout, begin: int) -> None:
    size = source.size - begin - (0 if layout.counts_header else layout.header_bytes)
    largest = 256**layout.size_bytes - 1
    source.patch(begin + layout.name_bytes, min(size, largest).to_bytes(layout.size_bytes, layout.byte_order))
