"""Resuming a session: a further connection, which replaces the one before."""

import asyncio
import random
from dataclasses import replace

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Resume
from tiro_core.errors import TiroError
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.event_log import Fenced
from tiro_streamer.audio_log.complete import CompleteAudioLog
from tiro_streamer.audio_log.position import LogPosition, find_position
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.context.session import SessionContext, session_context
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.errors import raise_first_fault, resumed_elsewhere, session_cancelled, token_invalid
from tiro_streamer.input.reader import RequestReader, SessionCancelled
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.metrics import SESSIONS_RESUMED
from tiro_streamer.output.watcher import SessionWatcher
from tiro_streamer.records.history import check_sequence, find_session
from tiro_streamer.records.tokens import resumes
from tiro_streamer.responses.writer import Write
from tiro_streamer.session.live_session import LiveSession

TAKE_OVER_TRIES_MAX = 10
"""How often a take-over is tried again because the connection before has written once more."""
TAKE_OVER_WAIT_SECONDS_MAX = 0.05
"""The longest wait between two of these tries. It is random, so that a regular writer does not win every time."""

log = get_logger()


class SessionResumer:
    """Serves calls that begin with `resume`."""

    def __init__(self, streamer: StreamerContext) -> None:
        self._streamer = streamer

    async def run(self, tenant: str, resume: Resume, requests: RequestStream, write: Write) -> None:
        """Serve the session from the last event that its client has.

        Args:
            tenant: The caller's tenant.
            resume: The first request.
            requests: The requests after it.
            write: Sends a response.

        Raises:
            TiroError: The session cannot be resumed, or ends on this connection with an error.
            MessagingError: NATS did not answer, or refuses the session.
        """
        bus = self._streamer.bus
        record = await find_session(bus, tenant, resume.session_id)
        if not resumes(resume.resume_token, record):
            raise token_invalid()
        newest = await check_sequence(bus, record, resume.after_sequence)
        for _ in range(TAKE_OVER_TRIES_MAX):
            position = await find_position(bus, tenant, record.session_id)
            context = session_context(self._streamer, record, write, after_sequence=resume.after_sequence)
            if record.state == SessionRecord.STATE_ENDED or newest.HasField("ended") or position.ended:
                position = _final_position(position, newest)
                await self._follow_to_end(context, position, requests, from_start=resume.audio_from_start)
                return
            audio_log = self._audio_log(record, position)
            if await self._take_over(record, audio_log):
                await self._serve(context, audio_log, requests, from_start=resume.audio_from_start)
                return
            await asyncio.sleep(random.uniform(0, TAKE_OVER_WAIT_SECONDS_MAX))  # noqa: S311 - jitter keeps no secret
            record = await find_session(bus, tenant, resume.session_id)
        raise resumed_elsewhere()

    async def _serve(
        self, context: SessionContext, audio_log: AudioLogWriter, requests: RequestStream, *, from_start: bool
    ) -> None:
        """Continue a session whose audio log this connection has taken over."""
        SESSIONS_RESUMED.inc()
        log.info("session_resumed", samples=audio_log.position.samples, after_sequence=context.after_sequence)
        context.client.offer_notice(context.responses.of_resumed(audio_log.position))
        await LiveSession(context, audio_log, requests, from_start=from_start).run()

    async def _follow_to_end(
        self, context: SessionContext, position: LogPosition, requests: RequestStream, *, from_start: bool
    ) -> None:
        """Forward the remaining events of a session whose audio has ended. Its client can send no more audio.

        The last event is sent after the client has half-closed: a client that sends more audio gets an error instead.
        """
        context.client.offer_notice(context.responses.of_resumed(position))
        reader = RequestReader(context, CompleteAudioLog(position), requests, from_start=from_start)

        async def read() -> None:
            try:
                await reader.run()
            except SessionCancelled:
                raise session_cancelled() from None
            context.ending.input_stored.set()

        async def follow() -> None:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(read(), name="requests")
                await SessionWatcher(context, partials=True).run()
                reading.cancel()

        with raise_first_fault():
            await self._streamer.drain.unless_draining(follow())

    async def _take_over(self, record: SessionRecord, audio_log: AudioLogWriter) -> bool:
        """Take over an audio log. Returns whether that succeeded: not when the writer before has written meanwhile."""
        try:
            await audio_log.take_over()
        except Fenced:
            await audio_log.close()
            return False
        except BaseException:
            # The writer before may be refused from here on: then only this connection can keep the session.
            try:
                self._streamer.detached.keep(record, audio_log)
            except TiroError as refusal:
                log.warning("session_not_detached", reason=str(refusal))
                await audio_log.close()
            raise
        return True

    def _audio_log(self, record: SessionRecord, position: LogPosition) -> AudioLogWriter:
        settings = self._streamer.settings
        return AudioLogWriter(
            self._streamer.bus,
            record,
            position,
            buffer_bytes_max=settings.audio_buffer_bytes_max,
            lead_seconds_max=settings.lead_seconds_max,
        )


def _final_position(position: LogPosition, newest: LiveEvent) -> LogPosition:
    """The end of an audio log. If the log is purged already, the last event has its length."""
    samples = newest.ended.sample_count if newest.HasField("ended") else position.samples
    return replace(position, samples=samples, ended=True)
