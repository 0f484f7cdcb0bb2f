"""The streaming service: opens a session for each call."""

from collections.abc import AsyncIterator

import grpc
import structlog

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1.streaming_pb2 import (
    SessionStarted,
    StreamingConfig,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
)
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceServicer
from tiro_core.auth.tenant import current_tenant
from tiro_core.clock import duration, now
from tiro_core.ids import new_id
from tiro_core.logs import get_logger
from tiro_core.recognition import RecognitionResolver
from tiro_core.rpc.interception import Context
from tiro_streamer.audio_line import AudioLine
from tiro_streamer.claiming import SessionOffer, claim_seconds
from tiro_streamer.decoding import line_rate
from tiro_streamer.faults import client_gone, not_ready
from tiro_streamer.intake import Intake
from tiro_streamer.outlet import Outlet
from tiro_streamer.requests import Requests
from tiro_streamer.responder import Responder
from tiro_streamer.responses import ResponseBuilder
from tiro_streamer.session import LiveSession, SessionParts, Surroundings
from tiro_streamer.settings import StreamerSettings
from tiro_streamer.telemetry import SESSIONS_ACTIVE

log = get_logger()


class StreamingService(StreamingServiceServicer):
    """Serves `tiro.streaming.v1.StreamingService`."""

    def __init__(self, around: Surroundings, resolver: RecognitionResolver) -> None:
        self._around = around
        self._resolver = resolver

    # It writes to the context instead of yielding: only so can a write have a deadline, and clean-up a place.
    async def StreamingTranscribe(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request_iterator: AsyncIterator[StreamingTranscribeRequest], context: Context
    ) -> None:
        """One live session; see the proto."""
        with self._around.door.entered(), SESSIONS_ACTIVE.track_inprogress():
            requests = Requests(request_iterator, idle_seconds_max=self._around.settings.idle_seconds_max)
            config = await requests.config()
            record = self._new_record(config)
            structlog.contextvars.bind_contextvars(session=record.session_id)
            patience = claim_seconds(self._around.workers, record.recognition, self._around.settings)
            log.info("session_begins", engine=record.recognition.engine, model=record.recognition.model)
            parts = self._parts(config, record, requests, context)
            await LiveSession(self._around, parts, claim_seconds=patience).run()

    def _new_record(self, config: StreamingConfig) -> SessionRecord:
        if not self._around.bus.is_connected:
            raise not_ready()
        return SessionRecord(
            tenant=current_tenant(),
            session_id=new_id(),
            state=SessionRecord.STATE_WAITING,
            recognition=self._resolver.resolve(config.recognition, "config.recognition"),
            enable_interim_results=config.enable_interim_results,
            endpointing=config.endpointing if config.HasField("endpointing") else None,
            sample_rate_hertz=line_rate(config.format),
            create_time=now(),
        )

    def _parts(
        self, config: StreamingConfig, record: SessionRecord, requests: Requests, context: Context
    ) -> SessionParts:
        settings, bus = self._around.settings, self._around.bus

        async def write(response: StreamingTranscribeResponse) -> None:
            try:
                await context.write(response)
            except grpc.aio.InternalError:  # what gRPC says when there is nobody to write to
                raise client_gone() from None

        line = AudioLine(bus, record, buffer_bytes_max=settings.audio_buffer_bytes_max)
        intake = Intake(requests, config.format, record, line, launcher=self._around.launcher, settings=settings)
        responder = Responder(write, write_seconds_max=settings.write_seconds_max)
        responses = ResponseBuilder(_started(record, settings), record.sample_rate_hertz)
        return SessionParts(
            record=record,
            offer=SessionOffer(bus, record),
            line=line,
            intake=intake,
            outlet=Outlet(bus, record, line, intake, responder=responder, responses=responses),
            responder=responder,
        )


def _started(record: SessionRecord, settings: StreamerSettings) -> SessionStarted:
    return SessionStarted(
        session_id=record.session_id,
        recognition=record.recognition,
        duration_max=duration(settings.session_seconds_max),
        idle_max=duration(settings.idle_seconds_max),
    )
