"""Decoding stored messages, of which one may be damaged or written by other software."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from prometheus_client import Counter

from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.operations import StoredMessage

UNREADABLE = Counter("tiro_unreadable_messages_total", "Stored messages that could not be decoded", ["stream"])

M = TypeVar("M", bound=Message)


def decode(message_type: type[M], message: StoredMessage, stream: str) -> M:
    """Decode the data of a stored message.

    Args:
        message_type: The type of its data.
        message: The message.
        stream: The stream that it is in.

    Raises:
        Unreadable: Its data is of no such type. The error names the subject; it does not quote the data.
    """
    try:
        return message_type.FromString(message.data)
    except DecodeError:
        UNREADABLE.labels(stream).inc()
        raise Unreadable(f"message {message.sequence} on {message.subject} is no {message_type.__name__}") from None
