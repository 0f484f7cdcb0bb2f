"""What the parts of one connection to a session share."""

from dataclasses import dataclass, field

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_streamer.context.ending import Ending
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.responses.builder import ResponseBuilder
from tiro_streamer.responses.writer import ResponseWriter, Write


@dataclass(frozen=True, slots=True)
class SessionContext:
    """One connection to a session."""

    streamer: StreamerContext
    record: SessionRecord
    """The session. Its engine and model follow those of the worker that has it."""
    client: ResponseWriter
    responses: ResponseBuilder
    after_sequence: int
    """The number of the last event that the client had before."""
    ending: Ending = field(default_factory=Ending)

    @property
    def is_resumable(self) -> bool:
        """Whether the session may go on over another connection."""
        return bool(self.record.resume_token_sha256)


def session_context(
    streamer: StreamerContext, record: SessionRecord, write: Write, *, after_sequence: int = 0, resume_token: str = ""
) -> SessionContext:
    """The context of a new connection.

    Args:
        streamer: Where it is.
        record: Its session.
        write: Sends a response to its client.
        after_sequence: The number of the last event that the client has already.
        resume_token: What resumes the session, for a client that is to know it.
    """
    settings = streamer.settings
    client = ResponseWriter(write, write_seconds_max=settings.write_seconds_max, after_sequence=after_sequence)
    responses = ResponseBuilder(record, settings, resume_token=resume_token)
    return SessionContext(streamer, record, client, responses, after_sequence)
