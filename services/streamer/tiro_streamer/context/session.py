"""The context of one connection to a session, which its parts share."""

from dataclasses import dataclass, field

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_streamer.context.ending import Ending
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.responses.builder import ResponseBuilder
from tiro_streamer.responses.writer import ResponseWriter, Write


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The context of one connection to a session."""

    streamer: StreamerContext
    record: SessionRecord
    """The session. Its engine and model are updated when a worker of another engine takes over."""
    client: ResponseWriter
    responses: ResponseBuilder
    after_sequence: int
    """The number of the last event that the client had before this connection."""
    ending: Ending = field(default_factory=Ending)

    @property
    def is_resumable(self) -> bool:
        """Whether another connection may continue the session."""
        return bool(self.record.resume_token_sha256)


def session_context(
    streamer: StreamerContext, record: SessionRecord, write: Write, *, after_sequence: int = 0, resume_token: str = ""
) -> SessionContext:
    """The context of a new connection.

    Args:
        streamer: The context of the streamer.
        record: The session.
        write: Sends a response to the client.
        after_sequence: The number of the last event that the client has already.
        resume_token: The token that resumes the session. Empty for a client that must not have it.
    """
    settings = streamer.settings
    client = ResponseWriter(write, write_seconds_max=settings.write_seconds_max, after_sequence=after_sequence)
    responses = ResponseBuilder(record, settings, resume_token=resume_token)
    return SessionContext(streamer, record, client, responses, after_sequence)
