"""Translates gRPC errors and `google.rpc.Status` into this library's exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import grpc
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tiro_client import errors
from tiro_client.errors import FieldViolation, TiroError

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_KINDS: dict[grpc.StatusCode, type[TiroError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.ABORTED: errors.FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.INTERNAL: errors.InternalError,
    grpc.StatusCode.UNKNOWN: errors.InternalError,
    grpc.StatusCode.DATA_LOSS: errors.InternalError,
}


def from_status(status: Status) -> TiroError:
    """A `google.rpc.Status` as an exception."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details:
        # Unpack fills a message only if the detail is of its type.
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _KINDS.get(code, TiroError)(
        status.message or code.name,
        reason=info.reason,
        code=code,
        metadata=dict(info.metadata),
        violations=[FieldViolation(item.field, item.description) for item in bad_request.field_violations],
        retry_after=retry_after,
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> TiroError:
    """A failed call as an exception, with the details that it carries."""
    status = _status_of(error)
    if status is not None:
        return from_status(status)
    message = error.details() or error.code().name
    return _KINDS.get(error.code(), TiroError)(message, code=error.code())


def _status_of(error: grpc.aio.AioRpcError) -> Status | None:
    try:
        # An AioRpcError has the three methods that `from_call` uses of a call.
        return cast("Status | None", rpc_status.from_call(cast("grpc.Call", error)))
    except ValueError:
        # The details contradict the call's status, as when a proxy rewrote it: the status counts.
        return None


@contextmanager
def translated() -> Iterator[None]:
    """Raise gRPC's errors as `TiroError`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
