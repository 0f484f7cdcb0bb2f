"""The errors that end a session or a call early, as callers get them."""

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
"""When a caller may try again after a fault of the service."""
RETRY_WITHOUT_WORKER_AFTER = timedelta(seconds=5)
"""The same without a live worker: one takes a few seconds to start and load its model."""
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
"""Faults of a connection, of this streamer or of NATS, after which another connection can resume the session."""


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
        f"no worker that takes live sessions runs the model {model!r} of the engine {engine!r}",
        retry_after=RETRY_WITHOUT_WORKER_AFTER,
    )


def no_capacity(what: str) -> TiroError:
    """Everything that could serve the session is in use."""
    return resource_exhausted(reasons.ERROR_REASON_NO_CAPACITY, f"{what} are busy", retry_after=RETRY_AFTER)


def session_idle(seconds: float) -> TiroError:
    """The client has sent nothing for too long."""
    message = f"the client sent nothing for {seconds:g} s; send keep_alive when there is no audio"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_IDLE, message)


def client_too_slow(seconds: float) -> TiroError:
    """The client has not read a response for too long."""
    message = f"the client did not read a response for {seconds:g} s"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_CLIENT_TOO_SLOW, message)


def session_failed(message: str) -> TiroError:
    """The session cannot continue; a new one may succeed."""
    return unavailable(reasons.ERROR_REASON_SESSION_FAILED, message, retry_after=RETRY_AFTER)


def shutting_down() -> TiroError:
    """This streamer is stopping."""
    return unavailable(
        reasons.ERROR_REASON_SHUTTING_DOWN, "the service is stopping; another one takes the call", retry_after=AT_ONCE
    )


def not_ready() -> TiroError:
    """NATS does not answer."""
    return unavailable(reasons.ERROR_REASON_NOT_READY, "the message bus does not answer", retry_after=RETRY_AFTER)


def storage_full() -> TiroError:
    """NATS is full, or nearly full."""
    message = "the store of live audio is full"
    return resource_exhausted(reasons.ERROR_REASON_STORAGE_FULL, message, retry_after=FULL_RETRY_AFTER)


def audio_lost() -> TiroError:
    """NATS has lost audio that it had stored. The client can send again the audio that it still has."""
    message = "the store has lost audio of this session"
    return unavailable(reasons.ERROR_REASON_STORAGE_UNAVAILABLE, message, retry_after=RETRY_AFTER)


class ClientGone(TiroError):  # noqa: N818 - reads as the condition it reports
    """The call was cancelled, or its connection is lost: the client may resume the session."""


def client_gone() -> ClientGone:
    """The call was cancelled, or its connection is lost."""
    return ClientGone(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client has disconnected")


def session_cancelled() -> TiroError:
    """The client has cancelled the session."""
    return TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client has cancelled it")


def resumed_elsewhere() -> TiroError:
    """Another connection has taken over the session."""
    message = "the session continues on another connection"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_RESUMED_ELSEWHERE, message)


def audio_has_ended() -> TiroError:
    """The client sends audio in a session whose audio has ended."""
    message = "the audio of this session has ended: audio sent after that is not transcribed"
    return failed_precondition(reasons.ERROR_REASON_SESSION_AUDIO_ENDED, message)


def session_not_found(session_id: str) -> TiroError:
    """The tenant has no such session."""
    return not_found(reasons.ERROR_REASON_SESSION_NOT_FOUND, f"there is no live session {session_id!r}")


def history_gone() -> TiroError:
    """The session is known, and its events have expired."""
    return not_found(reasons.ERROR_REASON_SESSION_NOT_FOUND, "the events of the session have expired")


def token_invalid() -> TiroError:
    """The token does not resume the session."""
    message = "the token does not resume this session, or the session cannot be resumed"
    return TiroError(grpc.StatusCode.PERMISSION_DENIED, reasons.ERROR_REASON_RESUME_TOKEN_INVALID, message)


def sequence_out_of_range(requested: int, newest: int) -> TiroError:
    """The client names an event that the session does not have yet."""
    message = f"the session's newest event is {newest}: there is no event {requested} yet"
    return TiroError(grpc.StatusCode.OUT_OF_RANGE, reasons.ERROR_REASON_SEQUENCE_OUT_OF_RANGE, message)


def too_many_watchers(watchers_max: int) -> TiroError:
    """This streamer has reached its limit of watchers."""
    return resource_exhausted(
        reasons.ERROR_REASON_TOO_MANY_WATCHERS, f"{watchers_max} calls follow sessions already", retry_after=RETRY_AFTER
    )


def from_worker(status: Status) -> TiroError:
    """The error with which a worker has ended a session: with the worker's reason, or else SESSION_FAILED."""
    error = from_status(status)
    if error.reason == reasons.ERROR_REASON_UNSPECIFIED:
        error.reason = reasons.ERROR_REASON_SESSION_FAILED
        if error.code == grpc.StatusCode.UNKNOWN:
            error.code = grpc.StatusCode.UNAVAILABLE
    return error


def is_resumed_elsewhere(fault: BaseException) -> bool:
    """Whether a fault says that another connection has the session."""
    return isinstance(fault, TiroError) and fault.reason == reasons.ERROR_REASON_SESSION_RESUMED_ELSEWHERE


def is_connection_lost(fault: BaseException) -> bool:
    """Whether a fault is that of a lost connection: a session that can be resumed does not end with it."""
    if isinstance(fault, TiroError) and fault.reason in _CONNECTION_LOST_REASONS:
        return True
    return isinstance(fault, ClientGone | asyncio.CancelledError)


@contextmanager
def raise_first_fault() -> Iterator[None]:
    """Raise one error in place of the group of errors that a group of tasks raises."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise first_fault(group) from group


def first_fault(failure: BaseException) -> BaseException:
    """The one error that explains a failure of a group of tasks.

    Errors that this service raised on purpose precede those that followed from them, and a refusal of the audio
    precedes the end of the process that refused it.
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
