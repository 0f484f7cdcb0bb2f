"""Labels under which errors are counted: gRPC code and Tiro's reason, as in `UNAVAILABLE NOT_READY`.

Errors of gRPC and of the client library have no reason. Their label has the message instead.
"""

from tiro_client.errors import TiroError

INTERNAL = "INTERNAL"
_MESSAGE_MAX = 70


def label(error: Exception) -> str:
    """The label of an error."""
    if isinstance(error, TiroError):
        return f"{error.code.name} {error.reason or error.message[:_MESSAGE_MAX]}"
    if isinstance(error, TimeoutError):
        return "NO_ANSWER"
    return type(error).__name__


def is_internal(counted: str) -> bool:
    """Whether a label is of an internal error of a service."""
    return counted.split(maxsplit=1)[0] == INTERNAL
