"""Watches of jobs and reads of transcripts, with a fake worker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.json_format import Parse

from tests.integration.ingest.conftest import Ingest, StartIngest, refused
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord, TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_JSON,
    TRANSCRIPT_FORMAT_SRT,
    TRANSCRIPT_FORMAT_TSV,
    TRANSCRIPT_FORMAT_TXT,
    TRANSCRIPT_FORMAT_VERBOSE_JSON,
    TRANSCRIPT_FORMAT_VTT,
    TRANSCRIPT_FORMAT_WORDS,
    GetTranscriptRequest,
    GetTranscriptResponse,
    TranscriptFormat,
    WatchTranscriptionRequest,
    WatchTranscriptionResponse,
)
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.clock import duration, now
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, write_page
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Rejected
from tiro_core.messaging.event_log import EventLog
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key

RUNNING = Transcription.STATE_RUNNING
SUCCEEDED = Transcription.STATE_SUCCEEDED


@dataclass
class Worker:
    """A fake worker of one job, which writes as a worker does."""

    bus: Bus
    tenant: str
    job: Transcription
    log: EventLog[TranscriptionEvent]

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.name.removeprefix("transcriptions/")

    async def begin(self) -> None:
        """Claim the job, and publish its state."""

        def claim(record: TranscriptionRecord) -> None:
            record.state = RUNNING
            record.epoch += 1
            record.attempts.append(Transcription.Attempt(worker_id="played", start_time=now()))

        record = await self._change(claim)
        await self.log.resume()
        await self.log.append(lambda n: TranscriptionEvent(sequence=n, attempt=1, state_changed=record))

    async def publish_segment(self, text: str) -> None:
        """Publish a segment and progress."""
        page = TranscriptPage(segments=[Segment(text=text)])
        await self.log.append(lambda n: TranscriptionEvent(sequence=n, attempt=1, segments=page))
        await self.log.append(lambda n: TranscriptionEvent(sequence=n, attempt=1, transcribed_duration=duration(1)))

    async def end(self, segments: int = 0) -> TranscriptionRecord:
        """Write the transcript, and commit the job's record."""
        blobs = JetStreamBlobStore(self.bus)
        for index, first in enumerate(range(0, segments, SEGMENTS_PER_PAGE)):
            numbers = range(first, min(first + SEGMENTS_PER_PAGE, segments))
            page = [Segment(text=f"segment {number}") for number in numbers]
            await write_page(blobs, self.tenant, self.job_id, epoch=1, index=index, segments=page)

        def succeed(record: TranscriptionRecord) -> None:
            record.state = SUCCEEDED
            record.transcript_epoch = 1
            record.transcript.CopyFrom(Transcript(engine="fake", segment_count=segments))
            record.end_time.CopyFrom(now())

        return await self._change(succeed)

    async def publish_end(self, record: TranscriptionRecord) -> None:
        """Publish the end of the job."""
        await self.log.append(lambda n: TranscriptionEvent(sequence=n, attempt=1, state_changed=record))

    async def _change(self, change: Callable[[TranscriptionRecord], None]) -> TranscriptionRecord:
        records = RecordStore(self.bus, topology.JOBS_BUCKET, TranscriptionRecord)
        return (await records.mutate(record_key(self.tenant, self.job_id), change)).value


