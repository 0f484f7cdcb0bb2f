"""Buckets of time in keys, so that the records of a span of time are found by a prefix of their subjects.

A moment is the high 32 of the 48 bits of a time in milliseconds, with which a UUIDv7 begins: steps of 2^16 ms, 65.536
s. Its first six hexadecimal digits name a wide bucket (4 h 40 min), the other two a narrow one in it.
"""

import time

NARROW_SECONDS = 65.536
"""The length of a narrow bucket: 2^16 milliseconds."""
NARROW_IN_WIDE = 256
_MILLISECONDS_BITS = 16
_DIGITS = 8


def moment_of_id(uuid7: str) -> int:
    """The moment at which an id was made. Later ids have a later moment or the same one.

    Raises:
        ValueError: It is no UUIDv7.
    """
    return int(uuid7[:_DIGITS], 16)


def moment_of(unix_seconds: float) -> int:
    """The moment of a time."""
    return int(unix_seconds * 1000) >> _MILLISECONDS_BITS


def present_moment() -> int:
    """The present moment."""
    return moment_of(time.time())


def wide_bucket(moment: int) -> str:
    """The wide bucket of a moment, as a token of a key. Later ones sort later."""
    return f"{moment >> 8:06x}"


def narrow_bucket(moment: int) -> str:
    """The narrow bucket of a moment in its wide one, as a token of a key. Later ones sort later."""
    return f"{moment & 0xFF:02x}"


def bucket_tokens(moment: int) -> str:
    """Both buckets of a moment, as two tokens of a key."""
    return f"{wide_bucket(moment)}.{narrow_bucket(moment)}"
