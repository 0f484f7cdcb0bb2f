"""Faults of the service, and whether trying again helps."""

from amazon_transcribe.eventstream import ChecksumMismatch
from amazon_transcribe.exceptions import (
    BadRequestException,
    ConflictException,
    CredentialsException,
    HTTPException,
    InternalFailureException,
    LimitExceededException,
    SDKError,
    ServiceException,
    ServiceUnavailableException,
    UnknownServiceException,
)
from awscrt.exceptions import AwsCrtError

from tiro_engines.interface import EngineRefused, EngineUnavailable

PASSING = (
    ConflictException,
    HTTPException,
    InternalFailureException,
    LimitExceededException,
    ServiceUnavailableException,
)
SERVER_ERROR = 500
EXPIRED = ("Signature expired", "ExpiredToken")
"""Parts of the service's messages about old signatures and credentials: the next stream has newer ones."""
QUIET = "no new audio was received"
"""Part of the message of the BadRequestException that ends a stream to which nothing was sent for 15 seconds."""


def is_quiet(error: BaseException) -> bool:
    """Whether the service ended a stream because nothing was sent for a while."""
    return isinstance(error, BadRequestException) and QUIET in str(error.message)


def fault_of(error: BaseException) -> EngineUnavailable | EngineRefused:
    """The engine's error for an error of the SDK. It names no credentials."""
    text = f"{type(error).__name__}: {getattr(error, 'message', '') or error}"
    return EngineUnavailable(text) if _passes(error) else EngineRefused(text)


def _passes(error: BaseException) -> bool:
    text = f"{getattr(error, 'error_code', '')} {getattr(error, 'message', '')}"
    if isinstance(error, ServiceException) and any(sign in text for sign in EXPIRED):
        return True
    if isinstance(error, UnknownServiceException):
        # A wrong signature, or unknown credentials, are refused with 400 or 403.
        return int(error.status_code) >= SERVER_ERROR
    if isinstance(error, CredentialsException):
        return False
    if isinstance(error, ServiceException):
        return isinstance(error, PASSING)
    return isinstance(error, SDKError | AwsCrtError | ChecksumMismatch | OSError | TimeoutError)
