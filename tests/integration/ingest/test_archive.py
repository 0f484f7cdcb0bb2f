"""Calls for archived jobs, which answer as before the move."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    CancelTranscriptionRequest,
    DeleteAudioRequest,
    DeleteTranscriptionRequest,
    GetTranscriptionRequest,
    ListTranscriptionsRequest,
    RetryTranscriptionRequest,
    WatchTranscriptionRequest,
)
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.clock import seconds_until
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import purge_job_data
from tiro_core.jobs.time_buckets import NARROW_SECONDS, present_moment
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.records import Change
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_ingest.retention.expiry import ArchiveExpiry
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.store import Uploads


@pytest.fixture(autouse=True)
def archived_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ended jobs be archived without a wait."""
    monkeypatch.setattr("tiro_ingest.jobs.archiver.SETTLE_SECONDS", 0.0)


async def cancelled(ingest: Ingest, speech: bytes) -> Transcription:
    """A cancelled job, which needs no worker."""
    job = await ingest.transcribe(content=speech)
    over: Transcription = await ingest.jobs.CancelTranscription(
        CancelTranscriptionRequest(name=job.name), **ingest.options
    )
    return over


async def until_archived(bus: Bus, tenant: str, job: Transcription) -> str:
    """Wait until a job is archived, and return its key."""
    key = f"{tenant}.{job.name.removeprefix('transcriptions/')}"
    async with asyncio.timeout(DEADLINE_SECONDS), JobRecords(bus).open.watch(key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is None:
                return key
    raise AssertionError("unreachable: a watch does not end")


async def names(ingest: Ingest, page_size: int = 0) -> list[str]:
    """The names of all jobs, read page by page."""
    found: list[str] = []
    token = ""
    while True:
        request = ListTranscriptionsRequest(page_size=page_size, page_token=token)
        page = await ingest.jobs.ListTranscriptions(request, **ingest.options)
        found += [job.name for job in page.transcriptions]
        token = page.next_page_token
        if not token:
            return found


async def test_an_archived_job_is_read_watched_and_changed(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """Every call for an archived job answers as before the move."""
    job = await cancelled(ingest, speech)
    await until_archived(bus, tenant, job)
    assert await ingest.jobs.GetTranscription(GetTranscriptionRequest(name=job.name), **ingest.options) == job
    watching = ingest.jobs.WatchTranscription(WatchTranscriptionRequest(name=job.name), **ingest.options)
    states = [event.state_changed.state async for event in watching]
    assert states[-1] == Transcription.STATE_CANCELLED
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPTION_ENDED"):
        await ingest.jobs.CancelTranscription(CancelTranscriptionRequest(name=job.name), **ingest.options)
    again = await ingest.jobs.RetryTranscription(RetryTranscriptionRequest(name=job.name), **ingest.options)
    assert again.retry_of == job.name
    bare = await ingest.jobs.DeleteAudio(DeleteAudioRequest(name=job.name), **ingest.options)
    assert bare.audio_deleted


async def test_lists_have_open_and_archived_jobs(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """A list has each job once, the newest first, in pages of any size."""
    jobs = []
    for index in range(7):
        job = await (cancelled(ingest, speech) if index % 2 else ingest.transcribe(content=speech))
        jobs.append(job)
        if index % 2:
            await until_archived(bus, tenant, job)
    expected = [job.name for job in reversed(jobs)]
    assert await names(ingest) == expected
    assert await names(ingest, page_size=2) == expected


async def test_a_repeated_request_finds_its_job_in_the_archive(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """A repeated `request_id` returns the same job after it was archived."""
    job = await ingest.transcribe(content=speech, request_id="once")
    await ingest.jobs.CancelTranscription(CancelTranscriptionRequest(name=job.name), **ingest.options)
    await until_archived(bus, tenant, job)
    assert (await ingest.transcribe(content=speech, request_id="once")).name == job.name


async def test_deletion_of_an_archived_job_leaves_nothing(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """The deletion of an archived job removes record, recording and list entry."""
    job = await cancelled(ingest, speech)
    key = await until_archived(bus, tenant, job)
    await ingest.jobs.DeleteTranscription(DeleteTranscriptionRequest(name=job.name), **ingest.options)
    assert await names(ingest) == []
    assert await JobRecords(bus).get(key) is None
    assert not [one async for one in subjects_in(bus, topology.BLOBS, f"tiro.blob.{tenant}.>")]


async def test_archived_jobs_expire(
    start_ingest: StartIngest, bus: Bus, tenant: str, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recording of an archived job expires first, then the job. An interrupted removal is finished."""
    ingest = await start_ingest(audio_ttl_seconds=3600, transcription_ttl_seconds=7200)
    keys = [await until_archived(bus, tenant, await cancelled(ingest, speech)) for _ in range(2)]
    records, entries = JobRecords(bus), ExpiryEntries(bus)
    blobs = JetStreamBlobStore(bus)
    uploads = Uploads(bus, blobs, ttl_seconds=60, ready_ttl_seconds=60)
    remover = Remover(bus, blobs, records, entries=entries, uploads=uploads, references=UploadReferences(bus))
    expiry = ArchiveExpiry(records, remover, entries)
    present = present_moment()

    test = asyncio.current_task()

    async def interrupted(*arguments: Any, **options: Any) -> None:
        if asyncio.current_task() is test:
            raise ConnectionError("interrupted")
        await purge_job_data(*arguments, **options)  # the ingest removes as well

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiro_ingest.retention.remover.purge_job_data", interrupted)
        with pytest.raises(ConnectionError, match="interrupted"):
            await remover.remove_job(*keys[1].split("."))
    for hours, audio_deleted in ((0.1, False), (1.1, True)):
        _travel(monkeypatch, present, hours)
        await expiry.sweep()
        stored = await records.get(keys[0])
        assert stored is not None
        assert stored.value.audio_deleted == audio_deleted
        assert await records.get(keys[1]) is None
    _travel(monkeypatch, present, 2.1)
    await expiry.sweep()
    assert await records.get(keys[0]) is None
    await expiry.sweep()
    stream = topology.bucket_stream(topology.EXPIRY_BUCKET)
    assert not [entry async for entry in subjects_in(bus, stream, f"$KV.*.*.*.{tenant}.{keys[0].partition('.')[2]}")]


def _travel(monkeypatch: pytest.MonkeyPatch, present: int, hours: float) -> None:
    """Advance the clock of the archive's expiry by some hours."""
    seconds = hours * 3600
    monkeypatch.setattr(
        "tiro_ingest.retention.expiry.present_moment", lambda: present + round(seconds / NARROW_SECONDS)
    )
    monkeypatch.setattr("tiro_ingest.retention.expiry.seconds_until", lambda moment: seconds_until(moment) - seconds)