@pytest.fixture
async def worker(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> Worker:
    """A worker with a new job."""
    job = await ingest.transcribe(content=speech)
    subject = subjects.job_events(tenant, job.name.removeprefix("transcriptions/"))
    log = EventLog(bus, topology.JOB_EVENTS, subject, TranscriptionEvent, lambda event: event.sequence)
    return Worker(bus, tenant, job, log)


def _watch(ingest: Ingest, job: Transcription, after_sequence: int = 0) -> AsyncIterator[WatchTranscriptionResponse]:
    request = WatchTranscriptionRequest(name=job.name, after_sequence=after_sequence)
    responses: AsyncIterator[WatchTranscriptionResponse] = aiter(
        ingest.jobs.WatchTranscription(request, **ingest.options)
    )
    return responses


async def test_a_watch_yields_all_events_in_order(ingest: Ingest, worker: Worker) -> None:
    """A watch yields states, segments and progress as they are published, without a gap, and then ends."""
    seen = []
    async for response in _watch(ingest, worker.job):
        seen.append(response)
        if len(seen) == 1:
            assert response.state_changed.state == Transcription.STATE_QUEUED
            await worker.begin()
            await worker.publish_segment("hello")
            await worker.publish_end(await worker.end())
    assert [response.sequence for response in seen] == [1, 2, 3, 4, 5]
    assert [response.WhichOneof("event") for response in seen] == [
        "state_changed",
        "state_changed",
        "segments",
        "progress",
        "state_changed",
    ]
    assert [response.attempt for response in seen] == [0, 1, 1, 1, 1]
    assert seen[2].segments.segments[0].text == "hello"
    assert seen[3].progress.audio_duration == worker.job.audio_duration
    assert seen[4].state_changed.state == SUCCEEDED


async def test_a_watch_can_start_after_any_event(ingest: Ingest, worker: Worker) -> None:
    """A watch starts after a given sequence. After the last one it ends without an event."""
    await worker.begin()
    await worker.publish_segment("hello")
    await worker.publish_end(await worker.end())
    assert [response.sequence async for response in _watch(ingest, worker.job, 3)] == [4, 5]
    assert [response.sequence async for response in _watch(ingest, worker.job, 5)] == []


async def test_a_watch_ends_although_the_terminal_event_is_missing(start_ingest: StartIngest, worker: Worker) -> None:
    """The end is read from the record if the worker died before it published the terminal event."""
    ingest = await start_ingest(watch_check_seconds=0.1)
    await worker.begin()
    watching = _watch(ingest, worker.job)
    seen = [await anext(watching), await anext(watching)]
    await worker.end()
    seen += [response async for response in watching]
    assert [response.sequence for response in seen] == [1, 2, 3]
    assert seen[-1].state_changed.state == SUCCEEDED


async def test_a_refused_read_does_not_end_a_watch(
    start_ingest: StartIngest, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that NATS refuses while the watch looks for the end is repeated at a later check."""
    resume, refusals = EventLog.resume, 0

    async def refused_once(self: EventLog[TranscriptionEvent]) -> TranscriptionEvent | None:
        nonlocal refusals
        refusals += 1
        if refusals == 1:
            raise Rejected("no")
        return await resume(self)

    ingest = await start_ingest(watch_check_seconds=0.1)
    await worker.begin()
    watching = _watch(ingest, worker.job)
    seen = [await anext(watching), await anext(watching)]
    await worker.end()
    monkeypatch.setattr("tiro_ingest.jobs.watcher.EventLog.resume", refused_once)
    seen += [response async for response in watching]
    assert refusals > 1
    assert seen[-1].state_changed.state == SUCCEEDED


async def test_a_watch_of_a_job_without_events_yields_its_end(ingest: Ingest, worker: Worker, bus: Bus) -> None:
    """Events are kept for a shorter time than records: the end is then read from the record."""
    await worker.begin()
    await worker.publish_end(await worker.end())
    subject = subjects.job_events(worker.tenant, worker.job_id)
    await bus.jetstream.purge_stream(topology.JOB_EVENTS, subject=subject)
    (only,) = [response async for response in _watch(ingest, worker.job)]
    assert only.state_changed.state == SUCCEEDED


async def test_a_watch_ends_when_the_service_stops(start_ingest: StartIngest, worker: Worker) -> None:
    """A stopping service ends watches at once with SHUTTING_DOWN, so that clients continue at another one."""
    stopping = asyncio.Event()
    ingest = await start_ingest(stopping=stopping)
    watching = _watch(ingest, worker.job)
    assert (await anext(watching)).sequence == 1
    stopping.set()
    async with refused(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"):
        await anext(watching)


async def _transcript(
    ingest: Ingest, job: Transcription, page_size: int = 0, page_token: str = ""
) -> GetTranscriptResponse:
    request = GetTranscriptRequest(name=job.name, page_size=page_size, page_token=page_token)
    response: GetTranscriptResponse = await ingest.jobs.GetTranscript(request, **ingest.options)
    return response


@pytest.mark.parametrize("page_size", [1, 7, SEGMENTS_PER_PAGE, SEGMENTS_PER_PAGE + 3, 1000])
async def test_a_transcript_is_read_in_pages_of_any_size(ingest: Ingest, worker: Worker, page_size: int) -> None:
    """Pages of any size have every segment once and in order, whatever the stored pages."""
    total = SEGMENTS_PER_PAGE + 5 if page_size == 1 else 3 * SEGMENTS_PER_PAGE + 1
    await worker.begin()
    await worker.end(segments=total)
    texts: list[str] = []
    token = ""
    while True:
        page = await _transcript(ingest, worker.job, page_size, token)
        assert page.transcript.segment_count == total
        assert len(page.segments) <= page_size
        texts += [segment.text for segment in page.segments]
        token = page.next_page_token
        if not token:
            break
    assert texts == [f"segment {number}" for number in range(total)]


async def test_an_empty_transcript_is_a_page_without_segments(ingest: Ingest, worker: Worker) -> None:
    """A transcript without segments is one empty page."""
    await worker.begin()
    await worker.end(segments=0)
    page = await _transcript(ingest, worker.job)
    assert (len(page.segments), page.next_page_token, page.transcript.engine) == (0, "", "fake")


async def test_a_job_that_has_not_succeeded_has_no_transcript(ingest: Ingest, worker: Worker) -> None:
    """The error has the state of the job."""
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPT_NOT_READY") as errors:
        await _transcript(ingest, worker.job)
    assert "QUEUED" in str(errors[0].details())


async def test_a_page_token_of_another_transcript_is_refused(ingest: Ingest, worker: Worker) -> None:
    """A token of another list is INVALID_PAGE_TOKEN."""
    await worker.begin()
    await worker.end(segments=2)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await _transcript(ingest, worker.job, 0, "AAAAAAAAAAAAAA==")


async def _written(ingest: Ingest, job: Transcription, kind: "TranscriptFormat.ValueType", page_size: int) -> str:
    """All pages of a transcript in a format."""
    text = token = ""
    while True:
        request = GetTranscriptRequest(name=job.name, page_size=page_size, page_token=token)
        request.format = kind
        page: GetTranscriptResponse = await ingest.jobs.GetTranscript(request, **ingest.options)
        assert not page.segments
        text, token = text + page.text, page.next_page_token
        if not token:
            return text


@pytest.mark.parametrize("segments", [0, 52])
async def test_pages_of_a_text_format_add_up_to_the_file(ingest: Ingest, worker: Worker, segments: int) -> None:
    """Pages of any size, joined, are the same file. The JSON is that of the transcript and its segments."""
    await worker.begin()
    await worker.end(segments=segments)
    kinds = (TRANSCRIPT_FORMAT_TXT, TRANSCRIPT_FORMAT_TSV, TRANSCRIPT_FORMAT_JSON, TRANSCRIPT_FORMAT_VERBOSE_JSON)
    for kind in (*kinds, TRANSCRIPT_FORMAT_SRT, TRANSCRIPT_FORMAT_VTT):
        whole = await _written(ingest, worker.job, kind, 1000)
        assert [await _written(ingest, worker.job, kind, size) for size in (1, 3)] == [whole, whole]
    expected = await _transcript(ingest, worker.job)
    verbose = json.loads(await _written(ingest, worker.job, TRANSCRIPT_FORMAT_VERBOSE_JSON, 3))
    assert [item["text"] for item in verbose["segments"]] == [segment.text for segment in expected.segments]
    assert verbose["text"] == " ".join(segment.text for segment in expected.segments)
    assert Parse(await _written(ingest, worker.job, TRANSCRIPT_FORMAT_JSON, 3), GetTranscriptResponse()) == expected


async def test_invalid_formats_and_tokens_are_refused(ingest: Ingest, worker: Worker) -> None:
    """Refused are `words` without word times, an unknown format, and a token of another format or other options."""
    await worker.begin()
    await worker.end(segments=3)

    async def page_of(kind: int, token: str = "", columns: int = 0) -> GetTranscriptResponse:
        request = GetTranscriptRequest(name=worker.job.name, page_size=1, page_token=token)
        request.format = kind  # type: ignore[assignment] # 99 is not a format
        request.subtitles.line_columns_max = columns
        response: GetTranscriptResponse = await ingest.jobs.GetTranscript(request, **ingest.options)
        return response

    invalid, failed = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
    token = (await page_of(TRANSCRIPT_FORMAT_TXT)).next_page_token
    async with refused(failed, "UNSUPPORTED_OPTION"):
        await page_of(TRANSCRIPT_FORMAT_WORDS)
    async with refused(invalid, "INVALID_REQUEST"):
        await page_of(99)
    for other in (0, TRANSCRIPT_FORMAT_TSV):
        async with refused(invalid, "INVALID_PAGE_TOKEN"):
            await page_of(other, token)
    token = (await page_of(TRANSCRIPT_FORMAT_SRT, columns=20)).next_page_token
    assert (await page_of(TRANSCRIPT_FORMAT_SRT, token, columns=20)).text.startswith("\n2\n")
    async with refused(invalid, "INVALID_PAGE_TOKEN"):
        await page_of(TRANSCRIPT_FORMAT_SRT, token)
    async with refused(invalid, "INVALID_REQUEST"):
        await page_of(TRANSCRIPT_FORMAT_SRT, columns=9)
