"""Fake gRPC servers that implement the contract, check the client's part of it, and inject faults.

They do not recognize speech. Tiro's services are tested with the client in `tests/e2e`.
"""
# ruff: noqa: D102, N802 - the methods are the contract's: it names and documents them

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from grpc_status import rpc_status

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_STAGE_FAILED,
    Segment,
    Transcript,
    Warning,  # noqa: A004 - the contract's word
)
from tiro.streaming.v1 import streaming_pb2, streaming_pb2_grpc
from tiro.transcription.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    transcription_service_pb2,
    transcription_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.errors import (
    TiroError,
    failed_precondition,
    invalid_argument,
    not_found,
    resource_exhausted,
    unavailable,
)
from tiro_formats.registry import writer_for
from tiro_formats.whole import write_whole

PART_BYTES = 100_000
"""The unit in which the upload server commits bytes: not a multiple of the client's messages."""

AWAY = unavailable(reasons.ERROR_REASON_NOT_READY, "the bus is away", retry_after=timedelta(milliseconds=10))
FULL = resource_exhausted(reasons.ERROR_REASON_QUEUE_FULL, "the queue is full", retry_after=timedelta(milliseconds=10))

CANCELLED = TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client has cancelled it")

Context = grpc.aio.ServicerContext[Any, Any]


async def refuse(context: Context, error: TiroError) -> None:
    """End a call as Tiro's services do."""
    await context.abort_with_status(rpc_status.to_status(error.to_status()))


def seconds(value: float) -> Duration:
    """Seconds as a Duration."""
    duration = Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration


@dataclass
class UploadServer(upload_service_pb2_grpc.UploadServiceServicer):
    """Accepts uploads, and breaks calls after a number of bytes."""

    break_after: list[int] = field(default_factory=list)
    """For each of the next calls the number of bytes after which it breaks."""
    lose_answers: int = 0
    """Number of finished calls that break instead of being answered."""
    refusal: TiroError | None = None
    """The error that the end of the upload gets, if any."""
    size_bytes_max: int | None = None
    """Limit of bytes, beyond which the upload is refused as too large."""
    stored: bytearray = field(default_factory=bytearray)
    upload: Upload = field(default_factory=lambda: Upload(name=f"uploads/{uuid.uuid4()}", state=Upload.STATE_OPEN))
    offsets: list[int] = field(default_factory=list)
    """The offset at which each call started."""
    message_sizes: list[int] = field(default_factory=list)
    create_failures: list[TiroError] = field(default_factory=list)
    get_failures: list[TiroError] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    async def CreateUpload(self, request: upload_service_pb2.CreateUploadRequest, context: Context) -> Upload:
        self.request_ids.append(request.request_id)
        if self.create_failures:
            await refuse(context, self.create_failures.pop(0))
        self.upload.display_name = request.upload.display_name
        self.upload.size_bytes = request.upload.size_bytes
        return self.upload

    async def GetUpload(self, request: upload_service_pb2.GetUploadRequest, context: Context) -> Upload:
        if self.get_failures:
            await refuse(context, self.get_failures.pop(0))
        if request.name != self.upload.name:
            await refuse(context, not_found(reasons.ERROR_REASON_UPLOAD_NOT_FOUND, "there is no such upload"))
        return self.upload

    async def WriteUpload(
        self, requests: AsyncIterator[upload_service_pb2.WriteUploadRequest], context: Context
    ) -> Upload:
        budget = self.break_after.pop(0) if self.break_after else None
        received = bytearray()
        first = True
        async for request in requests:
            if first:
                await self._begin(request, context)
                first = False
            received += request.data
            self.message_sizes.append(len(request.data))
            if budget is not None and len(received) >= budget:
                whole = len(received) - len(received) % PART_BYTES
                self.stored += received[:whole]
                self.upload.committed_size = len(self.stored)
                await refuse(context, AWAY)
            if self.size_bytes_max is not None and len(received) > self.size_bytes_max:
                await refuse(context, invalid_argument(reasons.ERROR_REASON_UPLOAD_TOO_LARGE, "too large"))
            if request.finish_write:
                self.stored += received
                await self._finish(request.sha256, context)
        return self.upload

    async def _begin(self, request: upload_service_pb2.WriteUploadRequest, context: Context) -> None:
        self.offsets.append(request.write_offset)
        if request.write_offset != len(self.stored):
            error = failed_precondition(
                reasons.ERROR_REASON_WRITE_OFFSET_MISMATCH, "elsewhere", committed_size=str(len(self.stored))
            )
            await refuse(context, error)

    async def _finish(self, sha256: str, context: Context) -> None:
        if self.refusal is not None:
            self.upload.state = Upload.STATE_FAILED
            self.upload.error.CopyFrom(self.refusal.to_status())
            if not self.lose_answers:
                await refuse(context, self.refusal)
        elif sha256 != hashlib.sha256(self.stored).hexdigest():
            await refuse(context, invalid_argument(reasons.ERROR_REASON_UPLOAD_MISMATCH, "another digest"))
        else:
            self.upload.state = Upload.STATE_READY
            self.upload.sha256 = sha256
            self.upload.committed_size = len(self.stored)
        if self.lose_answers:
            self.lose_answers -= 1
            await refuse(context, AWAY)


