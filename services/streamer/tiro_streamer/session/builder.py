"""Puts together what serves one session over one connection: the same for a new session and a resumed one."""

from dataclasses import dataclass

import grpc

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import SessionStarted, UpdateConfig
from tiro_core.clock import duration
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.server.interception import Context
from tiro_streamer.audio_log.position import LogPosition
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import client_gone
from tiro_streamer.input.reader import RequestReader
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.output.forwarder import ResponseForwarder
from tiro_streamer.output.responses import ResponseBuilder
from tiro_streamer.output.writer import ResponseWriter, Write
from tiro_streamer.session.assignment import SessionAssignment
from tiro_streamer.session.live_session import SessionEnvironment, SessionParts
from tiro_streamer.settings import StreamerSettings

NOWHERE = LogPosition()


@dataclass(frozen=True, slots=True)
class ClientOutput:
    """Who is told what."""

    record: SessionRecord
    responder: ResponseWriter
    responses: ResponseBuilder


class SessionBuilder:
    """Builds the parts of sessions."""

    def __init__(self, environment: SessionEnvironment, resolver: RecognitionResolver) -> None:
        self._environment = environment
        self._resolver = resolver

    def new(
        self, record: SessionRecord, requests: RequestStream, context: Context, *, claim_seconds: float, token: str
    ) -> SessionParts:
        """What serves a session that begins.

        Args:
            record: The session.
            requests: What its client sends.
            context: The call.
            claim_seconds: How long to wait for a worker to take it.
            token: What resumes it. Empty when nothing does.
        """
        line = self._line(record, NOWHERE)
        responder = self.responder(context, after_sequence=0)
        responses = ResponseBuilder(_started(record, self._environment.settings, token), record.sample_rate_hertz)
        intake = self._intake(requests, line, ClientOutput(record, responder, responses), skip_samples=0)
        outlet = ResponseForwarder(
            self._environment.bus, record, line, intake, responder=responder, responses=responses
        )
        return SessionParts(
            record=record,
            line=line,
            intake=intake,
            outlet=outlet,
            responder=responder,
            offer=SessionAssignment(self._environment.bus, record),
            claim_seconds=claim_seconds,
        )

    async def resumed(
        self,
        record: SessionRecord,
        requests: RequestStream,
        context: Context,
        *,
        place: LogPosition,
        after_sequence: int,
        audio_from_start: bool,
    ) -> SessionParts:
        """What serves a session that goes on; its line is ours when this returns.

        Args:
            record: The session.
            requests: What its client sends.
            context: The call.
            place: Where its line ends.
            after_sequence: The number of the last event that its client has.
            audio_from_start: The client sends its audio from the beginning again.

        Raises:
            AudioLogTaken: Somebody else has written to the line since.
        """
        line = self._line(record, place)
        await line.take_over()
        responder = self.responder(context, after_sequence=after_sequence)
        responses = self.responses(record)
        skip_samples = place.samples if audio_from_start else 0
        intake = self._intake(requests, line, ClientOutput(record, responder, responses), skip_samples=skip_samples)
        responder.offer_notice(responses.of_resumed(place.samples, place.controls))
        outlet = ResponseForwarder(
            self._environment.bus,
            record,
            line,
            intake,
            responder=responder,
            responses=responses,
            after_sequence=after_sequence,
        )
        return SessionParts(
            record=record,
            line=line,
            intake=intake,
            outlet=outlet,
            responder=responder,
            offer=SessionAssignment(self._environment.bus, record),
            claim_seconds=None,
        )

    def responder(self, context: Context, *, after_sequence: int) -> ResponseWriter:
        """What writes to the client of a call."""
        return ResponseWriter(
            writing_to(context),
            write_seconds_max=self._environment.settings.write_seconds_max,
            after_sequence=after_sequence,
        )

    def responses(self, record: SessionRecord) -> ResponseBuilder:
        """What builds the responses for somebody who has not opened the session."""
        return ResponseBuilder(_started(record, self._environment.settings, token=""), record.sample_rate_hertz)

    def _line(self, record: SessionRecord, place: LogPosition) -> AudioLogWriter:
        settings = self._environment.settings
        return AudioLogWriter(
            self._environment.bus,
            record,
            place,
            buffer_bytes_max=settings.audio_buffer_bytes_max,
            lead_seconds_max=settings.lead_seconds_max,
        )

    def _intake(
        self, requests: RequestStream, line: AudioLogWriter, told: ClientOutput, *, skip_samples: int
    ) -> RequestReader:
        record = told.record

        async def confirm_half_close() -> None:
            await told.responder.confirm(told.responses.of_stored(line.place.samples, line.place.controls))

        def check_update(update: UpdateConfig) -> None:
            if update.HasField("language_code") or update.HasField("hotwords") or update.HasField("replacements"):
                self._resolver.resolve(_changed(record.recognition, update), "update_config")

        return RequestReader(
            requests,
            record,
            line,
            launcher=self._environment.launcher,
            settings=self._environment.settings,
            check_update=check_update,
            confirm_half_close=confirm_half_close,
            skip_samples=skip_samples,
        )


def writing_to(context: Context) -> Write:
    """Writes to a call."""

    async def write(response: object) -> None:
        try:
            await context.write(response)
        except grpc.aio.InternalError:  # what gRPC says when there is nobody to write to
            raise client_gone() from None

    return write


def _changed(recognition: RecognitionConfig, update: UpdateConfig) -> RecognitionConfig:
    """What is asked of the session's model by a change: what stays as it is was checked before."""
    changed = update.language_code if update.HasField("language_code") else recognition.language_code
    return RecognitionConfig(
        engine=recognition.engine,
        model=recognition.model,
        language_code=changed,
        hotwords=update.hotwords.phrases,
        replacements=update.replacements.pairs,
    )


def _started(record: SessionRecord, settings: StreamerSettings, token: str) -> SessionStarted:
    return SessionStarted(
        session_id=record.session_id,
        recognition=record.recognition,
        duration_max=duration(settings.session_seconds_max),
        idle_max=duration(settings.idle_seconds_max),
        resume_token=token,
        resume_window=record.resume_window if record.resume_token_sha256 else None,
    )
