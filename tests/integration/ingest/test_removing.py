"""Removal of jobs, recordings and uploads: deletion, expiry, and interrupted removals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from nats.js.errors import NotFoundError

from tests.integration.ingest.calls import begin, cancel, delete, delete_audio, get
from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tiro.events.v1.transcription_pb2 import RequestRecord, TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import ListTranscriptionsRequest
from tiro.transcription.v1.upload_service_pb2 import DeleteUploadRequest
from tiro_core.blobs.interface import PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import transcript_key, upload_key
from tiro_core.jobs.transcript_pages import write_page
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.records import Change, RecordStore


async def delete_upload(ingest: Ingest, name: str) -> None:
    """Delete an upload."""
    await ingest.uploads.DeleteUpload(DeleteUploadRequest(name=name), **ingest.options)


async def listed(ingest: Ingest) -> list[str]:
    """The names of the tenant's jobs."""
    page = await ingest.jobs.ListTranscriptions(ListTranscriptionsRequest(), **ingest.options)
    return [job.name for job in page.transcriptions]


def bare(name: str) -> str:
    """The id in a name."""
    return name.rpartition("/")[2]


async def history_length(bus: Bus, tenant: str, name: str) -> int:
    """The number of a job's events."""
    subject = subjects.job_events(tenant, bare(name))
    info = await bus.jetstream.stream_info(topology.JOB_EVENTS, subjects_filter=subject)
    return sum((info.state.subjects or {}).values())


async def has_audio(bus: Bus, tenant: str, upload: str) -> bool:
    """Whether the bytes of an upload are stored."""
    try:
        await JetStreamBlobStore(bus).get_part(upload_key(tenant, bare(upload)), 0)
    except PartMissing:
        return False
    return True


@asynccontextmanager
async def deletion_of(bus: Bus, bucket: str, kind: Any, key: str) -> AsyncIterator[None]:
    """Wait at the end until a record has been deleted."""
    async with asyncio.timeout(DEADLINE_SECONDS), RecordStore(bus, bucket, kind).watch(key) as changes:
        yield
        async for change in changes:
            if isinstance(change, Change) and change.value is None:
                return


@asynccontextmanager
async def deletion_of_audio(bus: Bus, tenant: str, name: str) -> AsyncIterator[None]:
    """Wait at the end until a job's record says that its recording is deleted, the last step of the deletion."""
    jobs = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    async with asyncio.timeout(DEADLINE_SECONDS), jobs.watch(subjects.record(tenant, bare(name))) as changes:
        yield
        async for change in changes:
            if isinstance(change, Change) and change.value is not None and change.value.audio_deleted:
                return


