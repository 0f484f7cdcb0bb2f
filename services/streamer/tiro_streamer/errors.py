"""What can end a session or a call before its time, each as its caller sees it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc
from google.rpc.status_pb2 import Status

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.errors import AudioError, DecodeCrashedError
from tiro_core.errors import (
    TiroError,
    failed_precondition,
    from_status,
    invalid_argument,
    not_found,
    resource_exhausted,
    unavailable,
)
from tiro_core.server.caller_errors import FULL_RETRY_AFTER, known_for_caller

RETRY_AFTER = timedelta(seconds=1)
"""When a session that failed on our side is worth another try."""
RETRY_WITHOUT_WORKER_AFTER = timedelta(seconds=5)
"""A worker takes a few seconds to start and load its model."""
AT_ONCE = timedelta(0)

_CONNECTION_LOST_REASONS = frozenset(
    {
        reasons.ERROR_REASON_SHUTTING_DOWN,
        reasons.ERROR_REASON_NOT_READY,
        reasons.ERROR_REASON_STORAGE_UNAVAILABLE,
        # A client that sends or reads nothing looks like a network that is silent.
        reasons.ERROR_REASON_SESSION_IDLE,
        reasons.ERROR_REASON_CLIENT_TOO_SLOW,
    }
)
"""Faults of a connection, this streamer or NATS. A session that another connection can resume need not end with it."""


def config_missing() -> TiroError:
    """The first message is neither a config nor a resume."""
    return invalid_argument(
        reasons.ERROR_REASON_CONFIG_MISSING, "the first message must be the config or a resume", field_path="config"
    )


def config_repeated() -> TiroError:
    """A later message is a config or a resume."""
    return invalid_argument(
        reasons.ERROR_REASON_CONFIG_REPEATED, "only the first message may be a config or a resume", field_path="config"
    )


def no_worker(engine: str, model: str) -> TiroError:
    """No live worker can serve such a session."""
    return unavailable(
        reasons.ERROR_REASON_NO_WORKER,
        f"no worker offers live sessions with engine {engine!r} and model {model!r} now",
        retry_after=RETRY_WITHOUT_WORKER_AFTER,
    )


def no_capacity(what: str) -> TiroError:
    """Everything that could serve the session is in use."""
    return resource_exhausted(reasons.ERROR_REASON_NO_CAPACITY, f"{what} are busy", retry_after=RETRY_AFTER)


def session_idle(seconds: float) -> TiroError:
    """The client has sent nothing for too long."""
    message = f"nothing came from the client for {seconds:g} s; send keep_alive when there is no audio"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_IDLE, message)


def client_too_slow(seconds: float) -> TiroError:
    """The client has left a response unread for too long."""
    message = f"the client left a response unread for {seconds:g} s"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_CLIENT_TOO_SLOW, message)


def session_failed(message: str) -> TiroError:
    """The session cannot continue; a new one may succeed."""
    return unavailable(reasons.ERROR_REASON_SESSION_FAILED, message, retry_after=RETRY_AFTER)


def shutting_down() -> TiroError:
    """This streamer stops."""
    return unavailable(
        reasons.ERROR_REASON_SHUTTING_DOWN, "the service is stopping; another one takes the call", retry_after=AT_ONCE
    )


def not_ready() -> TiroError:
    """NATS is away."""
    return unavailable(reasons.ERROR_REASON_NOT_READY, "the message bus is away", retry_after=RETRY_AFTER)


def storage_full() -> TiroError:
    """NATS stores nothing more, or nearly so."""
    message = "there is no room to store live audio now"
    return resource_exhausted(reasons.ERROR_REASON_STORAGE_FULL, message, retry_after=FULL_RETRY_AFTER)


def audio_lost() -> TiroError:
    """NATS has lost audio that it had stored. What the client has not released can be sent again."""
    message = "the store has lost audio of this session"
    return unavailable(reasons.ERROR_REASON_STORAGE_UNAVAILABLE, message, retry_after=RETRY_AFTER)


class ClientGone(TiroError):  # noqa: N818 - reads as the condition it reports
    """The call was cancelled, or its connection is lost: its client may come back."""


def client_gone() -> ClientGone:
    """The call was cancelled, or its connection is lost."""
    return ClientGone(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client is gone")


def session_cancelled() -> TiroError:
    """The client has cancelled the session."""
    return TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client has cancelled it")


def resumed_elsewhere() -> TiroError:
    """Another connection has taken the session over."""
    message = "the session goes on over another connection"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_RESUMED_ELSEWHERE, message)


def audio_has_ended() -> TiroError:
    """The client sends audio in a session whose audio has ended."""
    message = "the audio of this session has ended: what was sent after that is not transcribed"
    return failed_precondition(reasons.ERROR_REASON_SESSION_AUDIO_ENDED, message)


def session_not_found(session_id: str) -> TiroError:
    """The tenant has no such session."""
    return not_found(reasons.ERROR_REASON_SESSION_NOT_FOUND, f"there is no live session {session_id!r}")


def history_gone() -> TiroError:
    """The session is known, and its events have expired."""
    return not_found(reasons.ERROR_REASON_SESSION_NOT_FOUND, "the events of the session are kept no longer")


def token_invalid() -> TiroError:
    """The token does not resume the session."""
    message = "the token does not resume this session, or the session cannot be resumed"
    return TiroError(grpc.StatusCode.PERMISSION_DENIED, reasons.ERROR_REASON_RESUME_TOKEN_INVALID, message)


def sequence_out_of_range(requested: int, newest: int) -> TiroError:
    """The client names an event that has not happened."""
    message = f"the session's newest event is {newest}: there is no event {requested} yet"
    return TiroError(grpc.StatusCode.OUT_OF_RANGE, reasons.ERROR_REASON_SEQUENCE_OUT_OF_RANGE, message)


def too_many_watchers(watchers_max: int) -> TiroError:
    """This streamer serves as many watchers as it may."""
    return resource_exhausted(
        reasons.ERROR_REASON_TOO_MANY_WATCHERS, f"{watchers_max} calls follow sessions already", retry_after=RETRY_AFTER
    )


def from_worker(status: Status) -> TiroError:
    """The error with which a worker has ended a session: with its own reason, or else SESSION_FAILED."""
    error = from_status(status)
    if error.reason == reasons.ERROR_REASON_UNSPECIFIED:
        error.reason = reasons.ERROR_REASON_SESSION_FAILED
        if error.code == grpc.StatusCode.UNKNOWN:
            error.code = grpc.StatusCode.UNAVAILABLE
    return error


def is_resumed_elsewhere(fault: BaseException) -> bool:
    """Whether another connection has the session."""
    return isinstance(fault, TiroError) and fault.reason == reasons.ERROR_REASON_SESSION_RESUMED_ELSEWHERE


def is_connection_lost(fault: BaseException) -> bool:
    """Whether a connection was lost, or may be: a session that can be resumed need not end with it."""
    if isinstance(fault, TiroError) and fault.reason in _CONNECTION_LOST_REASONS:
        return True
    return isinstance(fault, ClientGone | asyncio.CancelledError)


@contextmanager
def raise_first_fault() -> Iterator[None]:
    """Raise one error for the group of errors that a group of tasks raises."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise first_fault(group) from group


def first_fault(failure: BaseException) -> BaseException:
    """The one error that stands for what a group of tasks raised.

    What we raised on purpose says more than what broke because of it, and a refusal of the audio more than the end of
    the process that refused it.
    """
    leaves = sorted(_leaves(failure), key=_obscurity)
    first = leaves[0]
    return known_for_caller(first) or first


def _obscurity(error: BaseException) -> int:
    if isinstance(error, TiroError):
        return 0
    if isinstance(error, AudioError):
        return 2 if isinstance(error, DecodeCrashedError) else 1
    return 3


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for member in failure.exceptions:
            yield from _leaves(member)
    else:
        yield failure
