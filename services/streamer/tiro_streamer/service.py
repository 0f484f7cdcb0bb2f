"""The streaming service: a session, or somebody who follows one, for each call."""

from collections.abc import AsyncIterator

import structlog

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import (
    Resume,
    StreamingConfig,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
    WatchSessionRequest,
    WatchSessionResponse,
)
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceServicer
from tiro_core.logs.logger import get_logger
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import Choice, RequestConstraints, Router
from tiro_core.server.auth.tenant import current_tenant
from tiro_core.server.interception import Context
from tiro_streamer.errors import not_ready, raise_first_fault
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.metrics import SESSIONS_ACTIVE
from tiro_streamer.output.watcher import SessionWatcher, WatcherLimit
from tiro_streamer.output.writer import ResponseWriter
from tiro_streamer.session.assignment import claim_seconds, free_slots, is_served
from tiro_streamer.session.builder import SessionBuilder, writing_to
from tiro_streamer.session.history import check_sequence, find_session
from tiro_streamer.session.live_session import LiveSession, SessionEnvironment
from tiro_streamer.session.record import new_record, wants_resuming
from tiro_streamer.session.resume import SessionResumer
from tiro_streamer.session.tokens import new_token

log = get_logger()


class StreamingService(StreamingServiceServicer):
    """Serves `tiro.streaming.v1.StreamingService`."""

    def __init__(self, environment: SessionEnvironment, resolver: RecognitionResolver, router: Router) -> None:
        self._environment = environment
        self._router = router
        self._builder = SessionBuilder(environment, resolver)
        self._resuming = SessionResumer(environment, self._builder)
        self._watchers = WatcherLimit(environment.settings.watchers_max)

    # It writes to the context instead of yielding: only so can a write have a deadline, and clean-up a place.
    async def StreamingTranscribe(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request_iterator: AsyncIterator[StreamingTranscribeRequest], context: Context
    ) -> None:
        """One connection of a live session; see the proto."""
        with self._environment.drain.entered(), SESSIONS_ACTIVE.track_inprogress():
            requests = RequestStream(request_iterator, idle_seconds_max=self._environment.settings.idle_seconds_max)
            opening = await requests.opening()
            if not self._environment.bus.is_connected:
                raise not_ready()
            if isinstance(opening, Resume):
                structlog.contextvars.bind_contextvars(session=opening.session_id)
                await self._resuming.run(current_tenant(), opening, requests, context)
            else:
                await self._begin(opening, requests, context)

    async def WatchSession(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request: WatchSessionRequest, context: Context
    ) -> None:
        """Somebody who follows a session; see the proto."""
        with self._environment.drain.entered(), self._watchers.entered():
            if not self._environment.bus.is_connected:
                raise not_ready()
            structlog.contextvars.bind_contextvars(session=request.session_id)
            record = await find_session(self._environment.bus, current_tenant(), request.session_id)
            await check_sequence(self._environment.bus, record, request.after_sequence)
            write = writing_to(context)

            async def write_event(event: StreamingTranscribeResponse) -> None:
                await write(WatchSessionResponse(event=event))

            watching = SessionWatcher(
                self._environment.bus,
                record,
                responder=ResponseWriter(
                    write_event,
                    write_seconds_max=self._environment.settings.write_seconds_max,
                    after_sequence=request.after_sequence,
                ),
                responses=self._builder.responses(record),
                after_sequence=request.after_sequence,
                partials=request.enable_interim_results,
            )
            with raise_first_fault():
                await self._environment.drain.unless_closing(watching.run())

    async def _begin(self, config: StreamingConfig, requests: RequestStream, context: Context) -> None:
        token = new_token() if wants_resuming(config) else ""
        record = new_record(config, self._choose(config.recognition), token)
        structlog.contextvars.bind_contextvars(session=record.session_id)
        patience = claim_seconds(self._environment.workers, record.recognition, self._environment.settings)
        log.info(
            "session_begins",
            engine=record.recognition.engine,
            model=record.recognition.model,
            policy=record.policy,
        )
        parts = self._builder.new(record, requests, context, claim_seconds=patience, token=token)
        await LiveSession(self._environment, parts).run()

    def _choose(self, asked: RecognitionConfig) -> Choice:
        return self._router.choose(
            current_tenant(),
            asked,
            "config.recognition",
            RequestConstraints(
                check=lambda _: None,
                has_room=lambda config: free_slots(self._environment.workers, config) > 0,
                is_served=lambda config: is_served(self._environment.workers, config),
            ),
        )
