"""Offsets from the start of a recording."""

from google.protobuf.duration_pb2 import Duration

_NANOSECONDS = 1_000_000


def milliseconds_of(offset: Duration) -> int:
    """An offset rounded to the nearest millisecond. A later offset never gives a smaller number."""
    return round(offset.ToNanoseconds() / _NANOSECONDS)


def seconds_of(offset: Duration) -> float:
    """An offset in seconds, to the millisecond."""
    return milliseconds_of(offset) / 1000


def clock(offset_ms: int, *, decimal_mark: str) -> str:
    """An offset in milliseconds as `HH:MM:SS.mmm`. Hours take as many digits as they need."""
    seconds, milliseconds = divmod(offset_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal_mark}{milliseconds:03}"
