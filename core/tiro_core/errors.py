"""The errors that callers get: a stable reason, a gRPC code, and when to try again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from tiro.speech.v1.error_reason_pb2 import ErrorReason

DOMAIN = "tiro"
_REASON_PREFIX = "ERROR_REASON_"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of a request that breaks a rule."""

    field: str
    """Path of the field, as in `transcription.config.model`."""
    description: str


@dataclass(slots=True)
class TiroError(Exception):
    """An error of the contract, as callers see it."""

    code: grpc.StatusCode
    reason: "ErrorReason.ValueType"
    message: str
    """For people. It names no server, file or process."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[FieldViolation] = ()
    retry_after: timedelta | None = None
    """When a caller may try again. None when that is not known."""

    def __str__(self) -> str:
        return f"{reason_name(self.reason)}: {self.message}"

    def to_status(self) -> Status:
        """The same as a `google.rpc.Status`, with `ErrorInfo` and the details that apply."""
        details = [error_details_pb2.ErrorInfo(reason=reason_name(self.reason), domain=DOMAIN, metadata=self.metadata)]
        packed = [_pack(detail) for detail in details]
        if self.violations:
            fields = [
                error_details_pb2.BadRequest.FieldViolation(field=item.field, description=item.description)
                for item in self.violations
            ]
            packed.append(_pack(error_details_pb2.BadRequest(field_violations=fields)))
        if self.retry_after is not None:
            delay = Duration()
            delay.FromTimedelta(self.retry_after)
            packed.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
        return Status(code=code_pb2.Code.Value(self.code.name), message=self.message, details=packed)


def from_status(status: Status) -> TiroError:
    """The error of which a status was made, with all its details."""
    error = TiroError(_code(status), ErrorReason.ERROR_REASON_UNSPECIFIED, status.message)
    info, request, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            error.reason, error.metadata = _reason_of(info), dict(info.metadata)
        elif detail.Unpack(request):
            error.violations = [FieldViolation(item.field, item.description) for item in request.field_violations]
        elif detail.Unpack(retry):
            error.retry_after = retry.retry_delay.ToTimedelta()
    return error


def _reason_of(info: error_details_pb2.ErrorInfo) -> "ErrorReason.ValueType":
    """The reason of a status; unspecified where this version does not know it."""
    name = _REASON_PREFIX + info.reason
    known = name in ErrorReason.keys()  # noqa: SIM118 - the enum is no mapping
    return ErrorReason.Value(name) if known else ErrorReason.ERROR_REASON_UNSPECIFIED


def _code(status: Status) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == status.code)


def _pack(detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed


def reason_name(reason: "ErrorReason.ValueType") -> str:
    """The name of a reason as callers see it, as in `NOT_AUDIO`."""
    return ErrorReason.Name(reason).removeprefix(_REASON_PREFIX)


def reason_from_name(name: str) -> "ErrorReason.ValueType":
    """The reason that callers see as `name`.

    Raises:
        ValueError: There is no such reason.
    """
    return ErrorReason.Value(_REASON_PREFIX + name)


def invalid_argument(
    reason: "ErrorReason.ValueType", message: str, *, field_path: str | None = None, **metadata: str
) -> TiroError:
    """INVALID_ARGUMENT: the request cannot be served, now or later."""
    violations = [FieldViolation(field_path, message)] if field_path else []
    return TiroError(grpc.StatusCode.INVALID_ARGUMENT, reason, message, metadata, violations)


def not_found(reason: "ErrorReason.ValueType", message: str) -> TiroError:
    """NOT_FOUND: the caller's tenant has no such resource."""
    return TiroError(grpc.StatusCode.NOT_FOUND, reason, message)


def failed_precondition(reason: "ErrorReason.ValueType", message: str, **metadata: str) -> TiroError:
    """FAILED_PRECONDITION: the state of the resource does not allow the request."""
    return TiroError(grpc.StatusCode.FAILED_PRECONDITION, reason, message, metadata)


def resource_exhausted(reason: "ErrorReason.ValueType", message: str, *, retry_after: timedelta) -> TiroError:
    """RESOURCE_EXHAUSTED: a limit is reached; the caller may try again later."""
    return TiroError(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, message, retry_after=retry_after)


def unavailable(reason: "ErrorReason.ValueType", message: str, *, retry_after: timedelta) -> TiroError:
    """UNAVAILABLE: something that the call needs does not answer now; the caller may try again later."""
    return TiroError(grpc.StatusCode.UNAVAILABLE, reason, message, retry_after=retry_after)
