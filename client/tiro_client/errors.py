"""What a caller is told when something fails: one exception for each kind, with the service's own reason."""
# ruff: noqa: N818 - these are named as gRPC names its codes: `NotFound`, not `NotFoundError`

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from tiro_client.jobs.models import Job


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of a request that breaks a rule."""

    field: str
    """Path of the field, as in `transcription.config.model`."""
    description: str


class TiroError(Exception):
    """The base of every error that this library raises.

    Args:
        message: What went wrong, for people.
        reason: The service's stable reason, as in `NOT_AUDIO` (see `tiro.speech.v1.ErrorReason`). Empty when the error
            did not come from a Tiro service: no connection, no answer in time.
        code: The gRPC status code.
        metadata: What the service adds for programs, as in `committed_size`.
        violations: The fields of the request that break a rule.
        retry_after: When the service thinks it is worth trying again. None when it says nothing.
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
    """The request, or the recording in it, cannot be accepted, now or later."""


class Unauthenticated(TiroError):
    """The API key is missing, wrong or revoked."""


class PermissionDenied(TiroError):
    """The API key does not allow this."""


class NotFound(TiroError):
    """The tenant has no such thing."""


class AlreadyExists(TiroError):
    """The `request_id` was used for something else."""


class FailedPrecondition(TiroError):
    """The request does not fit the state of things: an upload that is not finished, a transcript not yet there."""


class ResourceExhausted(TiroError):
    """A limit of the deployment is reached."""


class Unavailable(TiroError):
    """The service cannot be reached, or lacks something it needs, as a worker."""


class DeadlineExceeded(TiroError):
    """There was no answer in time."""


class InternalError(TiroError):
    """A fault of the service. `metadata["error_id"]`, where given, is found in its log."""


class JobFailed(TiroError):
    """A job ended without a transcript.

    Args:
        job: The job, as it ended.
        error: Why.
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
    """Something was sent on a live stream that is not open."""
