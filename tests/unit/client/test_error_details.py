"""The client's exceptions from gRPC errors."""

from datetime import timedelta

import grpc
import pytest
from grpc_status import rpc_status

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_client import errors
from tiro_client.calls.error_details import from_rpc_error, from_status
from tiro_core.errors import FieldViolation, TiroError

CODES = grpc.StatusCode


def rpc_error(error: TiroError, *, code: grpc.StatusCode | None = None) -> grpc.aio.AioRpcError:
    """The gRPC error of a call that failed with this error."""
    status = rpc_status.to_status(error.to_status())
    return grpc.aio.AioRpcError(
        code or status.code, grpc.aio.Metadata(), grpc.aio.Metadata(*status.trailing_metadata), details=status.details
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CODES.INVALID_ARGUMENT, errors.InvalidRequest),
        (CODES.UNAUTHENTICATED, errors.Unauthenticated),
        (CODES.PERMISSION_DENIED, errors.PermissionDenied),
        (CODES.NOT_FOUND, errors.NotFound),
        (CODES.ALREADY_EXISTS, errors.AlreadyExists),
        (CODES.FAILED_PRECONDITION, errors.FailedPrecondition),
        (CODES.ABORTED, errors.FailedPrecondition),
        (CODES.RESOURCE_EXHAUSTED, errors.ResourceExhausted),
        (CODES.UNAVAILABLE, errors.Unavailable),
        (CODES.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
        (CODES.INTERNAL, errors.InternalError),
    ],
)
def test_each_status_code_has_its_exception(code: grpc.StatusCode, kind: type[errors.TiroError]) -> None:
    """The status code determines the class of the exception."""
    found = from_rpc_error(rpc_error(TiroError(code, reasons.ERROR_REASON_INTERNAL, "why")))
    assert type(found) is kind
    assert found.code is code


def test_all_details_are_read() -> None:
    """Reason, metadata, violations and delay of the service's error are on the exception."""
    sent = TiroError(
        CODES.RESOURCE_EXHAUSTED,
        reasons.ERROR_REASON_QUEUE_FULL,
        "the queue is full",
        {"queue": "jobs"},
        [FieldViolation("transcription.config.model", "unknown")],
        timedelta(seconds=2.5),
    )
    found = from_rpc_error(rpc_error(sent))
    assert found.reason == "QUEUE_FULL"
    assert found.message == "the queue is full"
    assert found.metadata == {"queue": "jobs"}
    assert found.violations == (errors.FieldViolation("transcription.config.model", "unknown"),)
    assert found.retry_after == timedelta(seconds=2.5)
    assert str(found) == "the queue is full (QUEUE_FULL)"


def test_an_error_without_details_is_classified_by_its_code() -> None:
    """An error that does not come from a Tiro service has no reason, and keeps its message."""
    bare = grpc.aio.AioRpcError(CODES.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="no route")
    found = from_rpc_error(bare)
    assert isinstance(found, errors.Unavailable)
    assert (found.reason, found.message, found.retry_after) == ("", "no route", None)


def test_details_that_contradict_the_status_code_are_ignored() -> None:
    """When a proxy has changed the status code, the code of the call counts."""
    error = rpc_error(TiroError(CODES.NOT_FOUND, reasons.ERROR_REASON_UPLOAD_NOT_FOUND, "gone"), code=CODES.UNAVAILABLE)
    assert type(from_rpc_error(error)) is errors.Unavailable


def test_a_status_of_a_later_service_is_still_an_error() -> None:
    """An unknown status code is an error with the service's message."""
    status = TiroError(CODES.NOT_FOUND, reasons.ERROR_REASON_UPLOAD_NOT_FOUND, "gone").to_status()
    status.code = 99
    assert from_status(status).message == "gone"
