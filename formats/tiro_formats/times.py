"""Moments of a recording."""

from google.protobuf.duration_pb2 import Duration

_NANOSECONDS = 1_000_000


def milliseconds_of(offset: Duration) -> int:
    """A moment in whole milliseconds, the nearest one. Later moments never give a smaller number."""
    return round(offset.ToNanoseconds() / _NANOSECONDS)
