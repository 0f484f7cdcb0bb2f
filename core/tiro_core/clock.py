"""Times and lengths in protobuf's types."""

import time
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_NANOS = 1_000_000_000


def now() -> Timestamp:
    """This moment."""
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment


def in_seconds(seconds: float) -> Timestamp:
    """The moment `seconds` ahead."""
    moment = Timestamp()
    moment.FromNanoseconds(time.time_ns() + round(seconds * _NANOS))
    return moment


def after(moment: Timestamp, length: Duration) -> Timestamp:
    """The moment `length` after another."""
    later = Timestamp()
    later.FromNanoseconds(moment.ToNanoseconds() + length.ToNanoseconds())
    return later


def seconds_until(moment: Timestamp) -> float:
    """The seconds until a moment; negative when it has passed."""
    return (moment.ToNanoseconds() - time.time_ns()) / _NANOS


def duration_of(samples: int, rate_hz: int) -> Duration:
    """The duration of `samples`. Exact for whole microseconds, rounded to the nanosecond otherwise."""
    length = Duration()
    length.FromNanoseconds(round(samples * _NANOS / rate_hz))
    return length


def duration(seconds: float) -> Duration:
    """A length in seconds."""
    length = Duration()
    length.FromNanoseconds(round(seconds * _NANOS))
    return length


def until_midnight() -> timedelta:
    """The time until the next midnight in UTC."""
    moment = datetime.now(UTC)
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - moment
