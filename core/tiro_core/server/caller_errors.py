"""The one table from exceptions to the errors that callers get, for calls, jobs and live sessions.

An exception without an entry is a fault of the service: the caller gets an id, and the log has the details under it.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import grpc

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.errors import AudioError, AudioTooLongError
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.errors import TiroError, invalid_argument, reason_from_name, resource_exhausted, unavailable
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import BusUnavailable, Conflict, Limit, StreamFull, Unreadable

RETRY_AFTER = timedelta(seconds=1)
"""When a caller may try again after a temporary fault."""
FULL_RETRY_AFTER = timedelta(seconds=30)
"""The same when the store is full: first an operator, or the removal of expired data, must make room."""

log = get_logger()


def for_caller(error: BaseException) -> TiroError:
    """The error that a caller gets for an exception. An exception without an entry is logged here, with an id."""
    known = known_for_caller(error)
    return internal_error(error) if known is None else known


def known_for_caller(error: BaseException) -> TiroError | None:
    """The error that a caller gets for an exception that is in the table. None: it has no entry."""
    if isinstance(error, TiroError):
        return error
    return next((make(error) for kind, make in _TABLE if isinstance(error, kind)), None)


def _too_long(error: AudioTooLongError) -> TiroError:
    return resource_exhausted(reason_from_name(error.reason), str(error), retry_after=timedelta(0))


def _bad_audio(error: AudioError) -> TiroError:
    return invalid_argument(reason_from_name(error.reason), str(error))


def _no_blobs(error: StorageUnavailable) -> TiroError:
    log.warning("blobs_unavailable", error=str(error))
    return storage_unavailable()


def _no_room(error: StreamFull) -> TiroError:
    if error.limit is Limit.MESSAGES:
        log.warning("queue_full", error=str(error))
        return resource_exhausted(reasons.ERROR_REASON_QUEUE_FULL, "the queue is full", retry_after=RETRY_AFTER)
    log.error("storage_full", error=str(error))
    message = "the store is full"
    return resource_exhausted(reasons.ERROR_REASON_STORAGE_FULL, message, retry_after=FULL_RETRY_AFTER)


def _no_bus(error: BusUnavailable) -> TiroError:
    log.warning("nats_unavailable", error=str(error))
    return unavailable(reasons.ERROR_REASON_NOT_READY, "the message bus does not answer", retry_after=RETRY_AFTER)


def _conflict(error: Conflict) -> TiroError:
    log.warning("write_conflict", error=str(error))
    message = "other calls changed the same resource at the same time"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_CONFLICT, message, retry_after=RETRY_AFTER)


def _unreadable(error: Unreadable) -> TiroError:
    log.error("record_unreadable", reason=str(error))
    message = "what is stored of the resource cannot be read: an operator must restore or delete it"
    return TiroError(grpc.StatusCode.DATA_LOSS, reasons.ERROR_REASON_RECORD_UNREADABLE, message)


_TABLE: Sequence[tuple[type[Exception], Callable[[Any], TiroError]]] = (
    (AudioTooLongError, _too_long),
    (AudioError, _bad_audio),
    (StorageUnavailable, _no_blobs),
    (StreamFull, _no_room),
    (BusUnavailable, _no_bus),
    (Conflict, _conflict),
    (Unreadable, _unreadable),
)
"""The error for each kind of exception; the first entry that fits is used."""


def internal_error(error: BaseException) -> TiroError:
    """INTERNAL, with an id under which the log has the exception."""
    error_id = secrets.token_hex(8)
    log.error("internal_error", error_id=error_id, exc_info=error)
    message = f"internal error {error_id}; the service's log has details under this id"
    metadata = {"error_id": error_id}
    return TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_INTERNAL, message, metadata)
