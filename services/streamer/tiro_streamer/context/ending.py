"""The end of a session on one connection."""

import asyncio
from dataclasses import dataclass, field

from tiro_core.errors import TiroError


@dataclass(slots=True)
class Ending:
    """The state of the end, which the input and the output of a connection share.

    A client gets `session_ended` only when both agree: a worker has ended the session, and the session has all input of
    this client.
    """

    input_fault: TiroError | None = None
    """The fault of the input. The input before it is transcribed; then the client gets this error instead of
    `session_ended`."""
    input_stored: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the end of the client's input is stored. Set from the start for a client without input."""
    worker_error: TiroError | None = None
    """The error with which a worker has ended the session."""
    ended_by_worker: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a worker has ended the session."""
