"""Cancellation and deletion of running jobs."""

import asyncio

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import transcript_key
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.store import Uploads
from tiro_transcriber.settings import TranscriberSettings

MODEL = "markers-30x"
LONG_WORDS = 3000
"""Words of 900 s of audio, which this model transcribes in 30 s."""
SOON_SECONDS = 20.0


@pytest.fixture
def settings(settings: TranscriberSettings) -> TranscriberSettings:
    """Settings of a slow worker with one slot."""
    return settings.model_copy(update={"model": MODEL})


@pytest.fixture
async def running(jobs: Jobs, start_worker: Start) -> str:
    """A long job that is RUNNING and has an event."""
    await start_worker()
    job = await jobs.submit(recording(range(LONG_WORDS)), model=MODEL)
    async with OrderedConsumer(jobs.bus, topology.JOB_EVENTS, subjects.job_events(jobs.tenant, job)) as consumer:
        async for entry in consumer:
            if isinstance(entry, StoredMessage) and (await jobs.record(job)).state == Transcription.STATE_RUNNING:
                break
    return job


async def test_cancellation_releases_the_worker(jobs: Jobs, running: str) -> None:
    """The worker of a cancelled job stops at once and claims the next one. No event follows the job's end."""
    cancelled = await JobCanceller(jobs.bus, jobs.blobs).cancel(jobs.tenant, running)
    assert cancelled.state == Transcription.STATE_CANCELLED
    following = await jobs.submit(recording(range(3)), model=MODEL)
    async with asyncio.timeout(SOON_SECONDS):
        await jobs.events(following)
    assert (await jobs.record(following)).state == Transcription.STATE_SUCCEEDED
    assert (await jobs.record(running)) == cancelled
    assert (await jobs.events(running))[-1].state_changed == cancelled


async def test_deletion_of_a_running_job_leaves_no_data(jobs: Jobs, running: str) -> None:
    """After the deletion no event and no page is left, not even one that was being written."""
    bus, tenant, blobs = jobs.bus, jobs.tenant, JetStreamBlobStore(jobs.bus)
    epoch = (await jobs.record(running)).epoch
    uploads = Uploads(bus, blobs, ttl_seconds=60, ready_ttl_seconds=60)
    remover = Remover(
        bus, blobs, JobRecords(bus), entries=ExpiryEntries(bus), uploads=uploads, references=UploadReferences(bus)
    )
    await remover.remove_job(tenant, running)
    following = await jobs.submit(recording(range(3)), model=MODEL)
    async with asyncio.timeout(SOON_SECONDS):
        await jobs.events(following)
    assert await jobs.records.get(subjects.record(tenant, running)) is None
    info = await bus.jetstream.stream_info(topology.JOB_EVENTS, subjects_filter=subjects.job_events(tenant, running))
    assert not info.state.subjects
    with pytest.raises(PartMissing):
        await blobs.get_part(transcript_key(tenant, running, epoch), 0)
