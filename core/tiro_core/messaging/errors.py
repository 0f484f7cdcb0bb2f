"""The errors of messaging, and the one table that translates those of nats-py.

No error of nats-py leaves this package. Callers catch `MessagingError`, or one of these:

| error | meaning | what helps |
|---|---|---|
| `BusUnavailable` | NATS did not answer, or JetStream has no leader or is still starting | time |
| `InDoubt` | the same, and a write may have been stored nevertheless | time, then a read |
| `StreamFull` | a limit of the stream, the account or the disk is reached | free space |
| `Conflict` | another writer has written to the subject first | a new read |
| `NotFound` | there is no such message | nothing |
| `Unreadable` | a stored message cannot be decoded | an operator, who restores or deletes it |
| `Rejected` | NATS refuses the request | an operator |
"""

from contextlib import AbstractContextManager
from enum import Enum
from types import TracebackType

from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    Error,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
    StaleConnectionError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

_NO_MESSAGE = 10037  # JSNoMessageFoundErr
_WRONG_SEQUENCE = 10071  # JSStreamWrongLastSequenceErrF
_WRITE_UNDER_WAY = 10164  # JSStreamWrongLastSequenceConstantErr: another write to this subject is being replicated
_FULL = frozenset(
    {
        10002,  # JSAccountResourcesExceededErr: the account's limit
        10023,  # JSInsufficientResourcesErr
        10028,  # JSMemoryResourcesExceededErr
        10047,  # JSStorageResourcesExceededErr
        10077,  # JSStreamStoreFailedF: a limit of the stream, or a write to disk that failed
    }
)
_AWAY = (
    NatsTimeoutError,
    NoRespondersError,
    NoStreamResponseError,
    ServiceUnavailableError,
    OutboundBufferLimitError,
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    NoServersError,
    StaleConnectionError,
    OSError,
)
_SUBJECT_FULL, _MESSAGES_FULL = "messages per subject", "maximum messages"
"""Texts of the server about a limit on the number of messages. Every other limit is one of bytes."""


class Limit(Enum):
    """The kind of a limit that is reached."""

    SUBJECT = "subject"
    MESSAGES = "messages"
    BYTES = "bytes"


class MessagingError(Exception):
    """The base of the errors of messaging."""


class BusUnavailable(MessagingError):  # noqa: N818 - reads as the condition it reports
    """NATS did not answer in time, or is not ready. Trying again later may help."""


class InDoubt(BusUnavailable):
    """A write was sent, and its outcome is not known: it may have been stored."""


class StreamFull(MessagingError):  # noqa: N818 - reads as the condition it reports
    """There is no room for the message: a limit of the stream, of the account or of the disk.

    Attributes:
        limit: The kind of the limit: messages on a subject, messages in the stream, or bytes.
    """

    def __init__(self, description: str, limit: "Limit") -> None:
        super().__init__(description)
        self.limit = limit


class Conflict(MessagingError):  # noqa: N818 - the loser of a race has made no error
    """Another writer has written to the subject first."""


class NotFound(MessagingError):  # noqa: N818 - reads as the condition it reports
    """There is no such message."""


class Unreadable(MessagingError):  # noqa: N818 - reads as the condition it reports
    """A stored record or event cannot be decoded: it is damaged, or other software wrote it."""


class Rejected(MessagingError):  # noqa: N818 - reads as the condition it reports
    """NATS refuses the request: the stream does not exist, the message is too large, or a permission is missing.

    Attributes:
        code: The server's number of the error; 0 where it gave none.
    """

    def __init__(self, description: str, code: int = 0) -> None:
        super().__init__(description)
        self.code = code


class _Translation(AbstractContextManager[None]):
    """A class, because a generator would cost each request as much as parsing its answer."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Error | OSError):
            raise translate(error) from error


_TRANSLATION = _Translation()


def translated() -> AbstractContextManager[None]:
    """Translate errors of nats-py that the context raises.

    Raises:
        MessagingError: The error of the table above.
    """
    return _TRANSLATION


def translate(error: Exception) -> MessagingError:
    """The translation of an error of nats-py."""
    if isinstance(error, APIError):
        return _of_answer(error)
    if isinstance(error, _AWAY):
        return BusUnavailable(f"NATS did not answer: {error!r}")
    return Rejected(repr(error))


def _of_answer(error: APIError) -> MessagingError:
    """The translation of a server's answer."""
    code, description = error.err_code or 0, error.description or repr(error)
    if code == _WRONG_SEQUENCE:
        return Conflict(description)
    if code == _WRITE_UNDER_WAY:
        return InDoubt(description)
    if code in _FULL:
        return StreamFull(description, _limit_of(description))
    if isinstance(error, NotFoundError) and code in (0, _NO_MESSAGE):
        return NotFound(description)
    if isinstance(error, ServiceUnavailableError):
        return BusUnavailable(f"NATS is not ready: {description}")
    return Rejected(description, code)


def _limit_of(description: str) -> Limit:
    if _SUBJECT_FULL in description:
        return Limit.SUBJECT
    return Limit.MESSAGES if _MESSAGES_FULL in description else Limit.BYTES