async def test_deletion_of_a_job_removes_all_its_data(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """A deletion removes record, events, transcript, recording, task message, and the record of its request."""
    job = await ingest.transcribe(content=speech, request_id="once")
    blobs = JetStreamBlobStore(bus)
    await write_page(blobs, tenant, bare(job.name), epoch=1, index=0, segments=[])
    await delete(ingest, job.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await get(ingest, job.name)
    assert await listed(ingest) == []
    assert await history_length(bus, tenant, job.name) == 0
    with pytest.raises(PartMissing):
        await blobs.get_part(transcript_key(tenant, bare(job.name), 1), 0)
    assert not await has_audio(bus, tenant, job.upload)
    task = subjects.task(job.config.engine, job.config.model, job.lane, tenant, bare(job.name))
    with pytest.raises(NotFoundError):
        await bus.jetstream.get_msg(topology.TASKS, subject=task)
    assert await RecordStore(bus, topology.REQUESTS_BUCKET, RequestRecord).keys(tenant) == []
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await delete(ingest, job.name)
    assert (await ingest.transcribe(content=speech, request_id="once")).name != job.name


async def test_deletion_of_a_running_job_stops_its_worker(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """The worker of a deleted job is Fenced, and writes no event."""
    job = await ingest.transcribe(content=speech)
    history = await begin(bus, tenant, job.name, "worker-1")
    await delete(ingest, job.name)
    with pytest.raises(Fenced):
        await history.append_progress(1.0)
    assert await history_length(bus, tenant, job.name) == 0


async def test_a_shared_upload_is_deleted_with_its_last_job(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """The upload of two jobs stays when the first one is deleted, and is deleted with the second."""
    upload = await ingest.upload(speech)
    one, two = [await ingest.transcribe(upload=upload.name) for _ in range(2)]
    await delete(ingest, one.name)
    assert (await ingest.get(upload.name)).sha256 == upload.sha256
    await delete(ingest, two.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await ingest.get(upload.name)
    assert not await has_audio(bus, tenant, upload.name)


async def test_an_inline_recording_that_another_job_uses_stays(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """The upload of a job's inline recording is kept for a second job, and deleted with it."""
    first = await ingest.transcribe(content=speech)
    second = await ingest.transcribe(upload=first.upload)
    await delete(ingest, first.name)
    assert await has_audio(bus, tenant, first.upload)
    await delete(ingest, second.name)
    assert not await has_audio(bus, tenant, first.upload)


async def test_the_recording_of_an_ended_job_can_be_deleted(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """The recording can be deleted once the job has ended, also twice. The job has `audio_deleted` then."""
    job = await ingest.transcribe(content=speech)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPTION_NOT_ENDED"):
        await delete_audio(ingest, job.name)
    await cancel(ingest, job.name)
    assert (await delete_audio(ingest, job.name)).audio_deleted
    assert not await has_audio(bus, tenant, job.upload)
    assert (await delete_audio(ingest, job.name)).audio_deleted
    assert (await get(ingest, job.name)).state == Transcription.STATE_CANCELLED


async def test_an_upload_that_is_needed_is_not_deleted(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """An upload stays while an open job needs it. Then it can be deleted, and the job has `audio_deleted`."""
    upload = await ingest.upload(speech)
    job = await ingest.transcribe(upload=upload.name)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_IN_USE"):
        await delete_upload(ingest, upload.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await delete_upload(stranger, upload.name)
    assert (await ingest.transcribe(upload=upload.name)).state == Transcription.STATE_QUEUED
    for name in await listed(ingest):
        await cancel(ingest, name)
    await delete_upload(ingest, upload.name)
    assert (await get(ingest, job.name)).audio_deleted
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await delete_upload(ingest, upload.name)


async def test_jobs_and_recordings_expire(start_ingest: StartIngest, bus: Bus, tenant: str, speech: bytes) -> None:
    """Recording and job expire at the times after the end that the job has set."""
    ingest = await start_ingest()
    job = await ingest.transcribe(content=speech, audio_ttl={"nanos": 1}, ttl={"seconds": 3600})
    short = await ingest.transcribe(content=speech, ttl={"nanos": 1})
    assert job.audio_ttl.nanos == 1
    assert short.audio_ttl.nanos == 1, "a recording does not outlive its job"
    async with deletion_of_audio(bus, tenant, job.name):
        await cancel(ingest, job.name)
    assert (await get(ingest, job.name)).audio_deleted
    assert not await has_audio(bus, tenant, job.upload)
    key = subjects.record(tenant, bare(short.name))
    async with deletion_of(bus, topology.JOBS_BUCKET, TranscriptionRecord, key):
        await cancel(ingest, short.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await get(ingest, short.name)
    assert not await has_audio(bus, tenant, short.upload)


async def test_the_time_to_keep_a_job_is_limited(start_ingest: StartIngest, speech: bytes) -> None:
    """A job with a longer time than the deployment's limit is refused."""
    ingest = await start_ingest(ttl_seconds_max=60)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await ingest.transcribe(content=speech, ttl={"seconds": 61})


async def test_an_upload_that_no_job_needs_expires(
    start_ingest: StartIngest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """An upload that a job needs stays beyond its time, and is deleted with the job."""
    ingest = await start_ingest(audio_ttl_seconds=3, maintenance_interval_seconds=0.1)
    used, unused = await ingest.upload(speech), await ingest.upload(speech)
    job = await ingest.transcribe(upload=used.name)
    async with deletion_of(bus, topology.UPLOADS_BUCKET, UploadRecord, subjects.record(tenant, bare(unused.name))):
        pass
    assert await has_audio(bus, tenant, used.name)
    async with deletion_of(bus, topology.UPLOADS_BUCKET, UploadRecord, subjects.record(tenant, bare(used.name))):
        await delete(ingest, job.name)


async def test_an_interrupted_removal_is_finished(
    start_ingest: StartIngest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """A job that is marked for removal is NOT_FOUND, and is removed by any ingest."""
    ingest = await start_ingest()
    job = await ingest.transcribe(content=speech)
    await cancel(ingest, job.name)
    key = subjects.record(tenant, bare(job.name))
    async with deletion_of(bus, topology.JOBS_BUCKET, TranscriptionRecord, key):
        await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).mutate(key, _mark)
        async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
            await get(ingest, job.name)
    assert not await has_audio(bus, tenant, job.upload)


def _mark(record: TranscriptionRecord) -> None:
    record.removing = True
