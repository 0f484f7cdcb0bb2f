"""The server's record of one stream."""

from dataclasses import dataclass
from enum import StrEnum

from tests.support.transcribe_service.request import StreamRequest


class End(StrEnum):
    """How a stream ended."""

    FINISHED = "finished"
    """The client ended it, and all results were sent."""
    FAILED = "failed"
    """The server refused it, or ended it with an exception event: `StreamRecord.failure` names it."""
    CUT = "cut"
    """The server cut the connection."""
    LEFT = "left"
    """The client closed the connection, or reset the stream."""


@dataclass(slots=True)
class StreamRecord:
    """One stream, from its request on. The server's thread writes it."""

    headers: dict[str, str]
    """Headers of the request, by lower-case name; `host` is the authority."""
    request: StreamRequest | None = None
    """Parameters of the request; None where they are invalid."""
    request_verified: bool = False
    """Whether the request's signature is right."""
    chunks_verified: int = 0
    """Number of chunks with a right signature, the last, empty one included. Each is signed over the one before."""
    audio_events: int = 0
    audio_seconds: float = 0.0
    """Seconds of received audio."""
    ahead_seconds: float = 0.0
    """The largest lead of the audio over real time, in seconds."""
    sent: int = 0
    """Number of sent events."""
    end: End | None = None
    failure: str | None = None
    """The name of the exception it ended with."""
