"""What a caller learns of a fault: the one table from exceptions to errors of the contract.

Calls, jobs and live sessions use it alike. What has no entry is a fault of ours: its caller gets an id, and the log
has the rest under it.
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
from tiro_core.messaging.errors import BusUnavailable, Conflict, Limit, StreamFull

RETRY_AFTER = timedelta(seconds=1)
"""When a caller may try again whom a passing fault has met."""
FULL_RETRY_AFTER = timedelta(seconds=30)
"""The same where there is no room: an operator, or the removal of what has expired, must make some."""

log = get_logger()


def for_caller(error: BaseException) -> TiroError:
    """The error of the contract for a fault. One that only the log can explain is logged here."""
    known = known_for_caller(error)
    return internal_error(error) if known is None else known


def known_for_caller(error: BaseException) -> TiroError | None:
    """The error of the contract for a fault that a caller can make something of. None: it is a fault of ours."""
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
    message = "there is no room to store this now"
    return resource_exhausted(reasons.ERROR_REASON_STORAGE_FULL, message, retry_after=FULL_RETRY_AFTER)


def _no_bus(error: BusUnavailable) -> TiroError:
    log.warning("nats_unavailable", error=str(error))
    return unavailable(reasons.ERROR_REASON_NOT_READY, "the message bus is away", retry_after=RETRY_AFTER)


def _conflict(error: Conflict) -> TiroError:
    log.warning("write_conflict", error=str(error))
    message = "others changed the same resource at the same time"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_CONFLICT, message, retry_after=RETRY_AFTER)


_TABLE: Sequence[tuple[type[Exception], Callable[[Any], TiroError]]] = (
    (AudioTooLongError, _too_long),
    (AudioError, _bad_audio),
    (StorageUnavailable, _no_blobs),
    (StreamFull, _no_room),
    (BusUnavailable, _no_bus),
    (Conflict, _conflict),
)
"""What is made of each kind of fault; the first that fits counts."""


def internal_error(error: BaseException) -> TiroError:
    """INTERNAL, with an id that the log has too."""
    error_id = secrets.token_hex(8)
    log.error("internal_error", error_id=error_id, exc_info=error)
    message = f"internal error {error_id}; the service's log has more under this id"
    metadata = {"error_id": error_id}
    return TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_INTERNAL, message, metadata)
