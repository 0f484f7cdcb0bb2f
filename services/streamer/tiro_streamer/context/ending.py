"""How a session ends over one connection."""

import asyncio
from dataclasses import dataclass, field

from tiro_core.errors import TiroError


@dataclass(slots=True)
class Ending:
    """What the input and the output of a connection know of the end. They share it.

    A client sees `session_ended` only when both agree: a worker has ended the session, and everything that this client
    has sent is in it.
    """

    input_fault: TiroError | None = None
    """What was wrong with the input. What came before it is transcribed; then the client gets this, and not
    `session_ended`."""
    input_stored: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the end of the client's input is stored, and so all of it. Set from the start for a client without."""
    worker_error: TiroError | None = None
    """The error with which a worker has ended the session."""
    ended_by_worker: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a worker has ended the session."""
