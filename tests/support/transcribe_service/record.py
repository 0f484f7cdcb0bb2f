"""What the server knows of one stream."""

from dataclasses import dataclass
from enum import StrEnum

from tests.support.transcribe_service.request import StreamRequest


class End(StrEnum):
    """How a stream ended."""

    FINISHED = "finished"
    """The client ended it, and all results were sent."""
    FAILED = "failed"
    """The server refused it, or threw an exception into it: `StreamRecord.failure` names it."""
    CUT = "cut"
    """The server cut the connection."""
    LEFT = "left"
    """The client closed the connection, or reset the stream."""


@dataclass(slots=True)
class StreamRecord:
    """One stream, from its request on. The server's thread writes it."""

    headers: dict[str, str]
    """Of the request, by lower-case name; `host` is the authority."""
    request: StreamRequest | None = None
    """What was asked for; None where that could not be read."""
    request_verified: bool = False
    """Whether the request's signature is right."""
    chunks_verified: int = 0
    """Chunks, each of them signed over the one before. The last, empty one is among them."""
    audio_events: int = 0
    audio_seconds: float = 0.0
    """Audio received."""
    ahead_seconds: float = 0.0
    """The most by which audio was ahead of real time."""
    sent: int = 0
    """Events sent."""
    end: End | None = None
    failure: str | None = None
    """The name of the exception it ended with."""
