"""The streaming service: each call is a connection to a session, of its own client or of a watcher."""

from collections.abc import AsyncIterator

import structlog

from tiro.streaming.v1.streaming_pb2 import (
    Resume,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
    WatchSessionRequest,
    WatchSessionResponse,
)
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceServicer
from tiro_core.routing.router import Router
from tiro_core.server.auth.tenant import current_tenant
from tiro_core.server.interception import Context
from tiro_core.server.tenant_limit import TenantLimit
from tiro_streamer.context.session import session_context
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.errors import not_ready, raise_first_fault, too_many_watchers
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.metrics import SESSIONS_ACTIVE, WATCHERS
from tiro_streamer.output.watcher import SessionWatcher
from tiro_streamer.records.history import check_sequence, find_session
from tiro_streamer.responses.writer import writing_to
from tiro_streamer.session.resume import SessionResumer
from tiro_streamer.session.start import SessionStarter


class StreamingService(StreamingServiceServicer):
    """Serves `tiro.streaming.v1.StreamingService`."""

    def __init__(self, streamer: StreamerContext, router: Router) -> None:
        self._streamer = streamer
        self._starter = SessionStarter(streamer, router)
        self._resumer = SessionResumer(streamer)
        watchers_max = streamer.settings.watchers_max
        self._watchers = TenantLimit(
            "watchers",
            watchers_max,
            share=streamer.settings.share_of_tenant,
            total_reached=lambda: too_many_watchers(watchers_max),
        )

    # Responses are written to the context instead of yielded, because only such a write can have a deadline.
    async def StreamingTranscribe(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request_iterator: AsyncIterator[StreamingTranscribeRequest], context: Context
    ) -> None:
        """One connection of a live session; see the proto."""
        with self._streamer.drain.entered(), SESSIONS_ACTIVE.track_inprogress():
            requests = RequestStream(request_iterator, idle_seconds_max=self._streamer.settings.idle_seconds_max)
            opening = await requests.opening()
            if not self._streamer.bus.is_connected:
                raise not_ready()
            tenant, write = current_tenant(), writing_to(context)
            if isinstance(opening, Resume):
                structlog.contextvars.bind_contextvars(session=opening.session_id)
                await self._resumer.run(tenant, opening, requests, write)
            else:
                await self._starter.run(tenant, opening, requests, write)

    async def WatchSession(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request: WatchSessionRequest, context: Context
    ) -> None:
        """One connection of a watcher; see the proto."""
        tenant = current_tenant()
        with self._streamer.drain.entered(), self._watchers.entered(tenant), WATCHERS.track_inprogress():
            if not self._streamer.bus.is_connected:
                raise not_ready()
            structlog.contextvars.bind_contextvars(session=request.session_id)
            record = await find_session(self._streamer.bus, tenant, request.session_id)
            await check_sequence(self._streamer.bus, record, request.after_sequence)
            write = writing_to(context)

            async def write_event(event: StreamingTranscribeResponse) -> None:
                await write(WatchSessionResponse(event=event))

            connection = session_context(self._streamer, record, write_event, after_sequence=request.after_sequence)
            connection.ending.input_stored.set()  # a watcher has no input
            watcher = SessionWatcher(connection, partials=request.enable_interim_results)
            with raise_first_fault():
                await self._streamer.drain.unless_draining(watcher.run())
