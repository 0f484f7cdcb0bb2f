"""Conversion of protobuf times: durations to seconds as floats, timestamps to aware datetimes."""

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_NANOSECONDS = 1_000_000_000


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.ToNanoseconds() / _NANOSECONDS


def duration_of(seconds: float) -> Duration:
    """Seconds as a duration."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * _NANOSECONDS))
    return duration


def datetime_of(message: Message, field: str) -> datetime | None:
    """A timestamp field of a message, in UTC. None when it is not set."""
    if not message.HasField(field):
        return None
    timestamp: Timestamp = getattr(message, field)
    return timestamp.ToDatetime(tzinfo=UTC)
