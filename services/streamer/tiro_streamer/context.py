"""What the parts of a streamer share, and what the parts of one connection to a session share."""

from dataclasses import dataclass, field

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.messaging.connection import Bus
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.workers import WorkerDirectory
from tiro_streamer.detached import DetachedSessions
from tiro_streamer.drain import Drain
from tiro_streamer.ending import Ending
from tiro_streamer.responses.builder import ResponseBuilder
from tiro_streamer.responses.writer import ResponseWriter, Write
from tiro_streamer.settings import StreamerSettings
from tiro_streamer.store_watch import StoreWatch


@dataclass(frozen=True, slots=True)
class StreamerContext:
    """What every session of a streamer uses."""

    settings: StreamerSettings
    bus: Bus
    workers: WorkerDirectory
    resolver: RecognitionResolver
    launcher: MediaLauncher
    drain: Drain
    detached: DetachedSessions
    store: StoreWatch


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
