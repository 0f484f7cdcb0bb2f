"""Going on with a session over a new connection."""

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Resume
from tiro_core.logs.logger import get_logger
from tiro_core.server.interception import Context
from tiro_streamer.audio_log.position import LogPosition, find_position
from tiro_streamer.audio_log.writer import AudioLogTaken
from tiro_streamer.errors import raise_first_fault, resumed_elsewhere, token_invalid
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.metrics import SESSIONS_RESUMED
from tiro_streamer.output.watcher import SessionWatcher
from tiro_streamer.session.builder import SessionBuilder
from tiro_streamer.session.history import check_sequence, find_session
from tiro_streamer.session.live_session import LiveSession, SessionEnvironment
from tiro_streamer.session.tokens import opens

TAKE_OVER_TRIES_MAX = 5
"""The connection that is to be replaced may write meanwhile, so often at most."""

log = get_logger()


class SessionResumer:
    """Serves calls that begin with `resume`."""

    def __init__(self, environment: SessionEnvironment, builder: SessionBuilder) -> None:
        self._environment = environment
        self._builder = builder

    async def run(self, tenant: str, resume: Resume, requests: RequestStream, context: Context) -> None:
        """Serve the session from where its client has it.

        Raises:
            TiroError: It cannot be resumed, or why it could not be finished here.
        """
        bus = self._environment.bus
        record = await find_session(bus, tenant, resume.session_id)
        if not opens(resume.resume_token, record):
            raise token_invalid()
        newest = await check_sequence(bus, record, resume.after_sequence)
        for _ in range(TAKE_OVER_TRIES_MAX):
            place = await find_position(bus, tenant, record.session_id)
            if record.state == SessionRecord.STATE_ENDED or newest.HasField("ended") or place.ended:
                await self._hear_the_rest(record, resume, place, newest, context)
                return
            try:
                parts = await self._builder.resumed(
                    record,
                    requests,
                    context,
                    place=place,
                    after_sequence=resume.after_sequence,
                    audio_from_start=resume.audio_from_start,
                )
            except AudioLogTaken:
                record = await find_session(bus, tenant, resume.session_id)
                continue
            SESSIONS_RESUMED.inc()
            log.info("session_resumed", samples=place.samples, after_sequence=resume.after_sequence)
            await LiveSession(self._environment, parts).run()
            return
        raise resumed_elsewhere()

    async def _hear_the_rest(
        self, record: SessionRecord, resume: Resume, place: LogPosition, newest: LiveEvent, context: Context
    ) -> None:
        """The audio is complete: there is nothing to send, only to hear."""
        responder = self._builder.responder(context, after_sequence=resume.after_sequence)
        responses = self._builder.responses(record)
        samples = newest.ended.sample_count if newest.HasField("ended") else place.samples
        responder.offer_notice(responses.of_resumed(samples, place.controls))
        watching = SessionWatcher(
            self._environment.bus,
            record,
            responder=responder,
            responses=responses,
            after_sequence=resume.after_sequence,
            partials=True,
        )
        with raise_first_fault():
            await self._environment.drain.unless_closing(watching.run())
