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
from tiro_core.auth.tenant import current_tenant
from tiro_core.logs import get_logger
from tiro_core.recognition import RecognitionResolver
from tiro_core.routing.router import Choice, Door, Router
from tiro_core.rpc.interception import Context
from tiro_streamer.building import SessionBuilder, writing_to
from tiro_streamer.claiming import claim_seconds, free_slots, is_served
from tiro_streamer.faults import not_ready, told_as_one
from tiro_streamer.history import check_sequence, find_session
from tiro_streamer.opening import new_record, wants_resuming
from tiro_streamer.requests import Requests
from tiro_streamer.responder import Responder
from tiro_streamer.resuming import Resuming
from tiro_streamer.session import LiveSession, Surroundings
from tiro_streamer.telemetry import SESSIONS_ACTIVE
from tiro_streamer.tokens import new_token
from tiro_streamer.watching import Watchers, Watching

log = get_logger()


class StreamingService(StreamingServiceServicer):
    """Serves `tiro.streaming.v1.StreamingService`."""

    def __init__(self, around: Surroundings, resolver: RecognitionResolver, router: Router) -> None:
        self._around = around
        self._router = router
        self._builder = SessionBuilder(around, resolver)
        self._resuming = Resuming(around, self._builder)
        self._watchers = Watchers(around.settings.watchers_max)

    # It writes to the context instead of yielding: only so can a write have a deadline, and clean-up a place.
    async def StreamingTranscribe(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request_iterator: AsyncIterator[StreamingTranscribeRequest], context: Context
    ) -> None:
        """One connection of a live session; see the proto."""
        with self._around.door.entered(), SESSIONS_ACTIVE.track_inprogress():
            requests = Requests(request_iterator, idle_seconds_max=self._around.settings.idle_seconds_max)
            opening = await requests.opening()
            if not self._around.bus.is_connected:
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
        with self._around.door.entered(), self._watchers.entered():
            if not self._around.bus.is_connected:
                raise not_ready()
            structlog.contextvars.bind_contextvars(session=request.session_id)
            record = await find_session(self._around.bus, current_tenant(), request.session_id)
            await check_sequence(self._around.bus, record, request.after_sequence)
            write = writing_to(context)

            async def write_event(event: StreamingTranscribeResponse) -> None:
                await write(WatchSessionResponse(event=event))

            watching = Watching(
                self._around.bus,
                record,
                responder=Responder(
                    write_event,
                    write_seconds_max=self._around.settings.write_seconds_max,
                    after_sequence=request.after_sequence,
                ),
                responses=self._builder.responses(record),
                after_sequence=request.after_sequence,
                partials=request.enable_interim_results,
            )
            with told_as_one():
                await self._around.door.unless_closing(watching.run())

    async def _begin(self, config: StreamingConfig, requests: Requests, context: Context) -> None:
        token = new_token() if wants_resuming(config) else ""
        record = new_record(config, self._choose(config.recognition), token)
        structlog.contextvars.bind_contextvars(session=record.session_id)
        patience = claim_seconds(self._around.workers, record.recognition, self._around.settings)
        log.info(
            "session_begins",
            engine=record.recognition.engine,
            model=record.recognition.model,
            policy=record.policy,
        )
        parts = self._builder.new(record, requests, context, claim_seconds=patience, token=token)
        await LiveSession(self._around, parts).run()

    def _choose(self, asked: RecognitionConfig) -> Choice:
        return self._router.choose(
            current_tenant(),
            asked,
            "config.recognition",
            Door(
                check=lambda _: None,
                has_room=lambda config: free_slots(self._around.workers, config) > 0,
                is_served=lambda config: is_served(self._around.workers, config),
            ),
        )
