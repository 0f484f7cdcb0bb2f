"""What goes wrong at the service, and whether trying again helps."""

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
"""In what the service says of signatures that are too old, and of credentials: the next stream has newer ones."""
QUIET = "no new audio was received"
"""In the message of the BadRequestException that ends a stream to which nothing was sent for 15 seconds."""


def is_quiet(error: BaseException) -> bool:
    """Whether a stream was ended because nobody spoke."""
    return isinstance(error, BadRequestException) and QUIET in str(error.message)


def fault_of(error: BaseException) -> EngineUnavailable | EngineRefused:
    """The error for those who know nothing of the SDK. It names no credentials."""
    told = f"{type(error).__name__}: {getattr(error, 'message', '') or error}"
    return EngineUnavailable(told) if _passes(error) else EngineRefused(told)


def _passes(error: BaseException) -> bool:
    told = f"{getattr(error, 'error_code', '')} {getattr(error, 'message', '')}"
    if isinstance(error, ServiceException) and any(sign in told for sign in EXPIRED):
        return True
    if isinstance(error, UnknownServiceException):
        # What is signed wrong, or by nobody that the service knows, is refused with 400 or 403.
        return int(error.status_code) >= SERVER_ERROR
    if isinstance(error, CredentialsException):
        return False
    if isinstance(error, ServiceException):
        return isinstance(error, PASSING)
    return isinstance(error, SDKError | AwsCrtError | ChecksumMismatch | OSError | TimeoutError)
