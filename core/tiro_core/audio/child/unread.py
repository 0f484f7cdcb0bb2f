"""Bytes of a file that its demuxer left unread: another recording that was appended, for example."""

from tiro_core.audio.child.boxes import boxes
from tiro_core.audio.child.origin import MOVIE
from tiro_core.audio.child.source import FileSource

UNREAD_BYTES_MIN = 64 * 1024
"""Fewer bytes are tags, an index or padding, or lie in the buffer of the demuxer."""

READ_IN_ORDER = frozenset({"asf", "au", "flv", "matroska,webm", "nistsphere", "ogg", "tta", "voc", "wv"})
"""Containers without an index or pictures behind the sound, so that the demuxer ends where the sound does."""


def unread_bytes(container_name: str, source: FileSource) -> int:
    """Return the bytes behind the place at which a demuxer has found the end; 0 where they cannot be sound.

    Args:
        container_name: FFmpeg's name of the container.
        source: the file, whose position is where the demuxer stopped reading.
    """
    if container_name == MOVIE:
        return source.size - _end_of_movie(source)
    unread = source.size - source.tell()
    return unread if container_name in READ_IN_ORDER and unread >= UNREAD_BYTES_MIN else 0


def _end_of_movie(source: FileSource) -> int:
    """Where a second movie begins (`ftyp` after the first, ISO/IEC 14496-12, section 4.3), or the file ends."""
    starts = [box.begin for box in boxes(source) if box.name == b"ftyp"]
    return starts[1] if len(starts) > 1 else source.size
