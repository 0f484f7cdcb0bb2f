"""The exceptions of this library: one class for each kind of failure, with the reason that the service gives."""
# ruff: noqa: N818 - the names are those of gRPC's codes: `NotFound`, not `NotFoundError`

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from tiro_client.jobs.job import Job


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """An invalid field of a request."""

    field: str
    """Path of the field, such as `transcription.config.model`."""
    description: str


class TiroError(Exception):
    """The base class of all errors that this library raises.

    Args:
        message: What went wrong, for people.
        reason: The service's reason, for programs, such as `NOT_AUDIO` (see `tiro.speech.v1.ErrorReason`). Empty when
            the error did not come from a Tiro service: no connection, deadline exceeded.
        code: The gRPC status code.
        metadata: Further values that the service gives for programs, such as `committed_size`.
        violations: The invalid fields of the request.
        retry_after: How long to wait before a retry, as the service asks. None when it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})" if self.reason else self.message


class InvalidRequest(TiroError):
    """The request, or the recording in it, is invalid. A retry cannot succeed."""


class Unauthenticated(TiroError):
    """The API key is missing, wrong or revoked."""


class PermissionDenied(TiroError):
    """The API key does not allow this."""


class NotFound(TiroError):
    """The tenant has no resource of this name."""


class AlreadyExists(TiroError):
    """The `request_id` was used for a different request."""


class FailedPrecondition(TiroError):
    """The request does not fit the state of the resource, such as an upload that is not finished."""


class ResourceExhausted(TiroError):
    """A limit of the deployment is reached."""


class Unavailable(TiroError):
    """The service cannot be reached, or lacks something that it needs, such as a worker."""


class DeadlineExceeded(TiroError):
    """The deadline passed before the operation completed."""


class InternalError(TiroError):
    """A fault of the service. `metadata["error_id"]`, where given, identifies it in the service's log."""


class JobFailed(TiroError):
    """A job ended without a transcript.

    Args:
        job: The job in its terminal state.
        error: The cause.
    """

    def __init__(self, job: "Job", error: TiroError) -> None:
        super().__init__(
            error.message,
            reason=error.reason,
            code=error.code,
            metadata=error.metadata,
            violations=error.violations,
            retry_after=error.retry_after,
        )
        self.job = job


class JobCancelled(JobFailed):
    """A job was cancelled."""


class StreamClosed(TiroError):
    """An operation on a live stream that is not open."""
