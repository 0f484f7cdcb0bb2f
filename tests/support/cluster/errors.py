"""How errors are counted: by gRPC code and Tiro's reason, as in `UNAVAILABLE NOT_READY`.

Those without a reason do not come from a service, but from gRPC or the client library: they are counted by message.
"""

from tiro_client.errors import TiroError

INTERNAL = "INTERNAL"
_MESSAGE_MAX = 70


def label(error: Exception) -> str:
    """What an error is counted as."""
    if isinstance(error, TiroError):
        return f"{error.code.name} {error.reason or error.message[:_MESSAGE_MAX]}"
    if isinstance(error, TimeoutError):
        return "NO_ANSWER"
    return type(error).__name__


def is_internal(counted: str) -> bool:
    """Whether it is a fault of the service that it has no word for."""
    return counted.split(maxsplit=1)[0] == INTERNAL
