"""The calls of the transcription service."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from tiro.speech.v1.transcript_pb2 import Segment as SegmentMessage
from tiro.speech.v1.transcript_pb2 import Transcript as TranscriptMessage
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
    RetryTranscriptionRequest,
    WatchTranscriptionRequest,
    WatchTranscriptionResponse,
)
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro_client.calls.connection import Connection
from tiro_client.calls.follow import follow
from tiro_client.errors import DeadlineExceeded, InternalError, JobCancelled, JobFailed, TiroError
from tiro_client.jobs.job import Job, JobState
from tiro_client.jobs.job_events import JobEvent, JobStateChanged, event_from_proto
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_client.transcript import Transcript
from tiro_formats.registry import writer_named
from tiro_formats.writer import TextFormat

TRANSCRIPT_PAGE_SEGMENTS = 200
"""Segments per page. With all their words they stay below gRPC's default message limit."""


def job_name(job: Job | str) -> str:
    """The name of a job that is given as an object, a name, or a bare id."""
    if isinstance(job, Job):
        return job.name
    return job if "/" in job else f"transcriptions/{job}"


class JobClient:
    """Calls about the jobs of the caller's tenant. `AsyncClient` documents them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = TranscriptionServiceStub(connection.channel)

    async def create(self, transcription: Transcription, request_id: str | None) -> Job:
        """Create a job. A `request_id` makes the call safe to repeat: one is generated where none is given."""
        request = CreateTranscriptionRequest(transcription=transcription, request_id=request_id or str(uuid.uuid4()))
        return Job.from_proto(await self._connection.call(self._stub.CreateTranscription, request))

    async def get(self, job: Job | str) -> Job:
        """The current state of a job."""
        request = GetTranscriptionRequest(name=job_name(job))
        return Job.from_proto(await self._connection.call(self._stub.GetTranscription, request))

    async def list(self, page_size: int) -> AsyncGenerator[Job, None]:
        """All jobs, the newest first, page by page."""
        token = ""
        while True:
            request = ListTranscriptionsRequest(page_size=page_size, page_token=token)
            page = await self._connection.call(self._stub.ListTranscriptions, request)
            for item in page.transcriptions:
                yield Job.from_proto(item)
            token = page.next_page_token
            if not token:
                return

    async def cancel(self, job: Job | str) -> Job:
        """Cancel a job that has not ended."""
        request = CancelTranscriptionRequest(name=job_name(job))
        return Job.from_proto(await self._connection.call(self._stub.CancelTranscription, request))

    async def retry(self, job: Job | str, request_id: str | None) -> Job:
        """Create a job that retries one that has failed or was cancelled."""
        request = RetryTranscriptionRequest(name=job_name(job), request_id=request_id or str(uuid.uuid4()))
        return Job.from_proto(await self._connection.call(self._stub.RetryTranscription, request))

    async def delete(self, job: Job | str) -> None:
        """Delete a job."""
        await self._connection.call(self._stub.DeleteTranscription, DeleteTranscriptionRequest(name=job_name(job)))

    async def delete_audio(self, job: Job | str) -> Job:
        """Delete the recording of a job."""
        request = DeleteAudioRequest(name=job_name(job))
        return Job.from_proto(await self._connection.call(self._stub.DeleteAudio, request))

    async def watch(self, job: Job | str, after_sequence: int) -> AsyncGenerator[JobEvent, None]:
        """The events of a job's history, to its end. A lost connection is replaced."""
        name = job_name(job)

        def begin(after: int) -> "grpc.aio.UnaryStreamCall[WatchTranscriptionRequest, WatchTranscriptionResponse]":
            request = WatchTranscriptionRequest(name=name, after_sequence=after)
            return self._stub.WatchTranscription(request, metadata=self._connection.metadata)

        history = follow(begin, lambda response: response.sequence, after_sequence=after_sequence)
        async with aclosing(history) as responses:
            async for response in responses:
                event = event_from_proto(response)
                if event is not None:
                    yield event

    async def wait(self, job: Job | str, timeout_seconds: float | None) -> Job:
        """Wait for a job's end. Returns the job that has succeeded, raises otherwise."""
        name = job_name(job)
        try:
            async with asyncio.timeout(timeout_seconds), aclosing(self.watch(name, 0)) as events:
                async for event in events:
                    if isinstance(event, JobStateChanged) and event.job.state.is_terminal:
                        return succeeded(event.job)
        except TimeoutError:
            raise DeadlineExceeded(f"{name} did not end within {timeout_seconds} s") from None
        raise InternalError(f"the service ended the history of {name} before the job's end")

    async def transcript(self, job: Job | str) -> Transcript:
        """The transcript of a job that has succeeded, joined from its pages."""
        segments: list[SegmentMessage] = []
        info = TranscriptMessage()
        async with aclosing(self._pages(GetTranscriptRequest(name=job_name(job)))) as pages:
            async for page in pages:
                segments.extend(page.segments)
                info = page.transcript
        return Transcript.from_proto(info, segments)

    async def transcript_text(self, job: Job | str, text_format: TextFormat, subtitles: SubtitleOptions) -> str:
        """The transcript of a job that has succeeded, as the service writes it.

        Raises:
            ValueError: There is no such format.
        """
        request = GetTranscriptRequest(
            name=job_name(job), format=writer_named(text_format).enum_value, subtitles=subtitles.to_proto()
        )
        async with aclosing(self._pages(request)) as pages:
            return "".join([page.text async for page in pages])

    async def _pages(self, request: GetTranscriptRequest) -> AsyncGenerator[GetTranscriptResponse, None]:
        request.page_size = TRANSCRIPT_PAGE_SEGMENTS
        while True:
            page = await self._connection.call(self._stub.GetTranscript, request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return


def succeeded(job: Job) -> Job:
    """A job that has ended, if it succeeded.

    Raises:
        JobFailed: It failed.
        JobCancelled: It was cancelled.
    """
    if job.state is JobState.CANCELLED:
        raise JobCancelled(job, TiroError("the job was cancelled", code=grpc.StatusCode.CANCELLED))
    if job.state is JobState.FAILED:
        raise JobFailed(job, job.error or TiroError("the job failed; the service gives no cause"))
    return job
