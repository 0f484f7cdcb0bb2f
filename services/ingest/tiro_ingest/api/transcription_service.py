"""`tiro.transcription.v1.TranscriptionService`."""

import asyncio
from contextlib import aclosing
from typing import Any

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1 import transcription_service_pb2_grpc
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    CancelTranscriptionRequest,
    CreateTranscriptionRequest,
    DeleteAudioRequest,
    DeleteTranscriptionRequest,
    GetTranscriptionRequest,
    GetTranscriptRequest,
    GetTranscriptResponse,
    ListTranscriptionsRequest,
    ListTranscriptionsResponse,
    RetryTranscriptionRequest,
    WatchTranscriptionRequest,
    WatchTranscriptionResponse,
)
from tiro_core.errors import TiroError
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.server.auth.tenant import current_tenant
from tiro_ingest.jobs.acceptance import JobAcceptor
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.jobs.store import Transcriptions
from tiro_ingest.jobs.transcripts import TranscriptReader
from tiro_ingest.jobs.watcher import JobWatcher
from tiro_ingest.resources.conversion import public_transcription
from tiro_ingest.resources.names import transcription_id
from tiro_ingest.retention.remover import Remover

Context = grpc.aio.ServicerContext[Any, Any]


class TranscriptionService(transcription_service_pb2_grpc.TranscriptionServiceServicer):
    """Creates, reads, lists, follows, cancels, retries and deletes jobs."""

    def __init__(
        self,
        jobs: Transcriptions,
        acceptor: JobAcceptor,
        canceller: JobCanceller,
        remover: Remover,
        *,
        watcher: JobWatcher,
        transcripts: TranscriptReader,
        workers: WorkerDirectory,
        send_seconds_max: float,
    ) -> None:
        self._jobs = jobs
        self._acceptor = acceptor
        self._canceller = canceller
        self._remover = remover
        self._watcher = watcher
        self._transcripts = transcripts
        self._workers = workers
        self._send_seconds_max = send_seconds_max

    async def CreateTranscription(self, request: CreateTranscriptionRequest, context: Context) -> Transcription:  # noqa: ARG002, N802 - gRPC's
        """Create a job."""
        return self._public(await self._acceptor.create(current_tenant(), request))

    async def GetTranscription(self, request: GetTranscriptionRequest, context: Context) -> Transcription:  # noqa: ARG002, N802 - gRPC's
        """Return a job."""
        return self._public(await self._job(request.name))

    async def ListTranscriptions(  # noqa: N802 - gRPC's
        self,
        request: ListTranscriptionsRequest,
        context: Context,  # noqa: ARG002 - gRPC's
    ) -> ListTranscriptionsResponse:
        """List jobs, the newest first."""
        records, token = await self._jobs.list(current_tenant(), request.page_size, request.page_token)
        jobs = [self._public(record) for record in records]
        return ListTranscriptionsResponse(transcriptions=jobs, next_page_token=token)

    async def WatchTranscription(  # type: ignore[override]  # noqa: N802 - the stub knows yielding only; gRPC names it
        self, request: WatchTranscriptionRequest, context: Context
    ) -> None:
        """Follow a job to its end."""
        job_id = _bound(request.name)
        async with aclosing(self._watcher.watch(current_tenant(), job_id, request.after_sequence)) as responses:
            async for response in responses:
                await self._send(response, context)

    async def GetTranscript(self, request: GetTranscriptRequest, context: Context) -> GetTranscriptResponse:  # noqa: ARG002, N802 - gRPC's
        """Read a page of a transcript."""
        job = await self._job(request.name)
        return await self._transcripts.read(job, request)

    async def CancelTranscription(self, request: CancelTranscriptionRequest, context: Context) -> Transcription:  # noqa: ARG002, N802 - gRPC's
        """Cancel a job."""
        return self._public(await self._canceller.cancel(current_tenant(), _bound(request.name)))

    async def RetryTranscription(self, request: RetryTranscriptionRequest, context: Context) -> Transcription:  # noqa: ARG002, N802 - gRPC's
        """Create a job that retries one that has failed or was cancelled."""
        return self._public(await self._acceptor.retry(current_tenant(), request))

    async def DeleteTranscription(self, request: DeleteTranscriptionRequest, context: Context) -> Empty:  # noqa: ARG002, N802 - gRPC's
        """Delete a job."""
        await self._remover.remove_job(current_tenant(), _bound(request.name))
        return Empty()

    async def DeleteAudio(self, request: DeleteAudioRequest, context: Context) -> Transcription:  # noqa: ARG002, N802 - gRPC's
        """Release the recording of a job."""
        return self._public(await self._remover.remove_audio(current_tenant(), _bound(request.name)))

    async def _send(self, response: WatchTranscriptionResponse, context: Context) -> None:
        # Written here rather than yielded to gRPC, which would wait without a limit for a caller that does not read.
        try:
            async with asyncio.timeout(self._send_seconds_max):
                await context.write(response)
        except TimeoutError:
            message = f"an event was not read for {self._send_seconds_max:g} s"
            raise TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_CLIENT_TOO_SLOW, message) from None

    async def _job(self, name: str) -> TranscriptionRecord:
        return await self._jobs.get(current_tenant(), _bound(name))

    def _public(self, record: TranscriptionRecord) -> Transcription:
        return public_transcription(record, waiting_for=self._waiting_for(record))

    def _waiting_for(self, record: TranscriptionRecord) -> str:
        config = record.config
        if record.state != Transcription.STATE_QUEUED or self._workers.offering(config.engine, config.model):
            return ""
        return f"a worker with the model {config.model!r} of the engine {config.engine!r}: none is running"


def _bound(name: str) -> str:
    """The id in a job's name, bound to the log lines of this call."""
    job_id = transcription_id(name)
    structlog.contextvars.bind_contextvars(job=job_id)
    return job_id
