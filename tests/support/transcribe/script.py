"""What a stream is told to do."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception of the service: `BadRequestException` and so on, with its message."""

    name: str
    message: str = "as the test wants it"


STATUS = {
    "BadRequestException": 400,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
    "ConflictException": 409,
    "LimitExceededException": 429,
    "InternalFailureException": 500,
    "ServiceUnavailableException": 503,
}
"""HTTP status codes of the service's public model; those of signatures are common to AWS's services."""


@dataclass(frozen=True, slots=True)
class Script:
    """One stream. By default it hears to the end."""

    refuse: Fault | None = None
    """Answer the request with it."""
    throw: Fault | None = None
    """Send it as an event, after `seconds`."""
    cut: bool = False
    """Cut the connection after `seconds`."""
    stall: bool = False
    """Say nothing more after `seconds`."""
    seconds: float = inf
    """Of audio."""
