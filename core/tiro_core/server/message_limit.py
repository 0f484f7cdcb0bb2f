"""The limit of a message's size, with an error that says what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError
from tiro_core.server.interception import AroundInterceptor

RECEIVED_FACTOR = 4
"""Messages up to this many times the limit are received and refused here. gRPC itself refuses larger ones, before it
has them in memory, and its error says no more than both sizes."""


class MessageLimitInterceptor(AroundInterceptor):
    """Refuses requests that are too large, without parsing them.

    Args:
        bytes_max: The limit in bytes.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max

    def deserializer(self, inner: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
        """Parse requests within the limit only."""
        if inner is None:
            return None
        return lambda data: _TooLarge(len(data)) if len(data) > self._bytes_max else inner(data)

    def on_request(self, request: Any) -> None:
        """Check one request.

        Raises:
            TiroError: INVALID_ARGUMENT; the request is too large.
        """
        if isinstance(request, _TooLarge):
            raise TiroError(
                grpc.StatusCode.INVALID_ARGUMENT,
                reasons.ERROR_REASON_INVALID_REQUEST,
                f"the message has {request.size} bytes, and at most {self._bytes_max} are accepted: send a larger "
                "recording in pieces, with tiro.transcription.v1.UploadService, and live audio in messages of up to "
                "256 KiB",
            )


@dataclass(frozen=True, slots=True)
class _TooLarge:
    """Stands for a request that was not parsed."""

    size: int
