"""Starting a session: its first connection."""

import structlog

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import StreamingConfig
from tiro_core.logs.logger import get_logger
from tiro_core.routing.router import Choice, RequestConstraints, Router
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.context.session import session_context
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.records.assignment import claim_seconds, free_slots, is_served
from tiro_streamer.records.tokens import new_token
from tiro_streamer.responses.writer import Write
from tiro_streamer.session.live_session import LiveSession
from tiro_streamer.session.new_record import can_be_resumed, new_record

log = get_logger()


class SessionStarter:
    """Serves calls that begin with `config`."""

    def __init__(self, streamer: StreamerContext, router: Router) -> None:
        self._streamer = streamer
        self._router = router

    async def run(self, tenant: str, config: StreamingConfig, requests: RequestStream, write: Write) -> None:
        """Serve a new session.

        Args:
            tenant: The caller's tenant.
            config: The first request.
            requests: The requests after it.
            write: Sends a response.

        Raises:
            TiroError: The session is refused, or ends on this connection with an error.
            MessagingError: NATS did not answer, or refuses the session.
        """
        streamer, settings = self._streamer, self._streamer.settings
        streamer.store.require_room()
        resume_token = new_token() if can_be_resumed(config) else ""
        record = new_record(tenant, config, self._choose(tenant, config.recognition), resume_token)
        structlog.contextvars.bind_contextvars(session=record.session_id)
        seconds = claim_seconds(streamer.workers, record.recognition, settings)
        recognition = record.recognition
        log.info("session_begins", engine=recognition.engine, model=recognition.model, policy=record.policy)
        context = session_context(streamer, record, write, resume_token=resume_token)
        audio_log = AudioLogWriter(
            streamer.bus,
            record,
            buffer_bytes_max=settings.audio_buffer_bytes_max,
            lead_seconds_max=settings.lead_seconds_max,
        )
        await LiveSession(context, audio_log, requests, claim_seconds=seconds).run()

    def _choose(self, tenant: str, asked: RecognitionConfig) -> Choice:
        return self._router.choose(
            tenant,
            asked,
            "config.recognition",
            RequestConstraints(
                check=lambda _: None,
                has_room=lambda config: free_slots(self._streamer.workers, config) > 0,
                is_served=lambda config: is_served(self._streamer.workers, config),
            ),
        )