@dataclass
class JobServer(transcription_service_pb2_grpc.TranscriptionServiceServicer):
    """Answers with data and errors that a test sets."""

    failures: list[TiroError] = field(default_factory=list)
    """Errors of the next unary calls."""
    refusals: dict[str, TiroError] = field(default_factory=dict)
    """Errors of the creation of jobs, by display name."""
    created: list[transcription_service_pb2.CreateTranscriptionRequest] = field(default_factory=list)
    display_names: dict[str, str] = field(default_factory=dict)
    """Display names of created jobs, by name."""
    waiting_for: str = ""
    """What new jobs wait for."""
    jobs: list[Transcription] = field(default_factory=list)
    events: list[transcription_service_pb2.WatchTranscriptionResponse] = field(default_factory=list)
    watch_break_after: list[int] = field(default_factory=list)
    """For each of the next watches the number of events after which it breaks."""
    watched_after: list[int] = field(default_factory=list)
    """The `after_sequence` of each watch."""
    watch_holds: bool = False
    """Whether a watch stays open after the last event."""
    watching: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a watch has sent all events and stays open."""
    watch_gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """Events that watches wait for before they start, by display name of the job."""
    watch_refusal: TiroError | None = None
    """The error of each watch, if any."""
    holds: bool = False
    """Whether unary calls are left without an answer."""
    cancelled: list[str] = field(default_factory=list)
    """Names of cancelled jobs."""
    deleted: list[str] = field(default_factory=list)
    """Names of deleted jobs."""
    segments: list[Segment] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0

    async def _record_call(self, context: Context) -> None:
        self.calls += 1
        self.metadata.append(dict(context.invocation_metadata() or ()))
        if self.failures:
            await refuse(context, self.failures.pop(0))
        if self.holds:
            await asyncio.Event().wait()

    async def CreateTranscription(
        self, request: transcription_service_pb2.CreateTranscriptionRequest, context: Context
    ) -> Transcription:
        self.created.append(request)
        await self._record_call(context)
        if request.transcription.display_name in self.refusals:
            await refuse(context, self.refusals[request.transcription.display_name])
        job = Transcription(name=f"transcriptions/{uuid.uuid4()}", state=Transcription.STATE_QUEUED)
        job.display_name = request.transcription.display_name
        job.waiting_for = self.waiting_for
        self.display_names[job.name] = job.display_name
        job.config.CopyFrom(request.transcription.config)
        return job

    async def GetTranscription(
        self, request: transcription_service_pb2.GetTranscriptionRequest, context: Context
    ) -> Transcription:
        await self._record_call(context)
        for job in self.jobs:
            if job.name == request.name:
                return job
        await refuse(context, not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, "there is no such job"))
        raise AssertionError("refusing ends the call")

    async def CancelTranscription(
        self, request: transcription_service_pb2.CancelTranscriptionRequest, context: Context
    ) -> Transcription:
        await self._record_call(context)
        self.cancelled.append(request.name)
        return Transcription(name=request.name, state=Transcription.STATE_CANCELLED)

    async def RetryTranscription(
        self, request: transcription_service_pb2.RetryTranscriptionRequest, context: Context
    ) -> Transcription:
        await self._record_call(context)
        return Transcription(
            name=f"transcriptions/{uuid.uuid4()}", state=Transcription.STATE_QUEUED, retry_of=request.name
        )

    async def DeleteTranscription(
        self, request: transcription_service_pb2.DeleteTranscriptionRequest, context: Context
    ) -> Empty:
        await self._record_call(context)
        self.deleted.append(request.name)
        return Empty()

    async def DeleteAudio(
        self, request: transcription_service_pb2.DeleteAudioRequest, context: Context
    ) -> Transcription:
        await self._record_call(context)
        return Transcription(name=request.name, state=Transcription.STATE_SUCCEEDED, audio_deleted=True)

    async def ListTranscriptions(
        self, request: transcription_service_pb2.ListTranscriptionsRequest, context: Context
    ) -> transcription_service_pb2.ListTranscriptionsResponse:
        await self._record_call(context)
        begin = int(request.page_token or 0)
        end = begin + request.page_size
        token = str(end) if end < len(self.jobs) else ""
        return transcription_service_pb2.ListTranscriptionsResponse(
            transcriptions=self.jobs[begin:end], next_page_token=token
        )

    async def WatchTranscription(
        self, request: transcription_service_pb2.WatchTranscriptionRequest, context: Context
    ) -> AsyncIterator[transcription_service_pb2.WatchTranscriptionResponse]:
        self.watched_after.append(request.after_sequence)
        if self.watch_refusal is not None:
            await refuse(context, self.watch_refusal)
        gate = self.watch_gates.get(self.display_names.get(request.name, ""))
        if gate is not None:
            await gate.wait()
        budget = self.watch_break_after.pop(0) if self.watch_break_after else None
        for count, event in enumerate(item for item in self.events if item.sequence > request.after_sequence):
            if count == budget:
                break
            yield event
        if budget is not None:
            await refuse(context, AWAY)
        if self.watch_holds:
            self.watching.set()
            await asyncio.Event().wait()

    async def GetTranscript(
        self, request: transcription_service_pb2.GetTranscriptRequest, context: Context
    ) -> transcription_service_pb2.GetTranscriptResponse:
        await self._record_call(context)
        transcript = Transcript(engine="fake", model="words", segment_count=len(self.segments))
        writer = writer_for(request.format)
        if writer is not None:
            text = write_whole(writer, transcript, self.segments, request.subtitles)
            # Two pages, so that a client has to join them.
            half = len(text) // 2
            page = text[half:] if request.page_token else text[:half]
            token = "" if request.page_token else "rest"
            return transcription_service_pb2.GetTranscriptResponse(
                transcript=transcript, text=page, next_page_token=token
            )
        begin = int(request.page_token or 0)
        end = begin + request.page_size
        return transcription_service_pb2.GetTranscriptResponse(
            transcript=transcript,
            segments=self.segments[begin:end],
            next_page_token=str(end) if end < len(self.segments) else "",
        )


@dataclass
class EngineServer(engine_service_pb2_grpc.EngineServiceServicer):
    """Lists engines that a test sets."""

    engines: list[Engine] = field(default_factory=list)
    failures: list[TiroError] = field(default_factory=list)
    """Errors of the next calls."""
    page_size_max: int = 100
    """Limit of a page, whatever the requested size."""

    async def ListEngines(
        self, request: engine_service_pb2.ListEnginesRequest, context: Context
    ) -> engine_service_pb2.ListEnginesResponse:
        if self.failures:
            await refuse(context, self.failures.pop(0))
        begin = int(request.page_token or 0)
        end = begin + min(request.page_size, self.page_size_max)
        token = str(end) if end < len(self.engines) else ""
        return engine_service_pb2.ListEnginesResponse(engines=self.engines[begin:end], next_page_token=token)


@dataclass
class LiveServer(streaming_pb2_grpc.StreamingServiceServicer):
    """Answers each audio message with a partial, each finalize with a final, and the end with `session_ended`."""

    refusal: TiroError | None = None
    """The error of each session, if any."""
    cut_after: int | None = None
    """Number of audio messages after which the session breaks."""
    never_ends: bool = False
    """Whether the last final is never sent."""
    warning: str = ""
    """A warning about the last final. Empty: none."""
    idle_seconds_max: float = 60.0
    received: list[streaming_pb2.StreamingTranscribeRequest] = field(default_factory=list)
    audio_received: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when audio has arrived."""
    half_closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has ended its requests."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a session has ended for any reason."""
    kept_alive: asyncio.Event = field(default_factory=asyncio.Event)
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a session is watched that does not end."""

    async def WatchSession(
        self, request: streaming_pb2.WatchSessionRequest, context: Context
    ) -> AsyncIterator[streaming_pb2.WatchSessionResponse]:
        started = streaming_pb2.SessionStarted(session_id=request.session_id)
        event = streaming_pb2.StreamingTranscribeResponse(sequence=1, session_started=started)
        yield streaming_pb2.WatchSessionResponse(event=event)
        self.watched.set()
        await asyncio.Event().wait()

    async def StreamingTranscribe(
        self, requests: AsyncIterator[streaming_pb2.StreamingTranscribeRequest], context: Context
    ) -> AsyncIterator[streaming_pb2.StreamingTranscribeResponse]:
        try:
            async for response in self._session(requests, context):
                yield response
        finally:
            self.left.set()

    async def _session(  # noqa: C901 - a branch a request
        self, requests: AsyncIterator[streaming_pb2.StreamingTranscribeRequest], context: Context
    ) -> AsyncIterator[streaming_pb2.StreamingTranscribeResponse]:
        response = streaming_pb2.StreamingTranscribeResponse
        sequence = finals = pieces = 0
        async for request in requests:
            self.received.append(request)
            match request.WhichOneof("request"):
                case "config":
                    if self.refusal is not None:
                        await refuse(context, self.refusal)
                    sequence += 1
                    started = streaming_pb2.SessionStarted(session_id="s", idle_max=seconds(self.idle_seconds_max))
                    yield response(sequence=sequence, session_started=started)
                case "audio":
                    pieces += 1
                    if pieces == self.cut_after:
                        await refuse(context, AWAY)
                    partial = streaming_pb2.Partial(segment=Segment(text=f"word{pieces}"), after_sequence=sequence)
                    self.audio_received.set()
                    yield response(partial=partial)
                case "finalize":
                    sequence += 1
                    finals += 1
                    yield response(sequence=sequence, final=streaming_pb2.Final(segment=Segment(text=f"final{finals}")))
                case "keep_alive":
                    self.kept_alive.set()
                case "cancel":
                    await refuse(context, CANCELLED)
        self.half_closed.set()
        if self.never_ends:
            await asyncio.Event().wait()
        if pieces and not finals:
            sequence += 1
            finals += 1
            last = Segment(text=f"all {pieces}", end_offset=seconds(pieces / 10))
            warnings = [Warning(reason=WARNING_REASON_STAGE_FAILED, message=self.warning)] if self.warning else []
            yield response(sequence=sequence, final=streaming_pb2.Final(segment=last, warnings=warnings))
        sequence += 1
        ended = streaming_pb2.SessionEnded(final_count=finals, audio_duration=seconds(self._audio_seconds()))
        yield response(sequence=sequence, session_ended=ended)

    def _audio_seconds(self) -> float:
        """Seconds of received 16-bit audio. 0 for encodings without a rate."""
        rate = self.received[0].config.format.sample_rate_hertz
        return sum(len(request.audio) for request in self.received) / 2 / rate if rate else 0.0


@dataclass
class Deployment:
    """All servers behind one address."""

    uploads: UploadServer = field(default_factory=UploadServer)
    jobs: JobServer = field(default_factory=JobServer)
    live: LiveServer = field(default_factory=LiveServer)
    engines: EngineServer = field(default_factory=EngineServer)

    @asynccontextmanager
    async def serving(
        self, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
    ) -> AsyncIterator[str]:
        """Serve while the context lasts, and yield the address. At the end calls are aborted."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(self.uploads, server)
        transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(self.jobs, server)
        streaming_pb2_grpc.add_StreamingServiceServicer_to_server(self.live, server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(self.engines, server)
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        await server.start()
        try:
            yield f"{address.rpartition(':')[0]}:{port}"
        finally:
            await server.stop(None)
